import type { Db } from '../model/ports.ts';
import { signCheckpoint } from './checkpoint.ts';
import type { NoteSigner } from './note.ts';
import { edgeOf } from './tree-writer.ts';
import { hexOf } from './tree.ts';

/** A checkpoint as it is stored. */
export interface StoredCheckpoint {
  readonly size: number;
  /** 64 hex digits. */
  readonly root: string;
  readonly atMs: number;
  readonly note: string;
}

/** The checkpoints of a tenant's log. All methods: @throws GatewayError `store.unavailable` */
export interface CheckpointBook {
  latest(): Promise<StoredCheckpoint | undefined>;
  /** The first one that covers so many records. */
  covering(size: number): Promise<StoredCheckpoint | undefined>;
  /** In the order of their sizes, beyond `afterSize`. */
  list(afterSize: number, limit: number): Promise<StoredCheckpoint[]>;
  /** Signs the tree as it is now and keeps that; gives the one there is where nothing was added since. Of an empty log there is none. */
  make(signer: NoteSigner, nowMs: number): Promise<StoredCheckpoint | undefined>;
  /** How many records the log has now. */
  size(): Promise<number>;
}

interface Row {
  readonly size: number;
  readonly root: string;
  readonly at_ms: number;
  readonly note: string;
}

/** The checkpoints of one log of a tenant, which replicas share. */
export function openCheckpointBook(db: Db, tenant: string, log = 'main'): CheckpointBook {
  const find = async (more: string, values: readonly number[]): Promise<StoredCheckpoint[]> => {
    const sql = `SELECT size, root, at_ms, note FROM audit_checkpoint WHERE tenant = $1 AND log = $2 ${more}`;
    const rows = await db.query<Row>(sql, [tenant, log, ...values]);
    return rows.map(({ size, root, at_ms: atMs, note }) => ({ size, root, atMs, note }));
  };
  const exactly = async (size: number): Promise<StoredCheckpoint | undefined> => (await find('AND size = $3', [size]))[0];
  const head = async (): Promise<{ tree_size: number; tree_nodes: string } | undefined> =>
    (
      await db.query<{ tree_size: number; tree_nodes: string }>(
        'SELECT tree_size, tree_nodes FROM audit_head WHERE tenant = $1 AND log = $2',
        [tenant, log],
      )
    )[0];
  return {
    latest: async () => (await find('ORDER BY size DESC LIMIT 1', []))[0],
    covering: async (size) => (await find('AND size >= $3 ORDER BY size LIMIT 1', [size]))[0],
    list: (afterSize, limit) => find('AND size > $3 ORDER BY size LIMIT $4', [afterSize, limit]),
    size: async () => (await head())?.tree_size ?? 0,
    make: async (signer, nowMs) => {
      const edge = edgeOf(await head());
      if (edge.size === 0) return undefined;
      const root = edge.root();
      const known = await exactly(edge.size);
      if (known !== undefined) return known;
      await db.query(
        `INSERT INTO audit_checkpoint (tenant, log, size, root, at_ms, note) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant, log, size) DO NOTHING`,
        [tenant, log, edge.size, hexOf(root), nowMs, signCheckpoint(signer, edge.size, root)],
      );
      return exactly(edge.size);
    },
  };
}
