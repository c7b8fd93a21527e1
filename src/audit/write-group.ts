import type { AuditRecord } from '../model/audit-record.ts';
import type { Db, SqlValue } from '../model/ports.ts';
import { chainHash, genesis, type Head } from './chain.ts';
import { columnNames, hashText, indexColumns } from './columns.ts';
import { dayOf, type HandedInput, type PlacedInput, type SealedWriter } from './sealed-writer.ts';
import { termsOf } from './segment-terms.ts';
import { treesOf } from './tree-writer.ts';

const names = ['tenant', 'log', 'seq', 'hash', ...columnNames, 'record'];
const insertSql = `INSERT INTO audit_record (${names.join(', ')}) VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')})`;
const updateHeadSql = 'UPDATE audit_head SET seq = $1, hash = $2, tree_size = $3, tree_nodes = $4 WHERE tenant = $5 AND log = $6';

/** One record of a group: its JSON text, and whether it may already be in the log because an earlier group's fate is unknown. */
export interface GroupRecord {
  readonly text: string;
  readonly again: boolean;
  /** What is sealed with it; the text then leaves the input's digest empty, and it is put in here. */
  readonly input?: HandedInput | undefined;
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
export function writeGroup(
  db: Db,
  log: string,
  group: readonly GroupRecord[],
  known: ReadonlyMap<string, Head>,
  sealer?: SealedWriter,
): Promise<Written> {
  const records: (GroupRecord & { readonly record: AuditRecord })[] = [];
  for (const { text: given, again, input } of group) {
    const text = input === undefined || sealer === undefined ? given : withDigest(given, sealer.commit(input));
    records.push({ text, again, input, record: JSON.parse(text) as AuditRecord });
  }
  // One order for all processes: two that lock the same heads then never wait for each other in a ring.
  const tenants = [...new Set(records.map(({ record }) => record.tenant))].sort();
  const terms = termsOf(known);
  const trees = treesOf(known, log);
  const write = db.tx(async (tx) => {
    const heads = new Map<string, Head>();
    for (const tenant of tenants) heads.set(tenant, await lockHead(tx, tenant, log));
    const places: Head[] = [];
    const rows: SqlValue[][] = [];
    const inputs: PlacedInput[] = [];
    const fresh = new Map<string, string[]>();
    for (const { text, again, input, record } of records) {
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
      rows.push([tenant, log, seq, Buffer.from(next.hash, 'hex'), ...indexColumns(record), text]);
      terms.note(tenant, log, seq, record);
      heads.set(tenant, next);
      places.push(next);
      const texts = fresh.get(tenant);
      if (texts === undefined) fresh.set(tenant, [text]);
      else texts.push(text);
      if (input !== undefined) inputs.push({ tenant, day: dayOf(record.at), seq, call: record.call ?? '', input });
    }
    await tx.insert(insertSql, rows);
    await sealer?.write(tx, inputs);
    await terms.write(tx);
    for (const [tenant, { seq, hash }] of heads) {
      const texts = fresh.get(tenant);
      if (texts === undefined) continue;
      const tree = await trees.append(tx, tenant, seq - texts.length + 1, texts);
      await tx.query(updateHeadSql, [seq, hash, ...tree, tenant, log]);
    }
    return { places, heads };
  });
  // Only what is durable may be referred to by what is sealed later.
  void write.then(
    () => sealer?.committed(),
    () => sealer?.failed(),
  );
  return write.catch((error: unknown) => {
    terms.forget();
    trees.forget();
    throw error;
  });
}

/** The record with the digest of its input; of text from outside no quotation mark stands there without a backslash. */
function withDigest(text: string, digest: string): string {
  return text.replace('"input_digest":""', `"input_digest":"${digest}"`);
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
  const sql = `SELECT seq, ${hashText(tx.engine)} FROM audit_record WHERE tenant = $1 AND log = $2 AND seq > $3 AND record = $4 LIMIT 1`;
  return (await tx.query<Head>(sql, [tenant, log, afterSeq, text]))[0];
}
