import { randomBytes } from 'node:crypto';
import { GatewayError } from '../model/errors.ts';
import type { AuditRecord } from '../model/audit-record.ts';
import type { Db } from '../model/ports.ts';

/** What must be kept whatever its age: everything that is given must fit. Times are milliseconds; `untilMs` is not included. */
export interface HoldScope {
  readonly issuer?: string;
  readonly subject?: string;
  readonly call?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** A legal hold: neither retention nor erasure takes away what it covers. */
export interface Hold extends HoldScope {
  readonly id: string;
  readonly reason: string;
  readonly madeBy: string;
  readonly madeAtMs: number;
}

/** Facts of a record that holds are about; of a finished record those of its decided one. */
export interface HeldFacts {
  readonly issuer: string | null;
  readonly subject: string | null;
  readonly call: string | null;
  readonly atMs: number;
}

interface HoldRow {
  readonly id: string;
  readonly reason: string;
  readonly made_by: string;
  readonly made_at_ms: number;
  readonly issuer: string | null;
  readonly subject: string | null;
  readonly call_id: string | null;
  readonly since_ms: number | null;
  readonly until_ms: number | null;
}

/** Files a hold. A hold of nothing in particular holds everything. @throws GatewayError `store.unavailable`, `request.invalid` without a reason */
export async function addHold(
  db: Db,
  tenant: string,
  hold: HoldScope & { readonly reason: string; readonly madeBy: string },
  nowMs: number,
): Promise<Hold> {
  if (hold.reason.trim() === '') throw new GatewayError('request.invalid', 'a hold needs a reason, for whoever finds it later');
  const id = `hold_${randomBytes(8).toString('hex')}`;
  await db.query(
    `INSERT INTO audit_hold (tenant, id, reason, made_by, made_at_ms, issuer, subject, call_id, since_ms, until_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      tenant,
      id,
      hold.reason,
      hold.madeBy,
      nowMs,
      hold.issuer ?? null,
      hold.subject ?? null,
      hold.call ?? null,
      hold.sinceMs ?? null,
      hold.untilMs ?? null,
    ],
  );
  return { ...hold, id, madeAtMs: nowMs };
}

/** The holds of a tenant, oldest first. @throws GatewayError `store.unavailable` */
export async function listHolds(db: Db, tenant: string): Promise<Hold[]> {
  const rows = await db.query<HoldRow>('SELECT * FROM audit_hold WHERE tenant = $1 ORDER BY made_at_ms, id', [tenant]);
  return rows.map((row) => ({
    id: row.id,
    reason: row.reason,
    madeBy: row.made_by,
    madeAtMs: row.made_at_ms,
    ...(row.issuer === null ? {} : { issuer: row.issuer }),
    ...(row.subject === null ? {} : { subject: row.subject }),
    ...(row.call_id === null ? {} : { call: row.call_id }),
    ...(row.since_ms === null ? {} : { sinceMs: row.since_ms }),
    ...(row.until_ms === null ? {} : { untilMs: row.until_ms }),
  }));
}

/** Lifts a hold; what it covered goes with the next round of retention. @throws GatewayError `not_found`, `store.unavailable` */
export async function removeHold(db: Db, tenant: string, id: string): Promise<void> {
  const gone = await db.query('DELETE FROM audit_hold WHERE tenant = $1 AND id = $2 RETURNING id', [tenant, id]);
  if (gone.length === 0) throw new GatewayError('not_found', `there is no hold \`${id}\``);
  // What it kept is behind where retention has got to: it looks through everything once more.
  await db.query('DELETE FROM audit_expiry WHERE tenant = $1', [tenant]);
}

/** Whether any of the holds covers it. */
export function isHeld(holds: readonly Hold[], facts: HeldFacts): boolean {
  return holds.some(
    (hold) =>
      (hold.issuer === undefined || hold.issuer === facts.issuer) &&
      (hold.subject === undefined || hold.subject === facts.subject) &&
      (hold.call === undefined || hold.call === facts.call) &&
      (hold.sinceMs === undefined || facts.atMs >= hold.sinceMs) &&
      (hold.untilMs === undefined || facts.atMs < hold.untilMs),
  );
}

/** The facts of records by their numbers; a finished record has those of its decided one. */
export async function factsOf(db: Db, tenant: string, log: string, fromSeq: number, toSeq: number): Promise<Map<number, HeldFacts>> {
  const rows = await db.query<{ seq: number; subject: string | null; at_ms: number; named: string }>(
    `SELECT r.seq, r.at_ms, coalesce(r.subject, d.subject) AS subject, CASE WHEN coalesce(d.record, '') = '' THEN r.record ELSE d.record END AS named
     FROM audit_record r LEFT JOIN audit_record d
       ON r.kind = 'finished' AND d.tenant = r.tenant AND d.log = r.log AND d.call_id = r.call_id AND d.kind = 'decided'
     WHERE r.tenant = $1 AND r.log = $2 AND r.seq >= $3 AND r.seq <= $4`,
    [tenant, log, fromSeq, toSeq],
  );
  return new Map(rows.map((row) => [row.seq, { ...named(row.named), subject: row.subject, atMs: row.at_ms }]));
}

/** What only a record's text says; nothing where retention took it away. */
function named(text: string): Pick<HeldFacts, 'issuer' | 'call'> {
  const { who, call }: Partial<AuditRecord> = text === '' ? {} : (JSON.parse(text) as AuditRecord);
  return { issuer: who?.issuer ?? null, call: call ?? null };
}
