import { GatewayError } from '../model/errors.ts';
import type { Db, SqlValue } from '../model/ports.ts';
import { hexOf, leafHash, nodeCount, ofHex, TreeEdge, type TreeHash } from './tree.ts';
import { packTile, tileHeight, tileWidth, unpackTile } from './tree-tile.ts';

/** A tenant's tree, and the leaves of its last, incomplete tile as far as this process knows them: the latest ones. */
interface Known {
  readonly edge: TreeEdge;
  readonly leaves: TreeHash[];
}

interface Row {
  readonly tree_size: number;
  readonly tree_nodes: string;
}

/** Texts that are read at once where a tree is behind its log. */
const pageRecords = 1_024;

/**
 * Grows the Merkle trees of one log's tenants with the records as they are written: 0.4 µs of hashing a record beside its leaf's, and one
 * row for each 256. What it knows follows commits: {@link TreeWriter.forget} when one failed.
 */
export class TreeWriter {
  readonly #log: string;
  readonly #known = new Map<string, Known>();

  constructor(log: string) {
    this.#log = log;
  }

  /**
   * Adds records `firstSeq`, `firstSeq` + 1, … of a tenant, whose head `tx` has locked; gives the tree's new size and nodes, which belong
   * beside the head. A tree that is behind (another version of the program wrote records) is caught up first.
   */
  async append(tx: Db, tenant: string, firstSeq: number, texts: readonly string[]): Promise<readonly [size: number, nodes: string]> {
    let known = this.#known.get(tenant);
    if (known?.edge.size !== firstSeq - 1) {
      known = await this.#load(tx, tenant);
      this.#known.set(tenant, known);
      await this.#catchUp(tx, tenant, known, firstSeq - 1);
    }
    await this.#add(tx, tenant, known, texts.map(leafHash));
    return [known.edge.size, known.edge.nodes.map(hexOf).join('')];
  }

  /** A transaction failed: what was appended in it may not be there. */
  forget(): void {
    this.#known.clear();
  }

  async #load(tx: Db, tenant: string): Promise<Known> {
    const sql = 'SELECT tree_size, tree_nodes FROM audit_head WHERE tenant = $1 AND log = $2';
    const [row] = await tx.query<Row>(sql, [tenant, this.#log]);
    return { edge: edgeOf(row), leaves: [] };
  }

  async #catchUp(tx: Db, tenant: string, known: Known, toSize: number): Promise<void> {
    while (known.edge.size < toSize) {
      const to = Math.min(toSize, known.edge.size + pageRecords);
      await this.#add(tx, tenant, known, await readLeaves(tx, tenant, this.#log, known.edge.size, to));
    }
  }

  async #add(tx: Db, tenant: string, { edge, leaves }: Known, hashes: readonly TreeHash[]): Promise<void> {
    const full: { readonly level: number; readonly index: number; readonly hash: TreeHash }[] = [];
    for (const hashed of hashes) {
      leaves.push(hashed);
      edge.append(hashed, 0, (height, hash, size) => {
        if (height % tileHeight === 0) full.push({ level: height / tileHeight, index: size / 2 ** height - 1, hash });
      });
      if (edge.size % tileWidth === 0) await this.#writeTile(tx, tenant, edge.size / tileWidth - 1, leaves);
    }
    for (const { level, index, hash } of full) await this.#addAbove(tx, tenant, level, index, hash);
  }

  async #writeTile(tx: Db, tenant: string, index: number, leaves: TreeHash[]): Promise<void> {
    const missing = tileWidth - leaves.length;
    const from = index * tileWidth;
    const before = missing === 0 ? [] : await findLeaves(tx, tenant, this.#log, from, from + missing);
    const tile = [...(before ?? []), ...leaves.splice(0)];
    // Where somebody took records away, the tile stays out: the verifier says so, and the gateway goes on.
    if (tile.length === tileWidth)
      await tx.query('INSERT INTO audit_tile (tenant, log, level, idx, hashes) VALUES ($1, $2, 0, $3, $4)', [
        tenant,
        this.#log,
        index,
        packTile(tile),
      ]);
  }

  /** Puts the root of a full tile into the tile above. */
  async #addAbove(tx: Db, tenant: string, level: number, index: number, hash: TreeHash): Promise<void> {
    const at = index % tileWidth;
    const key: SqlValue[] = [tenant, this.#log, level, (index - at) / tileWidth];
    if (at === 0) {
      await tx.query('INSERT INTO audit_tile (tenant, log, level, idx, hashes) VALUES ($1, $2, $3, $4, $5)', [...key, packTile([hash])]);
      return;
    }
    const where = 'WHERE tenant = $1 AND log = $2 AND level = $3 AND idx = $4';
    const [row] = await tx.query<{ hashes: Uint8Array }>(`SELECT hashes FROM audit_tile ${where}`, key);
    const hashes = row === undefined ? [] : unpackTile(row.hashes);
    await tx.query(`UPDATE audit_tile SET hashes = $5 ${where}`, [...key, packTile([...hashes.slice(0, at), hash])]);
  }
}

