import type { TestReport } from './authoring-tools.ts';

/** A JUnit XML report: one suite for each package, one for the comparison of the engines. Times are in seconds. */
export function junitReport({ results, engines }: TestReport): string {
  const suites = [...Map.groupBy(results, (result) => result.package)].map(([name, tests]) =>
    suite(
      name,
      tests.flatMap(({ name: title, file, row, pass, skip, error, output, duration_ns: ns, cases }) => {
        const base = { classname: name, file, line: row };
        if (cases === undefined || Object.keys(cases).length === 0)
          return [
            {
              ...base,
              name: title,
              seconds: ns / 1e9,
              skipped: skip,
              ...(pass || skip ? {} : { failure: error ?? 'the test is not true' }),
              ...(output === undefined ? {} : { output }),
            },
          ];
        return Object.entries(cases).map(([key, { fail }]) => ({
          ...base,
          name: `${title}[${key}]`,
          seconds: ns / 1e9 / Object.keys(cases).length,
          skipped: skip,
          ...(fail === true ? { failure: 'the case is not true' } : {}),
        }));
      }),
    ),
  );
  const differences = engines.differences.map(({ name, file, interpreter, wasm, expected }) => ({
    classname: 'engines',
    file,
    line: 1,
    name,
    seconds: 0,
    skipped: false,
    failure: `interpreter: ${interpreter}\nwasm: ${wasm}${expected === undefined ? '' : `\nexpected: ${expected}`}`,
  }));
  const agreement =
    engines.cases + engines.tests === 0 || differences.length > 0
      ? differences
      : [{ classname: 'engines', file: '', line: 1, name: 'both engines agree', seconds: 0, skipped: false }];
  if (agreement.length > 0) suites.push(suite('engines', agreement));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('')}</testsuites>\n`;
}

interface Entry {
  readonly classname: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly seconds: number;
  readonly skipped: boolean;
  readonly failure?: string;
  readonly output?: string;
}

function suite(name: string, entries: readonly Entry[]): string {
  const failures = entries.filter(({ failure }) => failure !== undefined).length;
  const skipped = entries.filter((entry) => entry.skipped).length;
  const seconds = entries.reduce((sum, entry) => sum + entry.seconds, 0);
  const head = `  <testsuite name="${xml(name)}" tests="${entries.length}" failures="${failures}" skipped="${skipped}" time="${seconds.toFixed(6)}">\n`;
  return `${head}${entries.map(testCase).join('')}  </testsuite>\n`;
}

function testCase({ classname, name, file, line, seconds, skipped, failure, output }: Entry): string {
  const where = file === '' ? '' : ` file="${xml(file)}" line="${line}"`;
  const open = `    <testcase classname="${xml(classname)}" name="${xml(name)}"${where} time="${seconds.toFixed(6)}"`;
  const inside = [
    ...(skipped ? ['<skipped/>'] : []),
    ...(failure === undefined ? [] : [`<failure message="${xml(failure.split('\n')[0] ?? '')}">${xml(failure)}</failure>`]),
    ...(output === undefined ? [] : [`<system-out>${xml(output)}</system-out>`]),
  ];
  return inside.length === 0 ? `${open}/>\n` : `${open}>${inside.join('')}</testcase>\n`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** Text for XML 1.0, which has no way to write most control characters: they are shown as `\uXXXX`. */
function xml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[&<>"']/g, (character) => entities[character] ?? character)
    .replace(
      /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
}
