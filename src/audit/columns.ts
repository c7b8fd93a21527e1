import { hash } from 'node:crypto';
import type { AuditRecord } from '../model/audit-record.ts';

/** The columns that serve searching, in the order of {@link indexColumns}. They say nothing that the record does not say. */
export const columnNames = [
  'at_ms',
  'kind',
  'call_id',
  'issuer',
  'subject',
  'client',
  'endpoint',
  'server',
  'name',
  'method',
  'effect',
  'rule',
  'release',
] as const;

const maxChars = 200;

/** What a record is found by. A record without an understandable time is filed under 0. */
export function indexColumns(record: AuditRecord): (string | number | null)[] {
  const { who, what, decision } = record;
  const atMs = Date.parse(record.at);
  return [
    Number.isSafeInteger(atMs) ? atMs : 0,
    record.kind,
    indexText(record.call),
    indexText(who?.issuer),
    indexText(who?.subject),
    indexText(who?.client),
    indexText(what?.endpoint),
    indexText(what?.server),
    indexText(what?.name),
    indexText(what?.method),
    decision?.effect ?? null,
    indexText(decision?.reasons[0]?.rule),
    indexText(decision?.release),
  ];
}

/**
 * Text as a column holds it. Names come from outside, and one that the database refuses (a NUL, half a surrogate pair, longer than an index
 * entry may be) must not keep its record out of the log: such a name is filed under its beginning and a digest.
 */
export function indexText(text: string | null | undefined): string | null {
  if (text === undefined || text === null) return null;
  if (text.length <= maxChars && !text.includes('\0') && text.isWellFormed()) return text;
  const readable = text
    .slice(0, maxChars / 2)
    .replaceAll('\0', '\ufffd')
    .toWellFormed();
  return `${readable}#${hash('sha256', JSON.stringify(text)).slice(0, 32)}`;
}
