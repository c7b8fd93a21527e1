import { readFileSync } from 'node:fs';

/** The line of `file` with a caret below `col` (bytes, from 1), indented by two; empty where the file cannot be read from here. */
export function sourceLine(file: string, row: number, col: number): string {
  const line = lineOf(file, row);
  if (line === undefined) return '';
  const before = Buffer.from(line)
    .subarray(0, col - 1)
    .toString();
  // Tabs stay tabs, so that the mark stands below its column whatever their width.
  return `\n  ${line}\n  ${before.replace(/[^\t]/g, ' ')}^`;
}

function lineOf(file: string, row: number): string | undefined {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)[row - 1];
  } catch {
    return undefined; // A folder outside this one is shown by its name alone: the fault is told without its line.
  }
}
