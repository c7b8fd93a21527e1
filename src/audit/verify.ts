import { GatewayError } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import type { Db } from '../model/ports.ts';
import { genesis, type Head } from './chain.ts';
import { hashText } from './columns.ts';
import type { NoteVerifier } from './note.ts';
import { openTree } from './tree-reader.ts';
import { treeNodes } from './tree-proof.ts';
import { hexOf, rootOf, TreeEdge, type TreeHash } from './tree.ts';
import { tileHeight, tileWidth, unpackHashes } from './tree-tile.ts';
import { Checkpoints } from './verify-checkpoints.ts';
import { finding, type Finding } from './verify-finding.ts';
import { verifyRange, type Range, type RangeResult } from './verify-range.ts';

export type Verification =
  | {
      readonly ok: true;
      readonly records: number;
      readonly headSeq: number;
      readonly headHash: Digest;
      /** Root of the Merkle tree over all of them. */
      readonly root: Digest;
      /** Checkpoints that fit. */
      readonly checkpoints: number;
      /** Whether the signatures of checkpoints were checked. */
      readonly signed: boolean;
      /** Records whose text retention removed. */
      readonly removed: number;
    }
  | ({ readonly ok: false } & Finding);

export interface VerifyOptions {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  /** Where to begin; the record before it is then trusted. Default 1. */
  readonly fromSeq?: number;
  /** A head that was noted earlier, outside this database: a log that does not hold it was cut or rewritten. */
  readonly head?: Head;
  /** Checkpoints from outside this database, as signed notes. */
  readonly notes?: readonly string[];
  /** Keys that checkpoints may be signed with; without any, signatures are not looked at. */
  readonly verifiers?: readonly NoteVerifier[];
  /** Reads and hashes a range, such as in a worker; default: here. */
  readonly scan?: (range: Range) => Promise<RangeResult>;
  /** Ranges that are scanned at a time. Default 1. */
  readonly concurrency?: number;
  readonly onProgress?: (records: number, of: number) => void;
}

interface HeadRow extends Head {
  readonly tree_size: number;
  readonly tree_nodes: string;
}

const rangeRecords = 128 * tileWidth;

/**
 * Reads a log from one end to the other and computes each hash anew, those of the chain and those of the tree. Finds a record that was
 * edited, deleted, inserted, swapped or moved, columns that no longer say what their record says, a tail that was cut without the head, and
 * a log that is not the one that its checkpoints were signed for. From the database alone, nobody can tell a log that was cut or rewritten
 * cleanly together with its checkpoints: that takes `head` or `notes` from outside. Records appended meanwhile do not disturb it.
 * @throws GatewayError `store.unavailable`
 */
export async function verifyAudit(db: Db, options: VerifyOptions): Promise<Verification> {
  const { tenant, log = 'main', head: expected, verifiers = [] } = options;
  const checkpoints = await Checkpoints.load(db, tenant, log, options.notes ?? [], verifiers);
  const target = (await readHead(db, tenant, log)) ?? { ...genesis(tenant, log), tree_size: 0, tree_nodes: '' };
  const first = (options.fromSeq ?? 1) - 1;
  const start = first - (first % tileWidth);
  const before = await hashOf(db, tenant, log, start);
  if (before === undefined) return broken(finding(start, 'deleted', 'the record before the first one to check is missing'));
  const edge = new TreeEdge(start, start === 0 ? [] : await treeNodes(start, openTree(db, tenant, log, target.seq).node));
  let last: Head = { seq: start, hash: before };
  let [records, removed] = [0, 0];
  let rest: readonly TreeHash[] = [];
  const sizes = checkpoints.sizes.filter((size) => size > start);
  for await (const [range, result] of scanAll(db, options, target, start, sizes)) {
    const roots = unpackHashes(result.tiles);
    for (const [size, nodes] of result.marks) {
      while (edge.size + tileWidth <= size) edge.append(roots.shift() as TreeHash, tileHeight);
      const found = checkpoints.compare(size, rootOf([...edge.nodes, ...unpackHashes(nodes)]));
      if (found !== undefined) return broken(found);
    }
    if (result.finding !== undefined) return broken(result.finding);
    if (range.previous !== last.hash) return broken(finding(last.seq, 'hash_changed', 'its hash changed while it was looked at'));
    for (const root of roots) edge.append(root, tileHeight);
    const wrong =
      expected !== undefined &&
      expected.seq > range.afterSeq &&
      expected.seq <= range.toSeq &&
      (await hashOf(db, tenant, log, expected.seq)) !== expected.hash;
    if (wrong) return broken(finding(expected.seq, 'forked', 'this record is not the one that was the head once: the log was rewritten'));
    rest = unpackHashes(result.rest);
    last = { seq: range.toSeq, hash: result.lastHash };
    records += result.records;
    removed += result.removed;
    options.onProgress?.(records, target.seq - start);
  }
  const root = rootOf([...edge.nodes, ...rest]);
  const found =
    checkpoints.problem ??
    (last.hash === target.hash
      ? undefined
      : finding(target.seq, 'hash_changed', 'the head does not name the last record: one of them was changed')) ??
    ((await hasBeyondHead(db, tenant, log))
      ? finding(target.seq + 1, 'inserted', 'there are records after the head: they were inserted')
      : undefined) ??
    (expected === undefined || expected.seq <= last.seq
      ? undefined
      : finding(last.seq + 1, 'tail_cut', `the log ends at record ${last.seq}, but its head was once ${expected.seq}: its tail was cut`)) ??
    checkpoints.beyond(last.seq) ??
    treeProblem(target, [...edge.nodes, ...rest]);
  if (found !== undefined) return broken(found);
  return {
    ok: true,
    records: records - (first - start),
    headSeq: last.seq,
    headHash: `sha256:${last.hash}` as Digest,
    root: `sha256:${hexOf(root)}` as Digest,
    checkpoints: checkpoints.fitting,
    signed: verifiers.length > 0,
    removed,
  };
}

