import type { AuditRecord } from '../model/audit-record.ts';
import type { Db, SqlValue } from '../model/ports.ts';
import { chainHash } from './chain.ts';
import { columnNames, hashText, indexColumns } from './columns.ts';
import { leafHash, TreeEdge, type TreeHash } from './tree.ts';
import { tileWidth, unpackTile } from './tree-tile.ts';
import { finding, type Finding } from './verify-finding.ts';

/** Some of a log's records: those after `afterSeq`, which begins a tile, up to `toSeq`. */
export interface Range {
  readonly tenant: string;
  readonly log: string;
  readonly afterSeq: number;
  readonly toSeq: number;
  /** The chain's hash before the first of them, which is trusted here. */
  readonly previous: string;
  /** Up to where the stored tree reaches: tiles that are complete by then must be there. */
  readonly treeSize: number;
  /** Sizes of checkpoints within the range, ascending. */
  readonly sizes: readonly number[];
}

/** What a range came to. `marks` has, for each of `sizes`, the nodes of the incomplete tile at that size, joined. */
export interface RangeResult {
  readonly records: number;
  /** Records whose text was removed: their leaf hash stands in for it. */
  readonly removed: number;
  readonly lastHash: string;
  /** Roots of the complete tiles, joined. */
  readonly tiles: string;
  /** Nodes of the incomplete tile at the end, joined. */
  readonly rest: string;
  readonly marks: readonly (readonly [size: number, nodes: string])[];
  readonly finding?: Finding;
}

interface Row {
  readonly seq: number;
  readonly hash: string;
  readonly record: string;
  readonly at_ms: number;
  readonly kind: string;
  readonly [column: string]: unknown;
}

const pageRows = 8 * tileWidth;
const removable = columnNames.filter((name) => name !== 'at_ms' && name !== 'kind');

/**
 * Computes the hashes of a range of records anew, those of the chain and those of the tree, and compares them, and the columns, with what is
 * stored. Stops at the first record that is not what it was.
 * @throws GatewayError `store.unavailable`
 */
export async function verifyRange(db: Db, range: Range): Promise<RangeResult> {
  const state = { seq: range.afterSeq, hash: range.previous, removed: 0, tiles: '' };
  let edge = new TreeEdge();
  const marks: [number, string][] = [];
  let nextSize = 0;
  const result = (found?: Finding): RangeResult => ({
    records: state.seq - range.afterSeq,
    removed: state.removed,
    lastHash: state.hash,
    tiles: state.tiles,
    rest: edge.nodes.join(''),
    marks,
    ...(found === undefined ? {} : { finding: found }),
  });
  while (state.seq < range.toSeq) {
    const tiles = await readTiles(db, range, state.seq);
    const rows = await readPage(db, range, state.seq);
    if (rows.length === 0) {
      const words = `records ${state.seq + 1} to ${range.toSeq} are missing: the log was cut`;
      return result(finding(state.seq + 1, 'tail_cut', words));
    }
    for (const row of rows) {
      const seq = state.seq + 1;
      if (row.seq !== seq) return result(finding(seq, 'deleted', `record ${seq} is missing`));
      const tileIndex = Math.floor((seq - 1) / tileWidth);
      const tile = tiles.get(tileIndex);
      const stored = tile?.[(seq - 1) % tileWidth];
      const isRemoved = row.record === '' && stored !== undefined;
      const leaf = isRemoved ? stored : leafHash(row.record);
      if (isRemoved) state.removed += 1;
      const found = isRemoved ? removedProblem(row) : (hashProblem(row, state.hash, leaf, stored, tile) ?? textProblem(row, range.tenant));
      if (found !== undefined) return result(found);
      state.seq = seq;
      state.hash = row.hash;
      edge.append(leaf);
      if (seq === range.sizes[nextSize] && ++nextSize > 0) marks.push([seq, edge.size === tileWidth ? '' : edge.nodes.join('')]);
      if (edge.size < tileWidth) continue;
      if (tile === undefined && (tileIndex + 1) * tileWidth <= range.treeSize)
        return result(
          finding(seq, 'tree_changed', `the leaf hashes of records ${seq - tileWidth + 1} to ${seq} are missing from the tree`),
        );
      state.tiles += edge.root();
      edge = new TreeEdge();
    }
  }
  return result();
}

