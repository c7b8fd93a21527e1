import type { Db } from '../model/ports.ts';
import { hexText } from './columns.ts';
import { eraseDays } from './erase.ts';
import { forgetTerms } from './forget-terms.ts';
import { factsOf, isHeld, listHolds, type Hold } from './holds.ts';
import { firstSeqFrom } from './read.ts';
import type { KeyRing } from './sealed-keys.ts';
import { dayOf } from './sealed-writer.ts';
import { tileWidth } from './tree-tile.ts';

/** Kinds of records that are kept for a time of their own. */
export const recordClasses = ['calls', 'lists', 'refused', 'admin'] as const;
export type RecordClass = (typeof recordClasses)[number];

export interface RetentionOptions {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  readonly inputDays: number;
  /** A class that is not named is kept for ever. */
  readonly recordDays: Readonly<Partial<Record<RecordClass, number>>>;
  readonly nowMs: number;
}

/** What one round took away. */
export interface Expired {
  readonly days: readonly string[];
  readonly records: number;
}

const dayMs = 86_400_000;
const pageRows = 1_000;
const updateRows = 250;
// Records stand in the order of their commit, and clocks of replicas differ.
const slackMs = 120_000;
const kindsOf: Readonly<Record<RecordClass, string>> = {
  calls: "('decided', 'finished')",
  lists: "('decided', 'finished')",
  refused: "('refused')",
  admin: "('admin', 'system')",
};

/**
 * One round of retention: destroys the keys of days whose inputs are too old, deletes sealed rows that nothing opens any more, and takes the
 * text of records away that are too old for their class. Place and hash of a record stay: chain and tree verify as before. What a hold covers
 * stays. One process at a time, holding the lease `audit-expiry`, without which the database refuses the last of the three.
 * @throws GatewayError `store.unavailable`
 */
export async function expire(db: Db, ring: KeyRing | undefined, options: RetentionOptions): Promise<Expired> {
  const { tenant, log = 'main', inputDays, nowMs } = options;
  const untilDay = dayOf(new Date(nowMs - (inputDays + 1) * dayMs).toISOString());
  const erased = await eraseDays(db, ring, { tenant, log, fromDay: '0000-01-01', untilDay, why: 'expired', nowMs });
  await dropUnopenable(db, tenant, log);
  const holds = await listHolds(db, tenant);
  let records = 0;
  for (const name of recordClasses) {
    const days = options.recordDays[name];
    if (days !== undefined) records += await emptyRecords(db, { tenant, log, name, beforeMs: nowMs - days * dayMs }, holds);
  }
  return { days: erased.map(({ day }) => day), records };
}

/** The rows of days whose key is gone, a few at a time. */
async function dropUnopenable(db: Db, tenant: string, log: string): Promise<void> {
  for (;;) {
    const rows = await db.query<{ first_seq: number; day: string }>(
      `SELECT i.first_seq, i.day FROM audit_window w JOIN audit_input i ON i.tenant = w.tenant AND i.log = w.log AND i.day = w.day AND i.first_seq >= w.first_seq
       WHERE w.tenant = $1 AND w.log = $2 AND w.wrapped_key IS NULL AND w.purged = 0 LIMIT $3`,
      [tenant, log, pageRows],
    );
    for (const { first_seq: firstSeq, day } of rows)
      await db.query('DELETE FROM audit_input WHERE tenant = $1 AND log = $2 AND first_seq = $3 AND day = $4', [
        tenant,
        log,
        firstSeq,
        day,
      ]);
    if (rows.length < pageRows) break;
  }
  await db.query('UPDATE audit_window SET purged = 1 WHERE tenant = $1 AND log = $2 AND wrapped_key IS NULL AND purged = 0', [tenant, log]);
}

interface Expiring {
  readonly tenant: string;
  readonly log: string;
  readonly name: RecordClass;
  readonly beforeMs: number;
}

