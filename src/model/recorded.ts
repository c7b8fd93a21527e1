import type { AuditRecord } from './audit-record.ts';
import type { Entrypoint } from './decision.ts';

/** What is left of the input of a recorded decision. */
export type RecordedInput =
  /** The whole input, as JSON text: what policy could have read, not only what its release did read. */
  | { readonly state: 'kept'; readonly json: string }
  /** What policy's mask left of it; `pointers` are the places that were changed. It cannot be replayed faithfully. */
  | { readonly state: 'masked'; readonly json: string; readonly pointers: readonly string[] }
  | { readonly state: 'absent'; readonly why: 'erased' | 'expired' | 'too_large' | 'not_kept' };

/** One decision and what it was made on. */
export interface RecordedDecision {
  readonly seq: number;
  /** `decided`, or `finished` where policy judged what came back. */
  readonly record: AuditRecord;
  readonly entry: Entrypoint;
  readonly input: RecordedInput;
}

/** Which decisions. Everything given must hold; times are milliseconds since the epoch, `untilMs` is not included. */
export interface RecordedFilter {
  readonly tenant: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly afterSeq?: number;
  readonly entries?: readonly Entrypoint[];
}

/** The decisions on record with their sealed inputs opened, in the order of their numbers. */
export interface RecordedDecisions {
  /** Page by page, never all at once. @throws GatewayError `store.unavailable`; `request.invalid` when the key that seals is not the one they were sealed with */
  read(filter: RecordedFilter): AsyncIterable<RecordedDecision>;
  /** All decisions of one call, oldest first. */
  ofCall(tenant: string, callId: string): Promise<readonly RecordedDecision[]>;
}
