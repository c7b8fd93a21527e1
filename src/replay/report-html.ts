import { escapedHtml as escaped, htmlPage } from '../model/html-page.ts';
import type { Group, Share } from './groups.ts';
import { bars, stackedDays, timeCurve } from './plots.ts';
import { changeWords, headline, identityWords, kindWords, latencyWords, leftOut } from './report-words.ts';
import type { ReplayReport } from './report.ts';
import { kinds, type Kind } from './verdict.ts';

const style = `
table{width:100%}
th,td{overflow-wrap:anywhere}
td.count{text-align:right;font-variant-numeric:tabular-nums}
code{font-size:.9em}
svg{max-width:100%;height:auto}
svg text{font:12px system-ui,sans-serif;fill:CanvasText}
.axis{stroke:#8888;stroke-width:1}
.all{fill:#8884}.candidate{fill:#37c}.base{fill:#8889}
.newly_denied{fill:#c33}.newly_allowed{fill:#2a9}.newly_needing_approval{fill:#d90}.newly_redacted{fill:#37c}
.redactions_changed{fill:#85c}.limits_changed{fill:#a63}.list_changed{fill:#888}
.over{border-left:.3rem solid #c33;padding-left:.8rem}
.key span{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em;vertical-align:baseline}`;

const colours: Readonly<Record<Kind, string>> = {
  newly_denied: '#c33',
  newly_allowed: '#2a9',
  newly_needing_approval: '#d90',
  newly_redacted: '#37c',
  redactions_changed: '#85c',
  limits_changed: '#a63',
  list_changed: '#888',
};

/** The report as one page that needs nothing else: no script, no font, no address. All that was recorded is escaped. */
export function replayHtml(report: ReplayReport, over: readonly string[]): string {
  const present = kinds.filter((kind) => report.kinds[kind] > 0);
  const legend = present.map((kind) => `<span class="${kind}"></span>${kindWords[kind]} ${report.kinds[kind]}`).join('');
  const keyStyle = kinds.map((kind) => `.key .${kind}{background:${colours[kind]}}`).join('');
  const body = `<p>${escaped(headline(report))}.</p>
<p><small>Candidate <code>${escaped(report.candidate.name)}</code> <code>${escaped(report.candidate.digest)}</code>; ${report.decisions} decisions on record, ${escaped(report.first_at ?? '')} to ${escaped(report.last_at ?? '')}.</small></p>
${over.length === 0 ? '' : `<div class="over"><strong>Over the bounds</strong>${list(over)}</div>`}
${list(leftOut(report))}
<p class="key">${legend}</p>
<h2>Day by day</h2>
${stackedDays(report.days, present)}
${sharesHtml('By rule', report.by.rule, present)}
${sharesHtml('By tool', report.by.tool, present)}
${sharesHtml('By role', report.by.role, present)}
<h2>Groups</h2>
<div class="wide">${groupsTable(report.groups)}</div>
<h2>Speed</h2>
<p>${escaped(latencyWords(report))}.</p>
${timeCurve(report.latency.histogram, report.latency.compared !== null)}`;
  return htmlPage('Replay', `${style}${keyStyle}`, body);
}

function sharesHtml(title: string, shares: readonly Share[], present: readonly Kind[]): string {
  if (shares.length === 0) return '';
  const most = 15;
  const more = shares.length > most ? `<p><small>and ${shares.length - most} more</small></p>` : '';
  return `<h2>${title}</h2>\n${bars(shares.slice(0, most), present, escaped)}${more}`;
}

function groupsTable(groups: readonly Group[]): string {
  if (groups.length === 0) return '<p>Nothing differs.</p>';
  const head = ['count', 'what', 'tool', 'role', 'change', 'identities', 'example'].map((name) => `<th scope="col">${name}</th>`).join('');
  const rows = groups.map((group) => {
    const { example, entry } = group;
    const cells = [kindWords[group.kind], group.tool, group.role, changeWords(group), identityWords(group)].map(
      (text) => `<td>${escaped(text)}</td>`,
    );
    const where = entry === 'gateway/call' ? '' : `<small>${escaped(entry)}</small> `;
    return `<tr><td class="count">${group.count}</td>${cells.join('')}<td>${where}<code>${escaped(example.call)}</code> <small>${escaped(example.at)} ${escaped(example.words)}</small></td></tr>`;
  });
  return `<table><thead><tr>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>
<p><small>Explain one: <code>castellan policy explain &lt;example&gt;</code> with the same <code>--config</code> or <code>--from</code>, and the candidate as <code>--policy</code>.</small></p>`;
}

function list(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `<ul>${lines.map((line) => `<li>${escaped(line)}</li>`).join('')}</ul>`;
}
