import { escapedHtml as escaped, htmlPage } from '../model/html-page.ts';
import { cellWords, conditionText } from './matrix-text.ts';
import type { Cell, CellChange, Matrix } from './matrix.ts';

const style = `
tbody th{font-weight:500;white-space:nowrap}
td::before{font-weight:700;margin-right:.4em}
.allowed{background:#2a92}.allowed::before{content:"\\2713"}
.denied{background:#c332}.denied::before{content:"\\2715"}
.needs-approval{background:#d902}.needs-approval::before{content:"?"}
.redacted{background:#37c2}.redacted::before{content:"\\25A4"}
.depends{background:#85c2}.depends::before{content:"\\00B1"}
.unknown{background:#8883}.unknown::before{content:"\\2026"}
small{display:block}
ul{margin:.3rem 0;padding-left:1.2rem;max-width:34rem;overflow-wrap:anywhere}
summary{cursor:pointer}`;

/** The matrix, or with `changes` what changed, as one page that needs nothing else: no script, no font, no address. */
export function matrixHtml(matrix: Matrix, title: string, changes?: readonly CellChange[]): string {
  const body = changes === undefined ? matrixTable(matrix) : changesTable(changes);
  const intro = '<p>For all arguments, by analysis of the rules. Open a cell for what it depends on.</p>';
  return htmlPage(title, style, `${intro}\n<div class="wide">${body}</div>`);
}

function matrixTable({ roles, tools, cells }: Matrix): string {
  const head = roles.map((role) => `<th scope="col">${escaped(role)}</th>`).join('');
  const rows = tools.map(({ server, name, labels }, row) => {
    const title = `${escaped(`${server}/${name}`)}<small>${escaped(labels.join(' '))}</small>`;
    return `<tr><th scope="row">${title}</th>${roles.map((_, column) => cellHtml(cells[row]?.[column])).join('')}</tr>`;
  });
  return `<table><thead><tr><th scope="col">tool</th>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>`;
}

function cellHtml(cell: Cell | undefined): string {
  if (cell === undefined) return '<td></td>';
  const items = [...cell.when.map(conditionText), ...cell.unless.map((one) => `unless: ${conditionText(one)}`)];
  const rules = cell.rules.length === 0 ? '' : `<small>${escaped(cell.rules.join(', '))}</small>`;
  const list = items.length === 0 ? '' : `<ul>${items.map((item) => `<li>${escaped(item)}</li>`).join('')}</ul>`;
  const text = list === '' ? `${cell.effect}${rules}` : `<details><summary>${cell.effect}</summary>${rules}${list}</details>`;
  return `<td class="${cell.effect.replace(' ', '-')}">${text}</td>`;
}

function changesTable(changes: readonly CellChange[]): string {
  if (changes.length === 0) return '<p>Nothing changes: every role may do what it could before.</p>';
  const rows = changes.map(
    ({ role, server, tool, before, after }) =>
      `<tr><th scope="row">${escaped(role)}</th><td>${escaped(`${server}/${tool}`)}</td>${[before, after].map((cell) => `<td class="${cell?.effect.replace(' ', '-') ?? ''}">${escaped(cellWords(cell))}</td>`).join('')}</tr>`,
  );
  return `<table><thead><tr><th>role</th><th>tool</th><th>before</th><th>after</th></tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>`;
}
