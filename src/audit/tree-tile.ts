import { nodeHash, hashBytes, type TreeHash } from './tree.ts';

/** Height of a tile: it holds 256 hashes, and the tile above has one hash for each complete tile. @see https://c2sp.org/tlog-tiles */
export const tileHeight = 8;
export const tileWidth = 256;

/** The hashes of a tile, one after the other. */
export function packTile(hashes: readonly TreeHash[]): Uint8Array {
  return Buffer.from(hashes.join(''), 'latin1');
}

/** The hashes that {@link packTile} put together; bytes that make no whole hash at the end are left out. */
export function unpackTile(bytes: Uint8Array): TreeHash[] {
  return unpackHashes(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'));
}

/** The hashes of which `text` is made, one after the other. */
export function unpackHashes(text: string): TreeHash[] {
  return Array.from(
    { length: Math.floor(text.length / hashBytes) },
    (_, at) => text.slice(at * hashBytes, (at + 1) * hashBytes) as TreeHash,
  );
}

/** The hash of the subtree over 2^height hashes, which stand next to each other. */
export function subtreeHash(hashes: readonly TreeHash[]): TreeHash {
  let level = hashes;
  while (level.length > 1) {
    const above: TreeHash[] = [];
    for (let at = 0; at < level.length; at += 2) above.push(nodeHash(level[at] as TreeHash, level[at + 1] as TreeHash));
    level = above;
  }
  return level[0] as TreeHash;
}
