import type { Db } from '../model/ports.ts';
import { genesis } from './chain.ts';
import { openCheckpointBook, type StoredCheckpoint } from './checkpoint-book.ts';
import { checkpointLine, endLine, headerLine, openingLine, recordLine } from './export-format.ts';
import { proveConsistency } from './proofs.ts';
import { SealedReader } from './sealed-reader.ts';
import type { KeyRing } from './sealed-keys.ts';
import { treeNodes } from './tree-proof.ts';
import { openTree } from './tree-reader.ts';
import { hexOf } from './tree.ts';

export interface WriteExportOptions {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  /** Default 1. */
  readonly fromSeq?: number;
  /** Default: all that `checkpoint` has. */
  readonly toSeq?: number;
  /** A checkpoint of at least `toSeq` records: the export is proved by it. */
  readonly checkpoint: Pick<StoredCheckpoint, 'size' | 'note'>;
  /** The key name of the checkpoints. */
  readonly origin: string;
  /** Opens the inputs, so that the export has them with what binds them to their records; absent: without inputs. */
  readonly keys?: KeyRing | undefined;
}

interface Row {
  readonly seq: number;
  readonly hash: string;
  readonly record: string;
}

const pageRows = 1_000;

/**
 * Writes a range of a log in the form of `export-format.ts`, page by page: the records, their inputs where keys are given, every checkpoint
 * on the way and the one that proves the end. `verifyExport` checks it with the public key alone.
 * @throws GatewayError `store.unavailable`; `not_found` for numbers that the log has not reached
 */
export async function* writeExport(db: Db, options: WriteExportOptions): AsyncGenerator<string> {
  const { tenant, log = 'main', fromSeq = 1, checkpoint, origin, keys } = options;
  const last = Math.min(options.toSeq ?? checkpoint.size, checkpoint.size);
  const before = fromSeq - 1;
  const tree = openTree(db, tenant, log, checkpoint.size);
  const nodes = (await treeNodes(before, tree.node)).map(hexOf);
  yield headerLine({ tenant, log, first: fromSeq, previous: await hashBefore(db, tenant, log, before), nodes, selection: false, origin });
  const notes = await notesBySize(db, tenant, log, before, last);
  const reader = keys === undefined ? undefined : new SealedReader(db, keys, tenant, log);
  let written = 0;
  for (let at = before; at < last;) {
    const sql =
      'SELECT seq, hash, record FROM audit_record WHERE tenant = $1 AND log = $2 AND seq > $3 AND seq <= $4 ORDER BY seq LIMIT $5';
    const rows = await db.query<Row>(sql, [tenant, log, at, last, pageRows]);
    const end = rows.at(-1);
    if (end === undefined) break; // A tail that was cut: the verifier finds it.
    const inputs = await reader?.open(at + 1, end.seq);
    for (const { seq, hash, record } of rows) {
      yield record === '' ? recordLine({ seq, hash, leaf: hexOf(await tree.leaf(seq - 1)) }) : recordLine({ seq, hash, text: record });
      const input = inputs?.get(seq);
      if (input !== undefined && record !== '')
        yield openingLine({
          seq,
          entry: input.entry,
          salt: input.salt,
          json: input.json,
          ...(input.masked === undefined ? {} : { masked: [...input.masked] }),
        });
      const note = notes.get(seq);
      if (note !== undefined) yield checkpointLine(note);
      written += 1;
    }
    at = end.seq;
  }
  if (!notes.has(last) && last > 0) {
    const { proof } = await proveConsistency(db, { tenant, log }, last, checkpoint.size);
    yield checkpointLine(checkpoint.note, proof);
  }
  yield endLine(written);
}

async function hashBefore(db: Db, tenant: string, log: string, seq: number): Promise<string> {
  if (seq === 0) return genesis(tenant, log).hash;
  const sql = 'SELECT hash FROM audit_record WHERE tenant = $1 AND log = $2 AND seq = $3';
  return (await db.query<{ hash: string }>(sql, [tenant, log, seq]))[0]?.hash ?? genesis(tenant, log).hash;
}

async function notesBySize(db: Db, tenant: string, log: string, afterSize: number, toSize: number): Promise<Map<number, string>> {
  const book = openCheckpointBook(db, tenant, log);
  const notes = new Map<number, string>();
  for (let after = afterSize; ;) {
    const page = await book.list(after, pageRows);
    for (const { size, note } of page) if (size <= toSize) notes.set(size, note);
    const end = page.at(-1);
    if (end === undefined || end.size > toSize) return notes;
    after = end.size;
  }
}
