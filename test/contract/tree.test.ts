import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openCheckpointBook } from '../../src/audit/checkpoint-book.ts';
import { openCheckpoint } from '../../src/audit/checkpoint.ts';
import { noteSigner, parseVerifier } from '../../src/audit/note.ts';
import { openAuditLog, type OpenAuditLog } from '../../src/audit/open.ts';
import { proveConsistency, proveInclusion, rootOfProof } from '../../src/audit/proofs.ts';
import { isConsistent } from '../../src/audit/tree-proof.ts';
import { hexOf, leafHash, ofHex, TreeEdge } from '../../src/audit/tree.ts';
import { finishInterrupted } from '../../src/audit/unfinished-calls.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { writeGroup } from '../../src/audit/write-group.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import type { Db } from '../../src/model/ports.ts';
import { decided, finished, startMs } from '../audit/records.ts';
import { engines, type FreshDatabase } from './engines.ts';

const storeModule = new URL('../../src/store/open.ts', import.meta.url).href;
const tenant = 'default';
const newSigner = () =>
  noteSigner('example.com/log', generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);

for (const engine of engines) {
  describe(`the tree of an audit log on ${engine.name}`, { skip: engine.skip, timeout: 120_000 }, () => {
    let fresh: FreshDatabase;
    let db: Db;
    const openLog = (): Promise<OpenAuditLog> =>
      openAuditLog({ storeModule, storeOptions: { ...fresh.options, thread: 'calling', maxConnections: 1 } });
    beforeEach(async () => {
      fresh = await engine.fresh();
      db = await fresh.open();
    });
    afterEach(async () => {
      await db.close();
      await fresh.drop();
    });
    /** Writes records `from` to `to` − 1. */
    const write = async (log: OpenAuditLog, from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at++) log.hand(decided(at));
      await log.flush();
    };
    const texts = async (): Promise<string[]> =>
      (await db.query<{ record: string }>('SELECT record FROM audit_record ORDER BY seq')).map((row) => row.record);
    const rootOf = (records: readonly string[]): string => {
      const edge = new TreeEdge();
      for (const text of records) edge.append(leafHash(text));
      return hexOf(edge.root());
    };
    const root = async (): Promise<string> => {
      const found = await verifyAudit(db, { tenant });
      assert.ok(found.ok, JSON.stringify(found));
      return found.root.slice('sha256:'.length);
    };

    it('has the root that its records give, and proofs for each of them', async () => {
      const log = await openLog();
      await write(log, 0, 600);
      await log.close();
      assert.equal(await root(), rootOf(await texts()));
      for (const [seq, size] of [
        [1, 1],
        [3, 7],
        [256, 256],
        [257, 300],
        [255, 513],
        [512, 600],
        [600, 600],
      ] as const) {
        const proof = await proveInclusion(db, { tenant }, seq, size);
        assert.equal(rootOfProof(proof), rootOf((await texts()).slice(0, size)), `record ${seq} of ${size}`);
        const { proof: grown, root: after } = await proveConsistency(db, { tenant }, size, 600);
        const before = { size, root: ofHex(rootOf((await texts()).slice(0, size))) };
        assert.ok(isConsistent(before, { size: 600, root: ofHex(after) }, grown.map(ofHex)));
      }
      await assert.rejects(proveInclusion(db, { tenant }, 601, 600), { code: 'not_found' });
      await assert.rejects(proveInclusion(db, { tenant }, 1, 601), { code: 'not_found' });
    });

    it('is one tree of what two processes append to one database at the same time', async () => {
      const [one, two] = [await openLog(), await openLog()];
      await Promise.all(Array.from({ length: 700 }, (_, at) => (at % 2 === 0 ? one : two).append(decided(at))));
      await Promise.all([one.close(), two.close()]);
      assert.equal(await root(), rootOf(await texts()));
    });

    it('goes on where it was after a restart in the middle of a tile', async () => {
      for (const [from, to] of [
        [0, 100],
        [100, 256],
        [256, 257],
        [257, 530],
      ] as const) {
        const log = await openLog();
        await write(log, from, to);
        await log.close();
      }
      assert.equal(await root(), rootOf(await texts()));
    });

    it('is made for a log from before there were trees, at the next start', async () => {
      const log = await openLog();
      await write(log, 0, 3_000);
      await log.close();
      const without = engine.name === 'sqlite' ? ['DROP TRIGGER audit_tile_no_delete'] : ['ALTER TABLE audit_tile DISABLE TRIGGER ALL'];
      await fresh.raw(...without, 'DELETE FROM audit_tile', "UPDATE audit_head SET tree_size = 0, tree_nodes = ''");
      const later = await openLog();
      const [head] = await db.query<{ tree_size: number }>('SELECT tree_size FROM audit_head');
      assert.equal(head?.tree_size, 3_000);
      await write(later, 3_000, 3_100);
      await later.close();
      assert.equal(await root(), rootOf(await texts()));
      assert.equal(rootOfProof(await proveInclusion(db, { tenant }, 17, 3_000)), rootOf((await texts()).slice(0, 3_000)));
    });

    it('catches up with what another version of the program wrote meanwhile', async () => {
      const heads = new Map();
      const group = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, at) => ({ text: JSON.stringify(decided(from + at)), again: false }));
      await writeGroup(db, 'main', group(0, 10), heads);
      // It chains its records and knows of no tree.
      const before = await db.query<{ tree_size: number; tree_nodes: string }>('SELECT tree_size, tree_nodes FROM audit_head');
      await writeGroup(db, 'main', group(10, 20), new Map());
      await fresh.raw(`UPDATE audit_head SET tree_size = ${before[0]!.tree_size}, tree_nodes = '${before[0]!.tree_nodes}'`);
      await writeGroup(db, 'main', group(20, 300), heads);
      assert.equal(await root(), rootOf(await texts()));
    });

    it('has checkpoints that replicas share, one for each size', async () => {
      const log = await openLog();
      const signer = newSigner();
      const [one, two] = [openCheckpointBook(db, tenant), openCheckpointBook(db, tenant)];
      assert.equal(await one.make(signer, 1), undefined);
      await write(log, 0, 5);
      const made = await Promise.all([one.make(signer, 1), two.make(signer, 2)]);
      assert.deepEqual(made[0], made[1]);
      await write(log, 5, 9);
      await two.make(signer, 3);
      assert.deepEqual(
        (await one.list(0, 10)).map(({ size }) => size),
        [5, 9],
      );
      const opened = openCheckpoint((await one.covering(6))!.note, [parseVerifier(signer.verifierKey)]);
      assert.deepEqual(opened, { ok: true, checkpoint: { origin: signer.name, size: 9, root: ofHex(rootOf(await texts())) } });
      assert.equal((await one.covering(10)) ?? 'none', 'none');
      await log.close();
    });

    it('gives calls their end that an earlier run left open, by what can be known', async () => {
      const log = await openLog();
      const effect = (index: number, one: 'allow' | 'deny' | 'require_approval'): AuditRecord => {
        const record = decided(index);
        return { ...record, decision: { ...record.decision!, effect: one } };
      };
      for (const record of [
        effect(1, 'allow'),
        finished(1),
        effect(2, 'allow'),
        effect(3, 'deny'),
        effect(4, 'require_approval'),
        effect(5, 'require_approval'),
        { ...effect(5, 'allow') },
        effect(900, 'allow'),
      ])
        log.hand(record);
      await log.flush();
      const options = { tenant, maxCallMs: 3_600_000, beforeMs: startMs + 800_000, nowMs: startMs + 900_000 };
      assert.equal(await finishInterrupted(db, log, options), 4);
      assert.equal(await finishInterrupted(db, log, options), 0);
      const ends = (await texts())
        .map((text) => JSON.parse(text) as AuditRecord)
        .filter((record) => record.event?.code === 'call.interrupted')
        .map((record) => [record.call, record.outcome?.status, record.outcome?.total_ms]);
      assert.deepEqual(ends, [
        ['call_2', 'unknown', 898_000],
        ['call_3', 'denied', 897_000],
        ['call_4', 'held', 896_000],
        ['call_5', 'unknown', 895_000],
      ]);
      await log.close();
    });
  });
}
