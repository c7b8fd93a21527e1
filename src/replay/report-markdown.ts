import { changeWords, headline, identityWords, kindWords, latencyWords, leftOut } from './report-words.ts';
import type { ReplayReport } from './report.ts';

/** Marks the comment, so that the next run replaces it instead of adding one. */
export const commentMark = '<!-- castellan-replay -->';

/** The report as a comment on a pull request. What comes from recorded values cannot leave its table cell. `over` are bounds that were not kept. */
export function replayMarkdown(report: ReplayReport, over: readonly string[], most = 25): string {
  const { first_at: first, last_at: last, candidate } = report;
  const window = first === null ? '' : `, ${first.slice(0, 10)} to ${(last ?? first).slice(0, 10)}`;
  const groups = report.groups.slice(0, most);
  const rows = groups.map((group) =>
    [String(group.count), kindWords[group.kind], group.tool, group.role, changeWords(group), identityWords(group), group.example.call].map(
      cell,
    ),
  );
  return [
    commentMark,
    `### Replay: ${safe(headline(report))}`,
    '',
    `Candidate \`${candidate.digest.slice(0, 19)}\` on ${report.decisions} decisions on record${window}.`,
    ...(over.length === 0 ? [] : ['', '**Over the bounds:**', '', ...over.map((line) => `- ${safe(line)}`)]),
    ...(rows.length === 0
      ? []
      : [
          '',
          '| count | what | tool | role | change | identities | example |',
          '| ---: | --- | --- | --- | --- | --- | --- |',
          ...rows.map((row) => `| ${row.join(' | ')} |`),
        ]),
    ...(report.groups.length > most ? ['', `… and ${report.groups.length - most} more groups.`] : []),
    ...(leftOut(report).length === 0 ? [] : ['', ...leftOut(report).map((line) => `- ${safe(line)}`)]),
    '',
    `<sub>${safe(latencyWords(report))}</sub>`,
    '',
  ].join('\n');
}

function cell(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 199).toWellFormed()}…` : text;
  return safe(short);
}

/** Text that Markdown shows as it stands: nothing in it is a link, a mention, HTML or the end of a cell. */
function safe(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/[\\`*_{}[\]()#|~!@]/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/:\/\//g, ':&#47;&#47;')
    .replace(/\bwww\./gi, 'www&#46;');
}
