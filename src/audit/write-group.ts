import type { AuditRecord } from '../model/audit-record.ts';
import type { Db, SqlValue } from '../model/ports.ts';
import { chainHash, genesis, type Head } from './chain.ts';
import { columnNames, indexColumns } from './columns.ts';
import { termsOf } from './segment-terms.ts';

const names = ['tenant', 'log', 'seq', 'hash', ...columnNames, 'record'];
const insertSql = `INSERT INTO audit_record (${names.join(', ')}) VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')})`;
const rowsPerInsert = 16;
const insertManySql = manyRows(rowsPerInsert);

/** One record of a group: its JSON text, and whether it may already be in the log because an earlier group's fate is unknown. */
export interface GroupRecord {
  readonly text: string;
  readonly again: boolean;
}

/** What a group came to: each record's place in the order given, and where each tenant's chain now ends. */
export interface Written {
  readonly places: readonly Head[];
  readonly heads: ReadonlyMap<string, Head>;
}

/** A record that may be in the log already was sent within so many records of the head. */
const maxLookBack = 100_000;

/**
 * Writes a group in one transaction: chains each record to its tenant's head, which is locked until the commit, so that several processes
 * share one chain. A record marked `again` that is in the log after `known`'s head is not written twice.
 * @throws GatewayError `store.unavailable`; whether the group is durable is then unknown
 */
export function writeGroup(db: Db, log: string, group: readonly GroupRecord[], known: ReadonlyMap<string, Head>): Promise<Written> {
  const records = group.map(({ text, again }) => ({ text, again, record: JSON.parse(text) as AuditRecord }));
  // One order for all processes: two that lock the same heads then never wait for each other in a ring.
  const tenants = [...new Set(records.map(({ record }) => record.tenant))].sort();
  const terms = termsOf(known);
  const write = db.tx(async (tx) => {
    const heads = new Map<string, Head>();
    for (const tenant of tenants) heads.set(tenant, await lockHead(tx, tenant, log));
    const places: Head[] = [];
    const rows: SqlValue[][] = [];
    for (const { text, again, record } of records) {
      const { tenant } = record;
      const head = heads.get(tenant) ?? genesis(tenant, log);
      const afterSeq = again ? Math.max(known.get(tenant)?.seq ?? 0, head.seq - maxLookBack) : 0;
      const found = again ? await findAgain(tx, tenant, log, text, afterSeq) : undefined;
      if (found !== undefined) {
        places.push(found);
        continue;
      }
      const seq = head.seq + 1;
      const next = { seq, hash: chainHash(head.hash, seq, text) };
      rows.push([tenant, log, seq, next.hash, ...indexColumns(record), text]);
      terms.note(tenant, log, seq, record);
      heads.set(tenant, next);
      places.push(next);
    }
    await insert(tx, rows);
    await terms.write(tx);
    for (const [tenant, { seq, hash }] of heads)
      await tx.query('UPDATE audit_head SET seq = $1, hash = $2 WHERE tenant = $3 AND log = $4', [seq, hash, tenant, log]);
    return { places, heads };
  });
  return write.catch((error: unknown) => {
    terms.forget();
    throw error;
  });
}

async function lockHead(tx: Db, tenant: string, log: string): Promise<Head> {
  // SQLite's transaction holds the whole database's write lock already.
  const sql = `SELECT seq, hash FROM audit_head WHERE tenant = $1 AND log = $2${tx.engine === 'postgres' ? ' FOR UPDATE' : ''}`;
  const known = (await tx.query<Head>(sql, [tenant, log]))[0];
  if (known !== undefined) return known;
  const first = genesis(tenant, log);
  const values = [tenant, log, first.seq, first.hash];
  await tx.query('INSERT INTO audit_head (tenant, log, seq, hash) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, log) DO NOTHING', values);
  // Asked again: another process may have made it in between, and then gone on.
  return (await tx.query<Head>(sql, [tenant, log]))[0] ?? first;
}

async function findAgain(tx: Db, tenant: string, log: string, text: string, afterSeq: number): Promise<Head | undefined> {
  const sql = 'SELECT seq, hash FROM audit_record WHERE tenant = $1 AND log = $2 AND seq > $3 AND record = $4 LIMIT 1';
  return (await tx.query<Head>(sql, [tenant, log, afterSeq, text]))[0];
}

async function insert(tx: Db, rows: readonly SqlValue[][]): Promise<void> {
  // PostgreSQL pays for each round trip, SQLite (in this thread) for each bound value: measured, one row a statement is SQLite's best.
  let next = 0;
  if (tx.engine === 'postgres')
    for (; rows.length - next >= rowsPerInsert; next += rowsPerInsert)
      await tx.query(insertManySql, rows.slice(next, next + rowsPerInsert).flat());
  for (const row of rows.slice(next)) await tx.query(insertSql, row);
}

function manyRows(count: number): string {
  const row = (at: number): string => `(${names.map((_, index) => `$${at * names.length + index + 1}`).join(', ')})`;
  return `INSERT INTO audit_record (${names.join(', ')}) VALUES ${Array.from({ length: count }, (_, at) => row(at)).join(', ')}`;
}
