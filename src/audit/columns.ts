import { hash } from 'node:crypto';
import type { AuditRecord } from '../model/audit-record.ts';
import type { Db, SqlValue } from '../model/ports.ts';

/**
 * The columns that serve searching, in the order of {@link indexColumns}. They say nothing that the record does not say; what else is looked
 * for is found by the segments' terms and the record's text.
 */
export const columnNames = ['at_ms', 'kind', 'call_id', 'subject', 'method', 'effect'] as const;

const maxChars = 200;

/** A column of bytes in a SELECT, read as hex digits. */
export function hexText(engine: Db['engine'], column: string): string {
  return engine === 'sqlite' ? `lower(hex(${column}))` : `encode(${column}, 'hex')`;
}

/** A record's hash in a SELECT: 64 hex digits. */
export function hashText(engine: Db['engine']): string {
  return `${hexText(engine, 'hash')} AS hash`;
}

const callId = /^call_([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/;

/** A call's id as its column has it: the bytes of its UUID, since the table and its index have it twice for each call; other text as it is. */
export function callKey(id: string): Uint8Array {
  const [, ...digits] = callId.exec(id) ?? [];
  return digits.length === 0 ? Buffer.from(indexText(id) ?? '') : Buffer.from(digits.join(''), 'hex');
}

/** What a record is found by. A record without an understandable time is filed under 0. */
export function indexColumns(record: AuditRecord): SqlValue[] {
  const { who, what, decision } = record;
  const atMs = Date.parse(record.at);
  return [
    Number.isSafeInteger(atMs) ? atMs : 0,
    record.kind,
    record.call === undefined ? null : callKey(record.call),
    indexText(who?.subject),
    indexText(what?.method),
    decision?.effect ?? null,
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
