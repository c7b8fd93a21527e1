import type { Table } from './report-text.ts';
import type { TrafficCoverage } from './traffic-coverage.ts';

/** Coverage by traffic, for a terminal. `shown` makes text of somebody else's safe to print. */
export function coverageText(found: TrafficCoverage, table: Table, shown: (text: string) => string): string {
  const { decisions, without_input: without, classes, evaluated, lines } = found;
  const part = evaluated < classes ? `, of which the ${evaluated} most frequent were evaluated` : '';
  const section = (title: string, none: string, headings: readonly string[], rows: readonly (readonly string[])[]): string[] => [
    '',
    rows.length === 0 ? none : `${title}:`,
    ...(rows.length === 0
      ? []
      : [
          table(
            headings,
            rows.map((row) => row.map(shown)),
          ),
        ]),
  ];
  return [
    `${decisions} decisions, ${classes} kinds of them${part}${without === 0 ? '' : `; the input of ${without} is masked or gone`}`,
    `${lines.percent}% of lines touched: ${lines.covered} of ${lines.covered + lines.not_covered}`,
    ...section(
      'rules that spoke on no call',
      'every rule spoke',
      ['rule', 'sets', 'title'],
      found.silent_rules.map(({ rule, sets, title }) => [rule, sets.join(', '), title ?? '']),
    ),
    ...section(
      'lines that no call touched',
      'every line was touched',
      ['file', 'lines'],
      found.untouched.map(({ file, rows }) => [file, rows.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(' ')]),
    ),
    ...section(
      'tools in use that no rule and no data names',
      'every tool in use is named',
      ['tool', 'calls'],
      found.unnamed_tools.map(({ tool, calls }) => [tool, String(calls)]),
    ),
    ...section(
      'grants that nobody used',
      'every grant was used',
      ['group', 'server', 'grant'],
      found.unused_grants.map(({ group, server, grant }) => [group, server, grant]),
    ),
  ].join('\n');
}
