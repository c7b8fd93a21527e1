import type { AuditRecord } from '../model/audit-record.ts';
import type { Db } from '../model/ports.ts';

/** A call as the log tells it: what was decided, and how it ended where that is recorded. */
export interface RecentCall {
  readonly decided: AuditRecord;
  readonly finished: AuditRecord | undefined;
}

export interface RecentCallsOptions {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  readonly sinceMs: number;
  /** At most so many calls, the latest ones. */
  readonly limit: number;
}

const pageRows = 500;
// A page further back than `sinceMs` by this much holds nothing that belongs to it, whatever replicas' clocks say.
const slackMs = 120_000;

/**
 * The calls since a time, oldest first: what history is rebuilt from at the start. Reads from the log's end backwards, so it costs what it
 * gives, however long the log is.
 * @throws GatewayError `store.unavailable`
 */
export async function recentCalls(db: Db, { tenant, log = 'main', sinceMs, limit }: RecentCallsOptions): Promise<RecentCall[]> {
  const calls: RecentCall[] = [];
  const seen = new Set<string>();
  const finished = new Map<string, AuditRecord>();
  let beforeSeq = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const rows = await db.query<{ seq: number; at_ms: number; kind: string; record: string }>(
      `SELECT seq, at_ms, kind, record FROM audit_record WHERE tenant = $1 AND log = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4`,
      [tenant, log, beforeSeq, pageRows],
    );
    for (const row of rows) {
      beforeSeq = row.seq;
      if (row.at_ms < sinceMs - slackMs || calls.length >= limit) return calls.reverse();
      if (row.at_ms < sinceMs || (row.kind !== 'decided' && row.kind !== 'finished') || row.record === '') continue;
      const record = JSON.parse(row.record) as AuditRecord;
      if (record.call === undefined || seen.has(record.call)) continue;
      if (row.kind === 'finished') {
        finished.set(record.call, record);
        continue;
      }
      seen.add(record.call);
      calls.push({ decided: record, finished: finished.get(record.call) });
      finished.delete(record.call);
    }
    if (rows.length < pageRows) return calls.reverse();
  }
}