/** The tree that a row of `audit_head` has. */
export function edgeOf(row: Row | undefined): TreeEdge {
  if (row === undefined) return new TreeEdge();
  const nodes = Array.from({ length: nodeCount(row.tree_size) }, (_, at) => ofHex(row.tree_nodes.slice(at * 64, (at + 1) * 64)));
  return new TreeEdge(row.tree_size, nodes);
}

/** Leaf hashes from the records' texts: leaves `from` to `to` − 1, counted from 0. @throws GatewayError `audit.unavailable` when one is gone */
export async function readLeaves(db: Db, tenant: string, log: string, from: number, to: number): Promise<TreeHash[]> {
  const found = await findLeaves(db, tenant, log, from, to);
  if (found !== undefined) return found;
  const words = `records ${from + 1} to ${to} of the audit log are not all there; find out with \`castellan audit verify\`, and restore a backup`;
  throw new GatewayError('audit.unavailable', words);
}

async function findLeaves(db: Db, tenant: string, log: string, from: number, to: number): Promise<TreeHash[] | undefined> {
  const rows = await db.query<{ record: string }>(
    'SELECT record FROM audit_record WHERE tenant = $1 AND log = $2 AND seq > $3 AND seq <= $4 ORDER BY seq',
    [tenant, log, from, to],
  );
  return rows.length === to - from && rows.every((row) => row.record !== '') ? rows.map((row) => leafHash(row.record)) : undefined;
}

/** Trees by the map of heads that a writer keeps, so that both live as long. */
const treesKept = new WeakMap<object, Map<string, TreeWriter>>();

/** The tree writer that belongs to a writer's known heads. */
export function treesOf(heads: object, log: string): TreeWriter {
  let byLog = treesKept.get(heads);
  if (byLog === undefined) treesKept.set(heads, (byLog = new Map<string, TreeWriter>()));
  let writer = byLog.get(log);
  if (writer === undefined) byLog.set(log, (writer = new TreeWriter(log)));
  return writer;
}

/** Brings the trees of all tenants up to their logs, page by page in transactions of their own: a log from before there were trees. */
export async function catchUpTrees(db: Db, log: string): Promise<void> {
  const behind = (): Promise<{ tenant: string }[]> =>
    db.query<{ tenant: string }>('SELECT tenant FROM audit_head WHERE log = $1 AND tree_size < seq ORDER BY tenant', [log]);
  for (let rows = await behind(); rows.length > 0; rows = await behind()) for (const { tenant } of rows) await catchUpPage(db, tenant, log);
}

const pagesAtOnce = 16;

async function catchUpPage(db: Db, tenant: string, log: string): Promise<void> {
  await db.tx(async (tx) => {
    const sql = `SELECT seq, tree_size, tree_nodes FROM audit_head WHERE tenant = $1 AND log = $2${tx.engine === 'postgres' ? ' FOR UPDATE' : ''}`;
    const [row] = await tx.query<Row & { seq: number }>(sql, [tenant, log]);
    if (row === undefined || row.tree_size >= row.seq) return;
    const upTo = Math.min(row.seq, row.tree_size + pagesAtOnce * pageRecords);
    const [size, nodes] = await new TreeWriter(log).append(tx, tenant, upTo + 1, []);
    await tx.query('UPDATE audit_head SET tree_size = $1, tree_nodes = $2 WHERE tenant = $3 AND log = $4', [size, nodes, tenant, log]);
  });
}