function hashProblem(
  row: Row,
  previous: string,
  leaf: TreeHash,
  stored: TreeHash | undefined,
  tile: readonly TreeHash[] | undefined,
): Finding | undefined {
  const { seq } = row;
  const follows = chainHash(previous, seq, row.record) === row.hash;
  if (follows && (stored === undefined || stored === leaf)) return undefined;
  if (stored === undefined || tile === undefined)
    return finding(
      seq,
      'edited',
      'its hash does not follow from its text and the record before it: one of them was edited, swapped, inserted or moved',
    );
  if (stored === leaf)
    return finding(
      seq,
      'hash_changed',
      'its hash does not follow from its text and the record before it, though its text is as it was written: the hash was changed',
    );
  const at = tile.indexOf(leaf);
  const other = seq - ((seq - 1) % tileWidth) + at;
  if (at >= 0)
    return finding(
      seq,
      other < seq ? 'duplicated' : 'reordered',
      `its text is that of record ${other}: records were moved, deleted or copied`,
    );
  if (follows)
    return finding(
      seq,
      'tree_changed',
      'its leaf in the tree is not that of its text: the record was rewritten with its hash, or the tree was changed',
    );
  return finding(seq, 'edited', 'its hash does not follow from its text, which is none that the tree has here: it was edited, or inserted');
}

function textProblem(row: Row, tenant: string): Finding | undefined {
  const record = parsed(row.record);
  if (record === undefined) return finding(row.seq, 'inserted', 'its text is no audit record');
  const wanted = indexColumns(record);
  const wrong = columnNames.find((name, index) => !isSame(row[name], wanted[index]));
  if (wrong !== undefined)
    return finding(row.seq, 'column_changed', `its column \`${wrong}\` does not say what its text says: the column was edited`);
  return record.tenant === tenant ? undefined : finding(row.seq, 'inserted', 'it belongs to another tenant');
}

function isSame(stored: unknown, wanted: SqlValue | undefined): boolean {
  return stored instanceof Uint8Array && wanted instanceof Uint8Array ? Buffer.compare(stored, wanted) === 0 : stored === wanted;
}

function removedProblem(row: Row): Finding | undefined {
  const wrong = removable.find((name) => row[name] !== null);
  if (wrong === undefined) return undefined;
  return finding(row.seq, 'edited', `its text is gone and its column \`${wrong}\` is not: retention takes both away`);
}

function parsed(text: string): AuditRecord | undefined {
  try {
    return JSON.parse(text) as AuditRecord;
  } catch {
    return undefined; // told by the caller as a broken record
  }
}

function readPage(db: Db, { tenant, log, toSeq }: Range, afterSeq: number): Promise<Row[]> {
  return db.query<Row>(
    `SELECT seq, ${hashText(db.engine)}, record, ${columnNames.join(', ')} FROM audit_record
     WHERE tenant = $1 AND log = $2 AND seq > $3 AND seq <= $4 ORDER BY seq LIMIT $5`,
    [tenant, log, afterSeq, toSeq, pageRows],
  );
}

async function readTiles(db: Db, { tenant, log }: Range, afterSeq: number): Promise<Map<number, readonly TreeHash[]>> {
  const first = Math.floor(afterSeq / tileWidth);
  const rows = await db.query<{ idx: number; hashes: Uint8Array }>(
    'SELECT idx, hashes FROM audit_tile WHERE tenant = $1 AND log = $2 AND level = 0 AND idx >= $3 AND idx <= $4',
    [tenant, log, first, first + pageRows / tileWidth],
  );
  return new Map(rows.map((row) => [row.idx, unpackTile(row.hashes)]));
}
