import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openCheckpointBook, type StoredCheckpoint } from '../../src/audit/checkpoint-book.ts';
import { noteSigner } from '../../src/audit/note.ts';
import { openAuditLog } from '../../src/audit/open.ts';
import { proveConsistency, proveInclusion } from '../../src/audit/proofs.ts';
import type { Db } from '../../src/model/ports.ts';
import { openDb } from '../../src/store/open.ts';
import { buildGo, withoutGo } from '../support/go-program.ts';
import { decided } from './records.ts';

const storeModule = new URL('../../src/store/open.ts', import.meta.url).href;
const signer = noteSigner(
  'example.com/a-log',
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
);
const sizes = [1, 255, 256, 257, 300, 700];

describe("Go's own sumdb/note and sumdb/tlog", { skip: withoutGo, timeout: 120_000 }, () => {
  let program: string;
  let folder: string;
  let db: Db;
  const checkpoints = new Map<number, StoredCheckpoint>();
  const verdict = (input: object): string =>
    spawnSync(program, { input: JSON.stringify({ key: signer.verifierKey, ...input }) })
      .stdout.toString()
      .trim();
  before(async () => {
    program = buildGo(new URL('../sumdb', import.meta.url).pathname, 'sumdb-check');
    folder = mkdtempSync(join(tmpdir(), 'castellan-sumdb-'));
    const options = { kind: 'sqlite', path: join(folder, 'audit.db') } as const;
    const log = await openAuditLog({ storeModule, storeOptions: { ...options, thread: 'calling' } });
    db = await openDb(options);
    const book = openCheckpointBook(db, 'default');
    let written = 0;
    for (const size of sizes) {
      for (; written < size; written++) log.hand(decided(written));
      await log.flush();
      checkpoints.set(size, (await book.make(signer, 0))!);
    }
    await log.close();
  });
  after(async () => {
    await db.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const questions = async (seq: number, size: number, before: number) => ({
    note: checkpoints.get(size)!.note,
    earlier: checkpoints.get(before)!.note,
    record: JSON.stringify(decided(seq - 1)),
    seq,
    inclusion: (await proveInclusion(db, { tenant: 'default' }, seq, size)).proof,
    consistency: (await proveConsistency(db, { tenant: 'default' }, before, size)).proof,
  });

  it('accept the checkpoints, the inclusion proofs and the consistency proofs', async () => {
    for (const [seq, size, before] of [
      [1, 1, 1],
      [200, 255, 1],
      [256, 256, 255],
      [257, 257, 256],
      [12, 300, 257],
      [299, 300, 255],
      [1, 700, 300],
      [512, 700, 256],
      [513, 700, 1],
      [700, 700, 257],
    ] as const)
      assert.equal(verdict(await questions(seq, size, before)), 'ok', `record ${seq} of ${size}, grown from ${before}`);
  });

  it('refuse what was changed', async () => {
    const good = await questions(12, 300, 257);
    assert.match(verdict({ ...good, note: good.note.replace('\n300\n', '\n299\n') }), /^checkpoint/);
    assert.match(verdict({ ...good, record: good.record.replace('user-', 'User-') }), /^inclusion/);
    assert.match(verdict({ ...good, seq: 13 }), /^inclusion/);
    assert.match(verdict({ ...good, consistency: good.consistency.slice(1) }), /^consistency/);
    const other = noteSigner(
      'example.com/a-log',
      generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    );
    assert.match(verdict({ ...good, key: other.verifierKey }), /^checkpoint/);
  });
});
