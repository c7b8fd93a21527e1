import type { Cell, CellChange, Condition, Matrix } from './matrix.ts';

/** The matrix for people: a table, and below it what the cells depend on. */
export function matrixText(matrix: Matrix, table: (headings: readonly string[], rows: readonly (readonly string[])[]) => string): string {
  const notes = new Map<string, number>();
  const rows = matrix.tools.map(({ server, name }, row) => [
    `${server}/${name}`,
    ...matrix.roles.map((_, column) => cellText(matrix.cells[row]?.[column], notes)),
  ]);
  const lines = [table(['tool', ...matrix.roles], rows)];
  if (notes.size > 0) lines.push('');
  for (const [note, number] of notes) lines.push(`[${number}] ${note}`);
  return lines.join('\n');
}

function cellText(cell: Cell | undefined, notes: Map<string, number>): string {
  if (cell === undefined) return '';
  const numbers = [noteOf(cell.when, '', notes), noteOf(cell.unless, 'unless: ', notes)].filter((text) => text !== '');
  return [cell.effect, ...numbers].join(' ');
}

function noteOf(conditions: readonly Condition[], before: string, notes: Map<string, number>): string {
  if (conditions.length === 0) return '';
  const text = before + conditions.map(conditionText).join('; ');
  const number = notes.get(text) ?? notes.size + 1;
  notes.set(text, number);
  return `[${number}]`;
}

/** `denied when … (topic/rule)` */
export function conditionText({ outcome, rule, words }: Condition): string {
  if (words === 'otherwise') return `otherwise ${outcome}`;
  return outcome === 'unknown' ? words : `${outcome} when ${words}${rule === '' ? '' : ` (${rule})`}`;
}

/** One line for a cell, conditions and all. */
export function cellWords(cell: Cell | null): string {
  if (cell === null) return 'not there';
  const parts = [cell.effect, ...(cell.when.length === 0 ? [] : [cell.when.map(conditionText).join('; ')])];
  return parts.join(': ');
}

/** The matrix as CSV (RFC 4180), one line for each cell. */
export function matrixCsv(matrix: Matrix): string {
  const lines = matrix.tools.flatMap(({ server, name, labels }, row) =>
    matrix.roles.map((role, column) => {
      const cell = matrix.cells[row]?.[column];
      const texts =
        cell === undefined
          ? ['', '', '', '']
          : [cell.effect, cell.rules.join(' '), cell.when.map(conditionText).join('; '), cell.unless.map(conditionText).join('; ')];
      return [role, server, name, labels.join(' '), ...texts].map(csvField).join(',');
    }),
  );
  return ['role,server,tool,labels,effect,rules,when,unless', ...lines].join('\r\n');
}

/** A name of an upstream's must not become a formula in a spreadsheet. */
function csvField(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The changes between two revisions, a line each. */
export function changesText(changes: readonly CellChange[]): string {
  if (changes.length === 0) return 'nothing changes: every role may do what it could before';
  return changes
    .map(
      ({ role, server, tool, before, after }) =>
        `${role}  ${server}/${tool}\n  before  ${cellWords(before)}\n  after   ${cellWords(after)}`,
    )
    .join('\n');
}
