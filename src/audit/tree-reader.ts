import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import type { TreeHash } from './tree.ts';
import type { NodeReader } from './tree-proof.ts';
import { subtreeHash, tileHeight, tileWidth, unpackTile } from './tree-tile.ts';
import { readLeaves } from './tree-writer.ts';

/** Nodes of the tree of a tenant's log. */
export interface TreeReader {
  readonly node: NodeReader;
  /** The hash of leaf `index`, from 0. */
  leaf(index: number): Promise<TreeHash>;
}

/**
 * Reads nodes from the stored tiles, each tile once: a proof in a log of 10 million records takes some seven reads. Leaves of the last,
 * incomplete tile are hashed from their records. `size` is a size that the log has reached.
 */
export function openTree(db: Db, tenant: string, log: string, size: number): TreeReader {
  const tiles = new Map<string, Promise<readonly TreeHash[]>>();
  const tile = (level: number, index: number): Promise<readonly TreeHash[]> => {
    const key = `${level}/${index}`;
    let found = tiles.get(key);
    if (found === undefined) tiles.set(key, (found = readTile(db, tenant, log, level, index, size)));
    return found;
  };
  const node: NodeReader = async (height, index) => {
    const level = Math.floor(height / tileHeight);
    const width = 2 ** (height - level * tileHeight);
    const first = index * width;
    const hashes = await tile(level, Math.floor(first / tileWidth));
    const part = hashes.slice(first % tileWidth, (first % tileWidth) + width);
    if (part.length !== width) throw missing(level, Math.floor(first / tileWidth));
    return subtreeHash(part);
  };
  return { node, leaf: (index) => node(0, index) };
}

/** The leaf hashes of a whole tile as they are stored, or `undefined` where the tile is not there. */
async function storedTile(db: Db, tenant: string, log: string, level: number, index: number): Promise<TreeHash[] | undefined> {
  const [row] = await db.query<{ hashes: Uint8Array }>(
    'SELECT hashes FROM audit_tile WHERE tenant = $1 AND log = $2 AND level = $3 AND idx = $4',
    [tenant, log, level, index],
  );
  return row && unpackTile(row.hashes);
}

async function readTile(db: Db, tenant: string, log: string, level: number, index: number, size: number): Promise<readonly TreeHash[]> {
  const from = index * tileWidth;
  if (level === 0 && from + tileWidth > size) {
    // It may have become complete since, and then its texts may be gone.
    return (await storedTile(db, tenant, log, 0, index)) ?? (await readLeaves(db, tenant, log, from, size));
  }
  const stored = await storedTile(db, tenant, log, level, index);
  if (stored === undefined) throw missing(level, index);
  return stored;
}

function missing(level: number, index: number): GatewayError {
  return new GatewayError(
    'audit.unavailable',
    `tile ${index} of level ${level} of the audit log's tree is missing; find out what else is with \`castellan audit verify\``,
  );
}
