import { emptyRoot, nodeHash, rootOf, type TreeHash } from './tree.ts';

/** Gives the hash of the complete subtree `index` (from 0) of height `height`: leaves index·2^height to (index + 1)·2^height − 1. */
export type NodeReader = (height: number, index: number) => Promise<TreeHash>;

/** A range of leaves, as complete subtrees from left to right. */
interface Part {
  readonly height: number;
  readonly index: number;
}

/** The root of the tree of the first `size` leaves. */
export async function treeRoot(size: number, read: NodeReader): Promise<TreeHash> {
  return rangeHash(0, size, read);
}

/** The complete subtrees of the tree of the first `size` leaves, largest first. */
export async function treeNodes(size: number, read: NodeReader): Promise<TreeHash[]> {
  return await Promise.all(partsOf(0, size).map((part) => read(part.height, part.index)));
}

/**
 * What shows that leaf `index` (from 0) is in the tree of the first `size` leaves.
 * @see RFC 6962 section 2.1.1
 */
export async function inclusionProof(index: number, size: number, read: NodeReader): Promise<TreeHash[]> {
  const proof: TreeHash[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + halfOf(to - from);
    if (index < middle) {
      proof.unshift(await rangeHash(middle, to, read));
      to = middle;
    } else {
      proof.unshift(await rangeHash(from, middle, read));
      from = middle;
    }
  }
  return proof;
}

/**
 * What shows that the tree of the first `size` leaves begins with that of the first `before`.
 * @see RFC 6962 section 2.1.2
 */
export async function consistencyProof(before: number, size: number, read: NodeReader): Promise<TreeHash[]> {
  if (before === 0 || before === size) return [];
  const proof: TreeHash[] = [];
  let [from, to] = [0, size];
  while (to > before) {
    const middle = from + halfOf(to - from);
    if (before <= middle) {
      proof.unshift(await rangeHash(middle, to, read));
      to = middle;
    } else {
      proof.unshift(await rangeHash(from, middle, read));
      from = middle;
    }
  }
  return from === 0 ? proof : [await rangeHash(from, to, read), ...proof];
}

/** The root that an inclusion proof leads to, or `undefined` where it has another length than such a proof has. @see RFC 9162 section 2.1.3.2 */
export function rootByInclusion(leaf: TreeHash, index: number, size: number, proof: readonly TreeHash[]): TreeHash | undefined {
  if (!(Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size)) return undefined;
  let [at, last] = [index, size - 1];
  let root = leaf;
  for (const step of proof) {
    if (last === 0) return undefined;
    if (at % 2 === 1 || at === last) {
      root = nodeHash(step, root);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      root = nodeHash(root, step);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 ? root : undefined;
}

/** Whether a consistency proof leads from one tree to a later one. @see RFC 9162 section 2.1.4.2 */
export function isConsistent(
  before: { readonly size: number; readonly root: TreeHash },
  after: { readonly size: number; readonly root: TreeHash },
  proof: readonly TreeHash[],
): boolean {
  if (before.size > after.size) return false;
  if (before.size === after.size) return proof.length === 0 && before.root === after.root;
  if (before.size === 0) return proof.length === 0 && before.root === emptyRoot;
  const isPower = Number.isInteger(Math.log2(before.size));
  const [first, ...rest] = isPower ? [before.root, ...proof] : proof;
  if (first === undefined) return false;
  let [at, last] = [before.size - 1, after.size - 1];
  while (at % 2 === 1) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  let [old, now] = [first, first];
  for (const step of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      [old, now] = [nodeHash(step, old), nodeHash(step, now)];
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      now = nodeHash(now, step);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 && old === before.root && now === after.root;
}

/** The largest power of two below `count`, which is 2 or more. */
function halfOf(count: number): number {
  let half = 1;
  while (half * 2 < count) half *= 2;
  return half;
}

async function rangeHash(from: number, to: number, read: NodeReader): Promise<TreeHash> {
  return rootOf(await Promise.all(partsOf(from, to).map((part) => read(part.height, part.index))));
}

/** The complete subtrees over leaves `from` to `to` − 1, where `from` is where a subtree of that width begins. */
function partsOf(from: number, to: number): Part[] {
  const parts: Part[] = [];
  let at = from;
  while (at < to) {
    let height = 0;
    while (at + 2 ** (height + 1) <= to) height += 1;
    parts.push({ height, index: at / 2 ** height });
    at += 2 ** height;
  }
  return parts;
}
