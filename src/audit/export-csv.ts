import { exportColumns, type ExportCell } from './export-columns.ts';
import type { StoredRecord } from './read.ts';

/** The first line: names of columns. */
export function csvHeader(): string {
  return `${exportColumns.map(({ name }) => name).join(',')}\r\n`;
}

/**
 * A record as a line of CSV (RFC 4180). Text that a spreadsheet would take for a formula gets an apostrophe before it, which spreadsheets do not
 * show: names in here come from agents.
 * @see https://owasp.org/www-community/attacks/CSV_Injection
 */
export function csvLine({ seq, hash, record }: StoredRecord): string {
  return `${exportColumns.map(({ of }) => cell(of(record, { seq, hash }))).join(',')}\r\n`;
}

function cell(value: ExportCell | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return String(value);
  const safe = /^[=+\-@\t\r\n\0|%\uff1d\uff0b\uff0d\uff20]/.test(value) ? `'${value}` : value;
  return /[",\r\n;\t]/.test(safe) || safe !== value ? `"${safe.replaceAll('"', '""')}"` : safe;
}
