import type { AuditRecord } from '../model/audit-record.ts';
import type { Db } from '../model/ports.ts';
import { genesis } from './chain.ts';
import { hashText } from './columns.ts';
import { openCheckpointBook, type StoredCheckpoint } from './checkpoint-book.ts';
import { csvHeader, csvLine } from './export-csv.ts';
import { checkpointLine, endLine, headerLine, openingLine, recordLine } from './export-format.ts';
import type { NoteSigner } from './note.ts';
import { matching, stretch, type MatchedRow } from './export-rows.ts';
import type { KeyRing } from './sealed-keys.ts';
import { SealedReader } from './sealed-reader.ts';
import { firstSeqFrom, type AuditFilter, type StoredRecord } from './read.ts';
import type { Digest } from '../model/ids.ts';
import { consistencyProof, inclusionProof, treeNodes } from './tree-proof.ts';
import { openTree, type TreeReader } from './tree-reader.ts';
import { hexOf } from './tree.ts';

/** In which form records go out. */
export type ExportForm = 'jsonl' | 'csv' | 'parquet';

export const exportForms: readonly ExportForm[] = ['jsonl', 'csv', 'parquet'];

/** The media type of a form, for whoever is sent one. */
export const exportTypes: Readonly<Record<ExportForm, string>> = {
  jsonl: 'application/jsonl',
  csv: 'text/csv; charset=utf-8',
  parquet: 'application/vnd.apache.parquet',
};

export interface ExportOptions extends Omit<AuditFilter, 'limit' | 'beforeSeq' | 'afterSeq'> {
  readonly text?: string;
  /** Signs a checkpoint of all that is there, so that the last records are covered too. */
  readonly signer?: NoteSigner | undefined;
  /** Opens inputs, which then stand behind their records (`jsonl` alone); absent: the export is without them. */
  readonly keys?: KeyRing | undefined;
  /** The key name that the header tells, where there is no signer. */
  readonly origin?: string;
}

/**
 * Records as a file, oldest first, up to the last one that is there when it begins. `jsonl` is the form that {@link verifyExport} verifies: without
 * a filter but a time it is a stretch of the log, with its chain and its tree; with one, records that were picked, each with its proof. The
 * times of a stretch are those of its ends: clocks of replicas differ, so a record in the middle may lie outside of them.
 * @throws GatewayError `store.unavailable`
 */
export async function* exportAudit(db: Db, form: ExportForm, options: ExportOptions): AsyncIterable<Uint8Array> {
  if (form === 'jsonl') {
    yield* encoded(jsonLines(db, options));
  } else if (form === 'csv') {
    yield* encoded(csvLines(db, options));
  } else {
    const { parquetChunks } = await import('./export-parquet.ts');
    yield* parquetChunks(storedPages(db, options));
  }
}

async function* encoded(lines: AsyncIterable<string>): AsyncIterable<Uint8Array> {
  const encoder = new TextEncoder();
  for await (const piece of lines) yield encoder.encode(piece);
}

async function* csvLines(db: Db, options: ExportOptions): AsyncIterable<string> {
  yield csvHeader();
  for await (const page of storedPages(db, options)) yield page.map(csvLine).join('');
}

/** Pages of what fits. */
async function* storedPages(db: Db, options: ExportOptions): AsyncIterable<readonly StoredRecord[]> {
  const high = await headSeq(db, options);
  for await (const rows of matching(db, { ...options, ...(await startOf(db, options)), high })) {
    yield rows.map(({ seq, hash, text }): StoredRecord => ({
      seq,
      hash: `sha256:${hash}` as Digest,
      record: JSON.parse(text) as AuditRecord,
    }));
  }
}

async function* jsonLines(db: Db, options: ExportOptions): AsyncIterable<string> {
  const { tenant, log = 'main', signer } = options;
  const book = openCheckpointBook(db, tenant, log);
  const made = signer === undefined ? undefined : await book.make(signer, Date.now());
  const high = await headSeq(db, options);
  const last = made ?? (await book.latest());
  const origin = signer?.name ?? options.origin ?? '';
  if (isPicked(options)) yield* pickedLines(db, options, { high: Math.min(high, last?.size ?? high), checkpoint: last, origin });
  else yield* stretchLines(db, options, { high, book, origin });
}

/** All records of a stretch: each checkpoint of it stands after its last record. */
async function* stretchLines(
  db: Db,
  options: ExportOptions,
  { high: head, book, origin }: { readonly high: number; readonly book: ReturnType<typeof openCheckpointBook>; readonly origin: string },
): AsyncIterable<string> {
  const { tenant, log = 'main', sinceMs, untilMs } = options;
  const first = sinceMs === undefined ? 1 : await firstSeqFrom(db, tenant, log, sinceMs);
  const high = untilMs === undefined ? head : Math.min(head, (await firstSeqFrom(db, tenant, log, untilMs)) - 1);
  const tree = openTree(db, tenant, log, Math.max(head, 1));
  const reader = new Openings(db, options);
  const nodes = first === 1 ? [] : (await treeNodes(first - 1, tree.node)).map(hexOf);
  yield headerLine({ tenant, log, first, previous: await hashBefore(db, tenant, log, first), nodes, selection: false, origin });
  let records = 0;
  let checkpoints = await book.list(first - 1, checkpointPage);
  for await (const rows of stretch(db, tenant, log, first, high)) {
    const lines: string[] = [];
    for (const row of rows) {
      lines.push(await lineOf(row, tree), ...(await reader.of(row)));
      records += 1;
      const [next] = checkpoints;
      if (next?.size !== row.seq) continue;
      lines.push(checkpointLine(next.note));
      checkpoints = checkpoints.length > 1 ? checkpoints.slice(1) : await book.list(row.seq, checkpointPage);
    }
    yield lines.join('');
  }
  // One that was signed later covers the rest, by a proof that it goes on from here.
  const covering = high >= first ? await book.covering(high) : undefined;
  if (covering !== undefined && covering.size > high) {
    const later = openTree(db, tenant, log, covering.size);
    yield checkpointLine(covering.note, (await consistencyProof(high, covering.size, later.node)).map(hexOf));
  }
  yield endLine(records);
}

