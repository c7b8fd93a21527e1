import type { AuditOutcome, AuditRecord } from '../model/audit-record.ts';
import type { AuditLog, Db } from '../model/ports.ts';
import { firstSeqFrom } from './read.ts';

export interface UnfinishedOptions {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  /** How long a call may take at most: only records so much older than the last one are looked at. */
  readonly maxCallMs: number;
  /** Calls decided at this time or later may still be going on. */
  readonly beforeMs: number;
  readonly nowMs: number;
}

interface Row {
  readonly seq: number;
  readonly record: string;
}

// Records stand in the order of their commit, and clocks of replicas differ.
const slackMs = 120_000;
const pageRows = 500;

/** What can be said of a call whose end is not on record: what was let through may have been executed. */
const statusOf: Readonly<Record<string, AuditOutcome['status']>> = { deny: 'denied', require_approval: 'held' };

/**
 * Writes the end of calls that were decided and whose end is not on record, because the gateway was ended meanwhile: `unknown` for one that
 * was let through. Durable when it resolves. Gives their number.
 * @throws GatewayError `store.unavailable`, `audit.unavailable`
 */
export async function finishInterrupted(db: Db, audit: AuditLog, options: UnfinishedOptions): Promise<number> {
  const { tenant, log = 'main', maxCallMs, beforeMs, nowMs } = options;
  const [last] = await db.query<{ seq: number; at_ms: number }>(
    'SELECT seq, at_ms FROM audit_record WHERE tenant = $1 AND log = $2 ORDER BY seq DESC LIMIT 1',
    [tenant, log],
  );
  if (last === undefined) return 0;
  let after = (await firstSeqFrom(db, tenant, log, Math.min(last.at_ms, beforeMs) - maxCallMs - slackMs)) - 1;
  // A call that was held first and decided again has two: the later one says whether it was let through.
  const open = new Map<string, AuditRecord>();
  for (;;) {
    const rows = await db.query<Row>(
      `SELECT seq, record FROM audit_record AS decided
       WHERE tenant = $1 AND log = $2 AND seq > $3 AND seq <= $4 AND kind = 'decided' AND at_ms < $5 AND record <> ''
         AND NOT EXISTS (SELECT 1 FROM audit_record AS ended
           WHERE ended.tenant = decided.tenant AND ended.log = decided.log AND ended.call_id = decided.call_id AND ended.kind = 'finished')
       ORDER BY seq LIMIT $6`,
      [tenant, log, after, last.seq, beforeMs, pageRows],
    );
    for (const row of rows) {
      const decided = JSON.parse(row.record) as AuditRecord;
      if (decided.call !== undefined) open.set(decided.call, decided);
    }
    const end = rows.at(-1);
    if (end === undefined || rows.length < pageRows) break;
    after = end.seq;
  }
  for (const decided of open.values()) audit.hand(interrupted(decided, nowMs));
  await audit.flush();
  return open.size;
}

function interrupted({ tenant, call, at, decision }: AuditRecord, nowMs: number): AuditRecord {
  const status = statusOf[decision?.effect ?? ''] ?? 'unknown';
  const message =
    status === 'unknown'
      ? 'the gateway ended before this call did: the upstream may have executed it'
      : 'the gateway ended before this call was answered: nothing was sent';
  return {
    v: 1,
    kind: 'finished',
    at: new Date(nowMs).toISOString(),
    tenant,
    ...(call === undefined ? {} : { call }),
    outcome: { status, bytes: 0, total_ms: Math.max(0, nowMs - Date.parse(at)) },
    event: { code: 'call.interrupted', message },
  };
}
