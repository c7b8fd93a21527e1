import type { AuditRecord } from '../model/audit-record.ts';
import type { Entrypoint } from '../model/decision.ts';
import type { Db, SqlValue } from '../model/ports.ts';
import type { RecordedDecision, RecordedDecisions, RecordedFilter } from '../model/recorded.ts';
import { callKey } from './columns.ts';
import { firstSeqFrom } from './read.ts';
import type { KeyRing } from './sealed-keys.ts';
import { SealedReader } from './sealed-reader.ts';

interface Row {
  readonly seq: number;
  readonly record: string;
}

const pageRows = 2_000;
// Records stand in the order of their commit, and clocks of replicas differ: a time is looked for this far around.
const timeSlackMs = 120_000;
const listMethod = /\/list$/;

/** The entrypoint that decided a record, where its input does not say so any more. */
export function entryOf({ kind, what }: AuditRecord): Entrypoint {
  if (kind === 'finished') return 'gateway/result';
  if (what?.phase === 'message') return 'gateway/message';
  return what?.phase === 'list' || listMethod.test(what?.method ?? '') ? 'gateway/list' : 'gateway/call';
}

/**
 * The decisions of a log with their inputs, see the port. Reads in pages of 2,000 records, in the order of the log, whatever is appended meanwhile.
 * @param keys absent where no inputs were ever kept
 * @param log default `main`
 */
export function createRecordedDecisions(db: Db, keys: KeyRing | undefined, log = 'main'): RecordedDecisions {
  const decisions = async (reader: SealedReader, rows: readonly Row[]): Promise<RecordedDecision[]> => {
    const [first] = rows;
    const last = rows.at(-1);
    if (first === undefined || last === undefined) return [];
    const inputs = await reader.open(first.seq, last.seq);
    const found: RecordedDecision[] = [];
    for (const { seq, record: text } of rows) {
      if (text === '') continue; // its time was over: nothing is left of it but its hash
      const record = JSON.parse(text) as AuditRecord;
      if (record.decision === undefined) continue;
      const input = inputs.get(seq);
      found.push({ seq, record, entry: input?.entry ?? entryOf(record), input: await reader.inputOf(record, input) });
    }
    return found;
  };

  return {
    async *read(filter: RecordedFilter) {
      const { tenant, sinceMs, untilMs, entries } = filter;
      const reader = new SealedReader(db, keys, tenant, log);
      const first = sinceMs === undefined ? 1 : await firstSeqFrom(db, tenant, log, sinceMs - timeSlackMs);
      const end = untilMs === undefined ? Number.MAX_SAFE_INTEGER : await firstSeqFrom(db, tenant, log, untilMs + timeSlackMs);
      let after = Math.max(first - 1, filter.afterSeq ?? 0);
      for (;;) {
        const params: SqlValue[] = [tenant, log, after, end, pageRows];
        const rows = await db.query<Row & { at_ms: number }>(
          `SELECT seq, at_ms, record FROM audit_record WHERE tenant = $1 AND log = $2 AND seq > $3 AND seq < $4
           AND kind IN ('decided', 'finished') ORDER BY seq LIMIT $5`,
          params,
        );
        const last = rows.at(-1);
        if (last === undefined) return;
        after = last.seq;
        const inTime = rows.filter(({ at_ms: atMs }) => atMs >= (sinceMs ?? 0) && atMs < (untilMs ?? Infinity));
        for (const decision of await decisions(reader, inTime)) if (entries?.includes(decision.entry) !== false) yield decision;
        if (rows.length < pageRows) return;
      }
    },
    ofCall: async (tenant, callId) => {
      const reader = new SealedReader(db, keys, tenant, log);
      const rows = await db.query<Row>(
        'SELECT seq, record FROM audit_record WHERE tenant = $1 AND log = $2 AND call_id = $3 ORDER BY seq',
        [tenant, log, callKey(callId)],
      );
      const found: RecordedDecision[] = [];
      for (const row of rows) found.push(...(await decisions(reader, [row])));
      return found;
    },
  };
}