/** Records that were picked, each with its proof for one checkpoint, which is repeated so that a reader need not keep many. */
async function* pickedLines(
  db: Db,
  options: ExportOptions,
  { high, checkpoint, origin }: { readonly high: number; readonly checkpoint: StoredCheckpoint | undefined; readonly origin: string },
): AsyncIterable<string> {
  const { tenant, log = 'main' } = options;
  yield headerLine({ tenant, log, first: 1, previous: genesis(tenant, log).hash, nodes: [], selection: true, origin });
  const tree = openTree(db, tenant, log, checkpoint?.size ?? 1);
  const reader = new Openings(db, options);
  let records = 0;
  let unproved = 0;
  for await (const rows of matching(db, { ...options, ...(await startOf(db, options)), high })) {
    const lines: string[] = [];
    for (const row of rows) {
      const proof = checkpoint === undefined ? undefined : (await inclusionProof(row.seq - 1, checkpoint.size, tree.node)).map(hexOf);
      lines.push(await lineOf(row, tree, proof), ...(await reader.of(row)));
    }
    records += rows.length;
    unproved += rows.length;
    if (checkpoint !== undefined && unproved >= provedAtOnce) {
      lines.push(checkpointLine(checkpoint.note));
      unproved = 0;
    }
    yield lines.join('');
  }
  if (checkpoint !== undefined && (unproved > 0 || records === 0)) yield checkpointLine(checkpoint.note);
  yield endLine(records);
}

const checkpointPage = 200;
const provedAtOnce = 5_000;

/** The lines that open the inputs of records, which come in order. */
class Openings {
  readonly #reader: SealedReader | undefined;
  #inputs: Awaited<ReturnType<SealedReader['open']>> = new Map();
  #upTo = 0;

  constructor(db: Db, { tenant, log = 'main', keys }: ExportOptions) {
    this.#reader = keys === undefined ? undefined : new SealedReader(db, keys, tenant, log);
  }

  async of({ seq, text }: MatchedRow): Promise<string[]> {
    if (this.#reader === undefined || text === '') return [];
    if (seq > this.#upTo) {
      this.#upTo = seq + openedAtOnce;
      this.#inputs = await this.#reader.open(seq, this.#upTo);
    }
    const input = this.#inputs.get(seq);
    if (input === undefined) return [];
    const { entry, salt, json, masked } = input;
    return [openingLine({ seq, entry, salt, json, ...(masked === undefined ? {} : { masked: [...masked] }) })];
  }
}

const openedAtOnce = 499;

/** The line of a record; where retention took its text away, of the leaf that stands in for it. */
async function lineOf({ seq, hash, text }: MatchedRow, tree: TreeReader, proof?: readonly string[]): Promise<string> {
  const proved = proof === undefined ? {} : { proof };
  return recordLine(text === '' ? { seq, hash, leaf: hexOf(await tree.leaf(seq - 1)), ...proved } : { seq, hash, ...proved, text });
}

/** Whether records are picked by more than their time. */
function isPicked({
  tenant: _tenant,
  log: _log,
  sinceMs: _since,
  untilMs: _until,
  signer: _signer,
  origin: _origin,
  keys: _keys,
  ...filter
}: ExportOptions): boolean {
  return Object.values(filter).some((value: unknown) => value !== undefined && value !== '');
}

/** Times of single records, and where to begin to look for them. */
async function startOf(db: Db, { tenant, log = 'main', sinceMs }: ExportOptions): Promise<{ readonly low: number }> {
  return { low: sinceMs === undefined ? 1 : await firstSeqFrom(db, tenant, log, sinceMs - slackMs) };
}

const slackMs = 120_000;

async function headSeq(db: Db, { tenant, log = 'main' }: ExportOptions): Promise<number> {
  const [head] = await db.query<{ seq: number }>('SELECT seq FROM audit_head WHERE tenant = $1 AND log = $2', [tenant, log]);
  return head?.seq ?? 0;
}

async function hashBefore(db: Db, tenant: string, log: string, seq: number): Promise<string> {
  if (seq === 1) return genesis(tenant, log).hash;
  const sql = `SELECT ${hashText(db.engine)} FROM audit_record WHERE tenant = $1 AND log = $2 AND seq = $3`;
  return (await db.query<{ hash: string }>(sql, [tenant, log, seq - 1]))[0]?.hash ?? genesis(tenant, log).hash;
}