async function emptyRecords(db: Db, { tenant, log, name, beforeMs }: Expiring, holds: readonly Hold[]): Promise<number> {
  const end = Math.min(await firstSeqFrom(db, tenant, log, beforeMs - slackMs), await firstOutsideTree(db, tenant, log));
  const [known] = await db.query<{ through_seq: number }>(
    'SELECT through_seq FROM audit_expiry WHERE tenant = $1 AND log = $2 AND class = $3',
    [tenant, log, name],
  );
  let after = known?.through_seq ?? 0;
  let emptied = 0;
  for (;;) {
    const rows = await db.query<{ seq: number; method: string | null; call_id: string | null; kind: string; at_ms: number }>(
      `SELECT seq, method, ${hexText(db.engine, 'call_id')} AS call_id, kind, at_ms FROM audit_record WHERE tenant = $1 AND log = $2 AND seq > $3 AND seq < $4
       AND kind IN ${kindsOf[name]} AND record <> '' ORDER BY seq LIMIT $5`,
      [tenant, log, after, end, pageRows],
    );
    const [first] = rows;
    const last = rows.at(-1);
    if (first === undefined || last === undefined) break;
    const facts = holds.length === 0 ? undefined : await factsOf(db, tenant, log, first.seq, last.seq);
    const lists = name === 'calls' || name === 'lists' ? await listCalls(db, tenant, log, first.seq, last.seq) : undefined;
    const gone = rows.filter(({ seq, call_id: call, at_ms: atMs }) => {
      const isList = call !== null && lists?.has(call) === true;
      const one = facts?.get(seq);
      return atMs < beforeMs && (lists === undefined || isList === (name === 'lists')) && !(one !== undefined && isHeld(holds, one));
    });
    for (let at = 0; at < gone.length; at += updateRows)
      await emptyRows(
        db,
        tenant,
        log,
        gone.slice(at, at + updateRows).map(({ seq }) => seq),
      );
    emptied += gone.length;
    const [firstGone] = gone;
    if (firstGone !== undefined) await forgetTerms(db, tenant, log, firstGone.seq, last.seq);
    after = last.seq;
    if (rows.length < pageRows) break;
  }
  await db.query(
    `INSERT INTO audit_expiry (tenant, log, class, through_seq) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant, log, class) DO UPDATE SET through_seq = excluded.through_seq`,
    [tenant, log, name, Math.max(after, end - 1, 0)],
  );
  return emptied;
}

/** A record's leaf stands in for its text once its tile is complete, and not before. */
async function firstOutsideTree(db: Db, tenant: string, log: string): Promise<number> {
  const [head] = await db.query<{ tree_size: number }>('SELECT tree_size FROM audit_head WHERE tenant = $1 AND log = $2', [tenant, log]);
  const size = head?.tree_size ?? 0;
  return size - (size % tileWidth) + 1;
}

/** The calls of these records that were lists. A finished record does not say so itself. */
async function listCalls(db: Db, tenant: string, log: string, fromSeq: number, toSeq: number): Promise<Set<string>> {
  const rows = await db.query<{ call_id: string | null }>(
    `SELECT DISTINCT ${hexText(db.engine, 'd.call_id')} AS call_id FROM audit_record r JOIN audit_record d
       ON d.tenant = r.tenant AND d.log = r.log AND d.call_id = r.call_id AND d.kind = 'decided'
     WHERE r.tenant = $1 AND r.log = $2 AND r.seq >= $3 AND r.seq <= $4 AND r.kind IN ('decided', 'finished') AND d.method LIKE '%/list'`,
    [tenant, log, fromSeq, toSeq],
  );
  return new Set(rows.flatMap((row) => row.call_id ?? []));
}

async function emptyRows(db: Db, tenant: string, log: string, seqs: readonly number[]): Promise<void> {
  await db.query(
    `UPDATE audit_record SET record = '', call_id = NULL, subject = NULL, method = NULL, effect = NULL
     WHERE tenant = $1 AND log = $2 AND seq IN (${seqs.map((_, index) => `$${index + 3}`).join(', ')})`,
    [tenant, log, ...seqs],
  );
}
