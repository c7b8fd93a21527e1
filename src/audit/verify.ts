import type { AuditRecord } from '../model/audit-record.ts';
import { GatewayError } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import type { Db } from '../model/ports.ts';
import { chainHash, genesis, type Head } from './chain.ts';
import { columnNames, indexColumns } from './columns.ts';

export type Verification =
  | { readonly ok: true; readonly records: number; readonly headSeq: number; readonly headHash: Digest }
  | { readonly ok: false; readonly at: number; readonly problem: string };

export interface VerifyOptions {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  /** Where to begin; the record before it is then trusted. Default 1. */
  readonly fromSeq?: number;
  /** A head that was noted earlier, outside this database: a log that does not hold it was cut or rewritten. */
  readonly head?: Head;
}

interface Row {
  readonly seq: number;
  readonly hash: string;
  readonly record: string;
  readonly [column: string]: unknown;
}

const pageRows = 500;

/**
 * Reads a log from one end to the other and computes each hash anew. Finds a record that was edited, deleted, inserted, swapped or moved,
 * columns that no longer say what their record says, a tail that was cut without the head, and with `head` one that was cut with it: from the
 * database alone, nobody can tell a log that was cut cleanly from one that is young. Records appended meanwhile do not disturb it.
 * @throws GatewayError `store.unavailable`
 */
export async function verifyAudit(db: Db, options: VerifyOptions): Promise<Verification> {
  const { tenant, log = 'main', fromSeq = 1, head: expected } = options;
  const start = await previousOf(db, tenant, log, fromSeq);
  if (start === undefined) return broken(fromSeq - 1, 'the record before the first one to check is missing');
  const target = (await readHead(db, tenant, log)) ?? genesis(tenant, log);
  let last = start;
  let records = 0;
  while (last.seq < target.seq) {
    const rows = await readPage(db, tenant, log, last.seq, target.seq);
    if (rows.length === 0) return broken(last.seq + 1, `records ${last.seq + 1} to ${target.seq} are missing: the log was cut`);
    for (const row of rows) {
      const problem = problemOf(row, last, tenant) ?? (row.seq === expected?.seq && row.hash !== expected.hash ? rewritten : undefined);
      if (problem !== undefined) return broken(last.seq + 1, problem);
      last = { seq: row.seq, hash: row.hash };
      records += 1;
    }
  }
  if (last.seq !== target.seq || last.hash !== target.hash)
    return broken(target.seq, 'the head does not name the last record: one of them was changed');
  if (await hasBeyondHead(db, tenant, log)) return broken(target.seq + 1, 'there are records after the head: they were inserted');
  if (expected !== undefined && expected.seq > last.seq)
    return broken(last.seq + 1, `the log ends at record ${last.seq}, but its head was once ${expected.seq}: its tail was cut`);
  return { ok: true, records, headSeq: last.seq, headHash: `sha256:${last.hash}` as Digest };
}

/** A head as people note it, `seq:hash`, the hash with or without `sha256:`. @throws GatewayError `request.invalid` */
export function parseHead(text: string): Head {
  const [, seq, hash] = /^(\d{1,15}):(?:sha256:)?([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new GatewayError('request.invalid', `\`${text}\` is no head: give it as \`seq:hash\`, as an earlier \`audit verify\` printed it`);
  return { seq: Number(seq), hash };
}

const rewritten = 'this record is not the one that was the head once: the log was rewritten';

function problemOf(row: Row, last: Head, tenant: string): string | undefined {
  const seq = last.seq + 1;
  if (row.seq !== seq) return `record ${seq} is missing`;
  if (chainHash(last.hash, seq, row.record) !== row.hash)
    return 'its hash does not follow from its text and the record before it: one of them was edited, swapped, inserted or moved';
  const record = parsed(row.record);
  if (record === undefined) return 'its text is no audit record';
  const wanted = indexColumns(record);
  const wrong = columnNames.find((name, index) => row[name] !== wanted[index]);
  if (wrong !== undefined) return `its column \`${wrong}\` does not say what its text says: the column was edited`;
  return record.tenant === tenant ? undefined : 'it belongs to another tenant';
}

function parsed(text: string): AuditRecord | undefined {
  try {
    return JSON.parse(text) as AuditRecord;
  } catch {
    return undefined; // told by the caller as a broken record
  }
}

async function previousOf(db: Db, tenant: string, log: string, fromSeq: number): Promise<Head | undefined> {
  if (fromSeq <= 1) return genesis(tenant, log);
  const sql = 'SELECT seq, hash FROM audit_record WHERE tenant = $1 AND log = $2 AND seq = $3';
  return (await db.query<Head>(sql, [tenant, log, fromSeq - 1]))[0];
}

async function readHead(db: Db, tenant: string, log: string): Promise<Head | undefined> {
  return (await db.query<Head>('SELECT seq, hash FROM audit_head WHERE tenant = $1 AND log = $2', [tenant, log]))[0];
}

function readPage(db: Db, tenant: string, log: string, afterSeq: number, toSeq: number): Promise<Row[]> {
  return db.query<Row>(
    `SELECT seq, hash, record, ${columnNames.join(', ')} FROM audit_record
     WHERE tenant = $1 AND log = $2 AND seq > $3 AND seq <= $4 ORDER BY seq LIMIT $5`,
    [tenant, log, afterSeq, toSeq, pageRows],
  );
}

/** Asks for the last record first: a head that is read after it is never behind it, whoever appends meanwhile. */
async function hasBeyondHead(db: Db, tenant: string, log: string): Promise<boolean> {
  const [last] = await db.query<{ seq: number | null }>('SELECT max(seq) AS seq FROM audit_record WHERE tenant = $1 AND log = $2', [
    tenant,
    log,
  ]);
  return (last?.seq ?? 0) > ((await readHead(db, tenant, log))?.seq ?? 0);
}

function broken(at: number, problem: string): Verification {
  return { ok: false, at, problem };
}
