import type { AuditRecord } from '../model/audit-record.ts';

/** One cell of a table of records. */
export type ExportCell = string | number | null;

/** What a table of records shows: one row a record, the same columns in CSV and Parquet. */
export interface ExportColumn {
  readonly name: string;
  readonly type: 'text' | 'whole' | 'number';
  readonly of: (record: AuditRecord, at: { readonly seq: number; readonly hash: string }) => ExportCell | undefined;
}

const text = (name: string, of: ExportColumn['of']): ExportColumn => ({ name, type: 'text', of });

export const exportColumns: readonly ExportColumn[] = [
  { name: 'seq', type: 'whole', of: (_record, { seq }) => seq },
  text('at', (record) => record.at),
  text('kind', (record) => record.kind),
  text('tenant', (record) => record.tenant),
  text('call', (record) => record.call),
  text('trace', (record) => record.trace),
  text('session', (record) => record.session),
  text('ip', (record) => record.ip),
  text('issuer', ({ who }) => who?.issuer),
  text('subject', ({ who }) => who?.subject),
  text('client', ({ who }) => who?.client),
  text('groups', ({ who }) => who?.groups.join(' ')),
  text('acting_for', ({ who }) => who?.for),
  text('phase', ({ what }) => what?.phase),
  text('method', ({ what }) => what?.method),
  text('endpoint', ({ what }) => what?.endpoint),
  text('upstream', ({ what }) => what?.server),
  text('target_kind', ({ what }) => what?.kind),
  text('name', ({ what }) => what?.name),
  text('arguments_digest', ({ what }) => what?.arguments_digest),
  text('effect', ({ decision }) => decision?.effect),
  text('rules', ({ decision }) => decision?.reasons.map(({ rule }) => rule).join(' ')),
  text('reasons', ({ decision }) => decision?.reasons.map(({ message }) => message).join('; ')),
  text('release', ({ decision }) => decision?.release),
  text('input_digest', ({ decision }) => decision?.input_digest),
  text('fault', ({ decision }) => decision?.fault),
  text('approval', ({ approval }) => approval?.id),
  text('approval_state', ({ approval }) => approval?.state),
  text('approved_by', ({ approval }) => approval?.by?.join(' ')),
  text('outcome', ({ outcome }) => outcome?.status),
  text('error_code', ({ outcome }) => outcome?.error_code),
  { name: 'request_bytes', type: 'whole', of: ({ what }) => what?.bytes },
  { name: 'result_bytes', type: 'whole', of: ({ outcome }) => outcome?.bytes },
  { name: 'decision_ms', type: 'number', of: ({ decision }) => decision?.took_ms },
  { name: 'total_ms', type: 'number', of: ({ outcome }) => outcome?.total_ms },
  { name: 'upstream_ms', type: 'number', of: ({ outcome }) => outcome?.upstream_ms },
  text('event', ({ event }) => event?.code),
  text('event_message', ({ event }) => event?.message),
  text('hash', (_record, { hash }) => hash),
];
