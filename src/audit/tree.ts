import { hash } from 'node:crypto';

/**
 * A hash of the tree: 32 bytes as a string of 32 characters, one for each byte (`latin1`). Measured: hashing a node takes a quarter of the
 * time that it takes with buffers.
 */
export type TreeHash = string & { readonly tree: true };

export const hashBytes = 32;

/** SHA-256 over 0x00 and the record's JSON text in UTF-8. @see RFC 6962 section 2.1 */
export function leafHash(recordText: string): TreeHash {
  return hash('sha256', `\x00${recordText}`, 'binary') as TreeHash;
}

/** SHA-256 over 0x01 and both children. @see RFC 6962 section 2.1 */
export function nodeHash(left: TreeHash, right: TreeHash): TreeHash {
  return hash('sha256', Buffer.from(`\x01${left}${right}`, 'latin1'), 'binary') as TreeHash;
}

/** The root of the tree that has no leaf. */
export const emptyRoot = hash('sha256', '', 'binary') as TreeHash;

/** Told of each subtree that an append completed: its height, its hash and the tree's size then. */
export type Completed = (height: number, hashed: TreeHash, size: number) => void;

/**
 * A tree by the hashes of its complete subtrees, largest first: as many as its size has bits set. It is all that appending needs, whatever
 * the size. @see RFC 6962 section 2.1
 */
export class TreeEdge {
  readonly #nodes: TreeHash[];
  #size: number;

  constructor(size = 0, nodes: readonly TreeHash[] = []) {
    this.#size = size;
    this.#nodes = [...nodes];
  }

  get size(): number {
    return this.#size;
  }

  get nodes(): readonly TreeHash[] {
    return this.#nodes;
  }

  /** Adds a leaf; with `height` a complete subtree of 2^height leaves, and the size must be a multiple of that. */
  append(hashed: TreeHash, height = 0, completed?: Completed): void {
    let node = hashed;
    let at = height;
    let rest = this.#size / 2 ** height;
    this.#size += 2 ** height;
    for (; rest % 2 === 1; rest = (rest - 1) / 2) {
      node = nodeHash(this.#nodes.pop() ?? emptyRoot, node);
      at += 1;
      completed?.(at, node, this.#size);
    }
    this.#nodes.push(node);
  }

  root(): TreeHash {
    return rootOf(this.#nodes);
  }
}

/** The root over complete subtrees, largest first. */
export function rootOf(nodes: readonly TreeHash[]): TreeHash {
  return (
    nodes.reduceRight<TreeHash | undefined>((right, left) => (right === undefined ? left : nodeHash(left, right)), undefined) ?? emptyRoot
  );
}

/** How many complete subtrees a tree of this size has. */
export function nodeCount(size: number): number {
  return BigInt(size).toString(2).replaceAll('0', '').length;
}

/** A hash as 64 hex digits. */
export function hexOf(hashed: TreeHash): string {
  return Buffer.from(hashed, 'latin1').toString('hex');
}

/** A hash of its 64 hex digits. */
export function ofHex(digits: string): TreeHash {
  return Buffer.from(digits, 'hex').toString('binary') as TreeHash;
}