/** A head as people note it, `seq:hash`, the hash with or without `sha256:`. @throws GatewayError `request.invalid` */
export function parseHead(text: string): Head {
  const [, seq, hash] = /^(\d{1,15}):(?:sha256:)?([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new GatewayError('request.invalid', `\`${text}\` is no head: give it as \`seq:hash\`, as an earlier \`audit verify\` printed it`);
  return { seq: Number(seq), hash };
}

/** The ranges of a log with their results, in order; a few are scanned ahead. */
async function* scanAll(
  db: Db,
  { tenant, log = 'main', scan = (range) => verifyRange(db, range), concurrency = 1 }: VerifyOptions,
  target: HeadRow,
  start: number,
  sizes: readonly number[],
): AsyncGenerator<readonly [Range, RangeResult]> {
  const ahead: Promise<readonly [Range, RangeResult]>[] = [];
  const begin = async (afterSeq: number): Promise<readonly [Range, RangeResult]> => {
    const toSeq = Math.min(afterSeq + rangeRecords, target.seq);
    // A gap here is found by the range before it.
    const previous = (await hashOf(db, tenant, log, afterSeq)) ?? '';
    const within = sizes.filter((size) => size > afterSeq && size <= toSeq);
    const range = { tenant, log, afterSeq, toSeq, previous, treeSize: target.tree_size, sizes: within };
    return [range, await scan(range)];
  };
  try {
    for (let at = start; at < target.seq || ahead.length > 0;) {
      for (; at < target.seq && ahead.length < concurrency; at += rangeRecords) ahead.push(begin(at));
      const next = ahead.shift();
      if (next !== undefined) yield await next;
    }
  } finally {
    await Promise.allSettled(ahead);
  }
}

function treeProblem({ seq, tree_size: size, tree_nodes: stored }: HeadRow, nodes: readonly TreeHash[]): Finding | undefined {
  // A log that another version of the program writes to is caught up at the next group.
  if (size !== seq || nodes.map(hexOf).join('') === stored) return undefined;
  return finding(seq, 'tree_changed', 'the tree beside the head is not that of the records: it was changed');
}

/** The hash of a record, or what stands before the first; `undefined` where it is not there. */
async function hashOf(db: Db, tenant: string, log: string, seq: number): Promise<string | undefined> {
  if (seq === 0) return genesis(tenant, log).hash;
  const sql = `SELECT ${hashText(db.engine)} FROM audit_record WHERE tenant = $1 AND log = $2 AND seq = $3`;
  return (await db.query<{ hash: string }>(sql, [tenant, log, seq]))[0]?.hash;
}

async function readHead(db: Db, tenant: string, log: string): Promise<HeadRow | undefined> {
  const sql = 'SELECT seq, hash, tree_size, tree_nodes FROM audit_head WHERE tenant = $1 AND log = $2';
  return (await db.query<HeadRow>(sql, [tenant, log]))[0];
}

/** Asks for the last record first: a head that is read after it is never behind it, whoever appends meanwhile. */
async function hasBeyondHead(db: Db, tenant: string, log: string): Promise<boolean> {
  const sql = 'SELECT max(seq) AS seq FROM audit_record WHERE tenant = $1 AND log = $2';
  const [last] = await db.query<{ seq: number | null }>(sql, [tenant, log]);
  return (last?.seq ?? 0) > ((await readHead(db, tenant, log))?.seq ?? 0);
}

function broken(found: Finding): Verification {
  return { ok: false, ...found };
}
