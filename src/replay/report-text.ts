import type { Group } from './groups.ts';
import { changeWords, headline, identityWords, kindWords, latencyWords, leftOut } from './report-words.ts';
import type { ReplayReport } from './report.ts';

/** Rows under headings, as wide as they need. */
export type Table = (headings: readonly string[], rows: readonly (readonly string[])[]) => string;

/** The report for a terminal. `shown` makes text of somebody else's safe to print; at most `most` groups are told. */
export function replayText(report: ReplayReport, table: Table, shown: (text: string) => string, most = 20): string {
  const groups = report.groups.slice(0, most);
  const rows = groups.map((group) => rowOf(group).map(shown));
  const parts = [
    headline(report),
    ...leftOut(report),
    ...(groups.length === 0 ? [] : ['', table(['count', 'what', 'tool', 'role', 'change', 'identities', 'example'], rows)]),
    ...(report.groups.length > most
      ? [`… and ${report.groups.length - most} more groups; \`--json\` and \`--html\` have all of them`]
      : []),
    ...(groups.length === 0 ? [] : ['', 'explain one: castellan policy explain <example>']),
    '',
    latencyWords(report),
    `${report.replayed} replayed in ${(report.took_ms / 1000).toFixed(1)} s with ${report.workers} workers: ${report.per_s} a second, ${report.evaluated} evaluated`,
  ];
  return parts.join('\n');
}

function rowOf(group: Group): string[] {
  const { count, kind, tool, role, example } = group;
  return [String(count), kindWords[kind], tool, role, changeWords(group), identityWords(group), example.call];
}
