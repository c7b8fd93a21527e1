import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { consistencyProof, inclusionProof, isConsistent, rootByInclusion, treeRoot } from './tree-proof.ts';
import { openTree } from './tree-reader.ts';
import { hexOf, ofHex, type TreeHash } from './tree.ts';

/** Which log. */
export interface LogName {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
}

/** What shows that a record is in the tree of the first `size` records. Hashes are 64 hex digits. */
export interface InclusionProof {
  readonly seq: number;
  readonly size: number;
  readonly leaf: string;
  readonly proof: readonly string[];
  readonly root: string;
}

/** What shows that the tree of `to` records begins with that of `from`. */
export interface ConsistencyProof {
  readonly from: number;
  readonly to: number;
  readonly proof: readonly string[];
  readonly root: string;
}

/**
 * Proves that record `seq` is among the first `size`. The proof is checked before it is given: with `root`, a checkpoint's, against it.
 * @throws GatewayError `not_found` for numbers that the log has not reached; `audit.unavailable` when the stored tree is not that of `root`
 */
export async function proveInclusion(
  db: Db,
  { tenant, log = 'main' }: LogName,
  seq: number,
  size: number,
  root?: string,
): Promise<InclusionProof> {
  await checkSize(db, tenant, log, size);
  if (seq < 1 || seq > size)
    throw new GatewayError('not_found', `record ${seq} is not among the first ${size}; ask for a later checkpoint`);
  const tree = openTree(db, tenant, log, size);
  const leaf = await tree.leaf(seq - 1);
  const proof = await inclusionProof(seq - 1, size, tree.node);
  const found = rootByInclusion(leaf, seq - 1, size, proof);
  if (found === undefined || (root !== undefined && hexOf(found) !== root)) throw changed(size);
  return { seq, size, leaf: hexOf(leaf), proof: proof.map(hexOf), root: hexOf(found) };
}

/**
 * Proves that the tree of `to` records begins with that of `from`. The proof is checked before it is given.
 * @throws GatewayError as {@link proveInclusion}
 */
export async function proveConsistency(db: Db, { tenant, log = 'main' }: LogName, from: number, to: number): Promise<ConsistencyProof> {
  await checkSize(db, tenant, log, to);
  if (from < 0 || from > to) throw new GatewayError('request.invalid', `\`from\` must be from 0 to ${to}`);
  const tree = openTree(db, tenant, log, to);
  const [before, after] = [await treeRoot(from, tree.node), await treeRoot(to, tree.node)];
  const proof = await consistencyProof(from, to, tree.node);
  if (!isConsistent({ size: from, root: before }, { size: to, root: after }, proof)) throw changed(to);
  return { from, to, proof: proof.map(hexOf), root: hexOf(after) };
}

/** The root that a proof's hashes lead to, or `undefined`. */
export function rootOfProof({ seq, size, leaf, proof }: Omit<InclusionProof, 'root'>): string | undefined {
  const found: TreeHash | undefined = rootByInclusion(ofHex(leaf), seq - 1, size, proof.map(ofHex));
  return found === undefined ? undefined : hexOf(found);
}

async function checkSize(db: Db, tenant: string, log: string, size: number): Promise<void> {
  const sql = 'SELECT tree_size FROM audit_head WHERE tenant = $1 AND log = $2';
  const has = (await db.query<{ tree_size: number }>(sql, [tenant, log]))[0]?.tree_size ?? 0;
  if (!Number.isSafeInteger(size) || size < 1 || size > has)
    throw new GatewayError('not_found', `the log has ${has} records and not ${size}`);
}

function changed(size: number): GatewayError {
  return new GatewayError(
    'audit.unavailable',
    `the stored tree is not the one that was signed at ${size} records; find out what was changed with \`castellan audit verify\``,
  );
}
