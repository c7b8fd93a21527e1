import type { AuditRecord } from '../model/audit-record.ts';
import type { Effect } from '../model/decision.ts';
import type { Digest } from '../model/ids.ts';
import type { Db, SqlValue } from '../model/ports.ts';
import { indexText } from './columns.ts';

/** Which records. Everything given must hold. */
export interface AuditFilter {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  readonly identity?: { readonly issuer?: string; readonly subject?: string; readonly client?: string };
  readonly endpoint?: string;
  readonly server?: string;
  /** The tool's (or resource's, prompt's) own name. */
  readonly tool?: string;
  readonly method?: string;
  readonly effect?: Effect;
  /** The rule of the first reason. */
  readonly rule?: string;
  readonly release?: string;
  readonly callId?: string;
  readonly kind?: AuditRecord['kind'];
  readonly sinceMs?: number;
  /** Before this time. */
  readonly untilMs?: number;
  readonly afterSeq?: number;
  readonly beforeSeq?: number;
  /** 1 to 1000, default 100. */
  readonly limit?: number;
}

/** A record as it stands in the log. */
export interface StoredRecord {
  readonly seq: number;
  readonly hash: Digest;
  readonly record: AuditRecord;
}

const maxRows = 1_000;
// Records stand in the order of their commit, and clocks of replicas differ: a time is looked for this far around.
const slackMs = 120_000;

/** The newest records that fit, newest first; go on with `beforeSeq` of the last one. @throws GatewayError `store.unavailable` */
export async function readAudit(db: Db, filter: AuditFilter): Promise<StoredRecord[]> {
  const { tenant, log = 'main', identity = {}, sinceMs, untilMs } = filter;
  const params: SqlValue[] = [tenant, log];
  const conditions = ['tenant = $1', 'log = $2'];
  const where = (condition: string, value: SqlValue | undefined): void => {
    if (value === undefined) return;
    params.push(value);
    conditions.push(`${condition} $${params.length}`);
  };
  const equal = (column: string, text: string | undefined): void => where(`${column} =`, text === undefined ? undefined : indexText(text));
  equal('call_id', filter.callId);
  equal('issuer', identity.issuer);
  equal('subject', identity.subject);
  equal('client', identity.client);
  equal('endpoint', filter.endpoint);
  equal('server', filter.server);
  equal('name', filter.tool);
  equal('method', filter.method);
  equal('effect', filter.effect);
  // Said again in words that the partial index of what was not allowed can be matched with.
  if (filter.effect !== undefined && filter.effect !== 'allow') conditions.push("effect <> 'allow'");
  equal('rule', filter.rule);
  equal('release', filter.release);
  equal('kind', filter.kind);
  where('at_ms >=', sinceMs);
  where('at_ms <', untilMs);
  where('seq >', filter.afterSeq);
  where('seq <', filter.beforeSeq);
  // Time has no index of its own, since each insert would pay for it: the numbers of the records stand in for it.
  if (sinceMs !== undefined) where('seq >=', await firstSeqFrom(db, tenant, log, sinceMs - slackMs));
  if (untilMs !== undefined) where('seq <', await firstSeqFrom(db, tenant, log, untilMs + slackMs));
  params.push(Math.min(Math.max(Math.trunc(filter.limit ?? 100), 1), maxRows));
  const rows = await db.query<{ seq: number; hash: string; record: string }>(
    `SELECT seq, hash, record FROM audit_record WHERE ${conditions.join(' AND ')} ORDER BY seq DESC LIMIT $${params.length}`,
    params,
  );
  return rows.map(({ seq, hash, record }) => ({ seq, hash: `sha256:${hash}` as Digest, record: JSON.parse(record) as AuditRecord }));
}

/** By halving: the first number whose record is not before `atMs`, or the one after the last. */
async function firstSeqFrom(db: Db, tenant: string, log: string, atMs: number): Promise<number> {
  const [head] = await db.query<{ seq: number }>('SELECT seq FROM audit_head WHERE tenant = $1 AND log = $2', [tenant, log]);
  let low = 1;
  let high = (head?.seq ?? 0) + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const sql = 'SELECT seq, at_ms FROM audit_record WHERE tenant = $1 AND log = $2 AND seq >= $3 ORDER BY seq LIMIT 1';
    const [row] = await db.query<{ seq: number; at_ms: number }>(sql, [tenant, log, middle]);
    if (row !== undefined && row.at_ms < atMs) low = row.seq + 1;
    else high = middle;
  }
  return low;
}
