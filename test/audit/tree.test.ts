import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hexOf, leafHash, nodeCount, nodeHash, ofHex, rootOf, TreeEdge, type TreeHash } from '../../src/audit/tree.ts';
import {
  consistencyProof,
  inclusionProof,
  isConsistent,
  rootByInclusion,
  treeNodes,
  treeRoot,
  type NodeReader,
} from '../../src/audit/tree-proof.ts';
import { packTile, subtreeHash, unpackTile } from '../../src/audit/tree-tile.ts';

const leaves = Array.from({ length: 300 }, (_, index) => leafHash(`record ${index}`));
const read: NodeReader = async (height, index) => subtreeHash(leaves.slice(index * 2 ** height, (index + 1) * 2 ** height));

/** RFC 6962 section 2.1, word by word, on buffers. */
function merkleTreeHash(entries: readonly Buffer[]): Buffer {
  const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
  if (entries.length === 0) return sha256();
  if (entries.length === 1) return sha256(Buffer.of(0), entries[0]!);
  let k = 1;
  while (k * 2 < entries.length) k *= 2;
  return sha256(Buffer.of(1), merkleTreeHash(entries.slice(0, k)), merkleTreeHash(entries.slice(k)));
}

const edgeOfSize = (size: number): TreeEdge => {
  const edge = new TreeEdge();
  for (const leaf of leaves.slice(0, size)) edge.append(leaf);
  return edge;
};
const sizes = fc.integer({ min: 1, max: leaves.length });
const flipped = (hash: TreeHash): TreeHash => nodeHash(hash, hash);

describe('the Merkle tree', () => {
  it('has the roots of RFC 6962 at each size', async () => {
    for (let size = 0; size <= 70; size++) {
      const wanted = merkleTreeHash(Array.from({ length: size }, (_, index) => Buffer.from(`record ${index}`))).toString('hex');
      const edge = edgeOfSize(size);
      assert.equal(hexOf(edge.root()), wanted, `size ${size}`);
      assert.equal(hexOf(await treeRoot(size, read)), wanted);
      assert.equal(edge.nodes.length, nodeCount(size));
      assert.deepEqual(await treeNodes(size, read), edge.nodes);
      assert.equal(rootOf(edge.nodes), edge.root());
    }
  });

  it('hashes text as UTF-8, as sha256sum does', () => {
    assert.equal(hexOf(leafHash('zażółć "\u{1f600}"')), createHash('sha256').update('\0zażółć "\u{1f600}"', 'utf8').digest('hex'));
  });

  it('grows by whole subtrees as by their leaves', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 20 }), (height, tail) => {
        const width = 2 ** height;
        const whole = Math.floor((leaves.length - tail) / width);
        const edge = new TreeEdge();
        for (let at = 0; at < whole; at++) edge.append(subtreeHash(leaves.slice(at * width, (at + 1) * width)), height);
        assert.deepEqual([edge.size, edge.root()], [whole * width, edgeOfSize(whole * width).root()]);
      }),
    );
  });

  it('proves each leaf at each size, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, pick, change) => {
        const index = pick % size;
        const root = edgeOfSize(size).root();
        const proof = await inclusionProof(index, size, read);
        const leaf = leaves[index]!;
        assert.equal(rootByInclusion(leaf, index, size, proof), root);
        assert.notEqual(rootByInclusion(flipped(leaf), index, size, proof), root);
        assert.notEqual(rootByInclusion(leaf, index, size, [...proof, leaf]), root);
        assert.equal(rootByInclusion(leaf, size, size, proof), undefined);
        if (proof.length > 0) {
          const at = change % proof.length;
          assert.notEqual(rootByInclusion(leaf, index, size, proof.with(at, flipped(proof[at]!))), root);
          assert.notEqual(rootByInclusion(leaf, index, size, proof.slice(1)), root);
        }
      }),
    );
  });

  it('proves that a tree begins with an earlier one, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.nat(), async (one, other, change) => {
        const [before, size] = [Math.min(one, other), Math.max(one, other)];
        const old = { size: before, root: edgeOfSize(before).root() };
        const now = { size, root: edgeOfSize(size).root() };
        const proof = await consistencyProof(before, size, read);
        assert.ok(isConsistent(old, now, proof), `${before} to ${size}`);
        assert.ok(!isConsistent({ ...old, root: flipped(old.root) }, now, proof));
        assert.ok(!isConsistent(old, { ...now, root: flipped(now.root) }, proof));
        assert.ok(!isConsistent(old, now, [...proof, old.root]));
        if (proof.length > 0) {
          const at = change % proof.length;
          assert.ok(!isConsistent(old, now, proof.with(at, flipped(proof[at]!))));
          assert.ok(!isConsistent(old, now, proof.slice(0, -1)));
        }
      }),
    );
  });

  it('keeps hashes of every byte in a tile', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 5 }), (hashes) => {
        const wanted = hashes.map((bytes) => ofHex(Buffer.from(bytes).toString('hex')));
        assert.deepEqual(unpackTile(packTile(wanted)), wanted);
      }),
    );
  });
});
