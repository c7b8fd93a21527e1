import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openAuditLog, type AuditLogOptions, type OpenAuditLog } from '../../src/audit/open.ts';
import { readAudit } from '../../src/audit/read.ts';
import { newKeyText, sealingKey } from '../../src/audit/sealed-keys.ts';
import { SealedReader } from '../../src/audit/sealed-reader.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { openDb } from '../../src/store/open.ts';
import { keptInput, textOf } from './inputs.ts';
import { decided, finished } from './records.ts';

const realStore = new URL('../../src/store/open.ts', import.meta.url).href;
const limitedStore = new URL('./limited-store.ts', import.meta.url).href;
const unavailable = { code: 'audit.unavailable' };

describe('audit log', () => {
  let folder: string;
  let path: string;
  let log: OpenAuditLog | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'castellan-audit-'));
    path = join(folder, 'castellan.db');
    log = undefined;
  });
  afterEach(async () => {
    await log?.close().catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  });
  const open = async (changes: Partial<AuditLogOptions> = {}) =>
    (log = await openAuditLog({ storeModule: realStore, storeOptions: { kind: 'sqlite', path, thread: 'calling' }, ...changes }));
  const verified = async () => {
    const db = await openDb({ kind: 'sqlite', path });
    try {
      return await verifyAudit(db, { tenant: 'default' });
    } finally {
      await db.close();
    }
  };

  it(
    'loses no acknowledged record, nor its sealed input, and keeps its chain when the process is killed under load',
    { timeout: 30_000 },
    async () => {
      const key = newKeyText();
      const child = spawn(process.execPath, [new URL('./appender.ts', import.meta.url).pathname, path, key], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let printed = '';
      const gone = new Promise((resolve) => child.on('close', resolve));
      await new Promise<void>((resolve) => {
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          printed += text;
          if (printed.split('\n').length > 500) resolve();
        });
      });
      child.kill('SIGKILL');
      await gone;
      const lines = printed.slice(0, printed.lastIndexOf('\n')).split('\n');
      assert.ok(lines.length >= 500);
      const whole = await verified();
      assert.ok(whole.ok && whole.records >= lines.length, JSON.stringify(whole));
      const database = new DatabaseSync(path, { readOnly: true });
      const find = database.prepare(
        "SELECT seq, 'sha256:' || lower(hex(hash)) || ' ' || (record ->> 'call') AS rest FROM audit_record WHERE seq = ? AND kind = 'decided'",
      );
      for (const line of lines) {
        const [seq, ...rest] = line.split(' ');
        assert.deepEqual({ ...find.get(Number(seq)) }, { seq: Number(seq), rest: rest.join(' ') });
      }
      database.close();
      const db = await openDb({ kind: 'sqlite', path });
      const inputs = await new SealedReader(db, { current: sealingKey(key, 'a test'), earlier: [] }, 'default', 'main').open(
        1,
        whole.headSeq,
      );
      for (const line of lines) {
        const [seq, , call] = line.split(' ');
        assert.equal(inputs.get(Number(seq))?.call, call);
      }
      await db.close();
      // The log goes on where it was cut off.
      assert.equal((await (await open()).append(decided(0))).seq, whole.headSeq + 1);
    },
  );

  it('seals anew what a group that failed had sealed: nothing refers to what never became durable', { timeout: 30_000 }, async () => {
    const limitFile = join(folder, 'pages');
    const keys = { current: sealingKey(newKeyText(), 'a test'), earlier: [] };
    await open({ storeModule: limitedStore, storeOptions: { kind: 'sqlite', path, thread: 'calling', limitFile }, keys });
    const record = (index: number) => ({ ...decided(index), decision: { ...decided(index).decision!, input_digest: '' } });
    await log!.append(record(1), keptInput(1));
    writeFileSync(limitFile, '1');
    const shared = keptInput(2);
    const long = { code: 'x', message: 'y'.repeat(200_000) };
    await assert.rejects(log!.append({ ...record(2), event: long }, shared), unavailable);
    rmSync(limitFile);
    writeFileSync(limitFile, '1000000');
    const { seq } = await log!.append(record(3), shared);
    const db = await openDb({ kind: 'sqlite', path });
    const inputs = await new SealedReader(db, keys, 'default', 'main').open(1, seq);
    await db.close();
    assert.equal(inputs.get(seq)?.json, textOf(shared));
  });

  it('refuses within 2 s while the disk is full, and goes on by itself when there is room again', { timeout: 30_000 }, async () => {
    const limitFile = join(folder, 'pages');
    await open({ storeModule: limitedStore, storeOptions: { kind: 'sqlite', path, thread: 'calling', limitFile } });
    const before = await log!.append(decided(1));
    writeFileSync(limitFile, '1');
    const long = { code: 'x', message: 'y'.repeat(200_000) };
    const startMs = performance.now();
    await assert.rejects(log!.append(decided(2, { event: long })), unavailable);
    assert.ok(performance.now() - startMs < 2_000);
    log!.hand(finished(1, { event: long }));
    await assert.rejects(log!.flush(), unavailable);
    assert.equal((await verified()).ok, true);
    writeFileSync(limitFile, '100000');
    await log!.flush();
    const after = await log!.append(decided(3));
    assert.deepEqual([before.seq, after.seq], [1, 3]);
    const whole = await verified();
    assert.equal(whole.ok && whole.records, 3);
    assert.match(log!.stats().lastFault ?? '', /full/);
    assert.equal(log!.stats().lost, 0);
  });

  it('refuses within 2 s while another process holds the database, and goes on afterwards', { timeout: 30_000 }, async () => {
    await open();
    await log!.append(decided(1));
    const other = new DatabaseSync(path);
    other.exec('BEGIN EXCLUSIVE');
    const startMs = performance.now();
    log!.hand(finished(1));
    const refused = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => log!.append(decided(index + 2))));
    assert.ok(performance.now() - startMs < 2_200);
    for (const one of refused) assert.equal(one.status === 'rejected' && one.reason.code, 'audit.unavailable');
    other.exec('ROLLBACK');
    other.close();
    await log!.append(decided(99));
    const db = await openDb({ kind: 'sqlite', path });
    assert.deepEqual(
      (await readAudit(db, { tenant: 'default' })).map((one) => one.record.call),
      ['call_99', 'call_1', 'call_1'],
    );
    await db.close();
  });

  it('refuses at once when too many records wait, and says so after one that was handed over was lost', async () => {
    await open({ maxWaiting: 3 });
    const waiting = [1, 2, 3].map((index) => log!.append(decided(index)));
    await assert.rejects(log!.append(decided(4)), { ...unavailable, message: /too many records wait/ });
    log!.hand(finished(4));
    await Promise.all(waiting);
    await assert.rejects(log!.append(decided(5)), { ...unavailable, message: /handed over to the audit log was lost/ });
    await log!.append(decided(6));
    assert.equal(log!.stats().lost, 1);
  });

  it('commits what one turn of the event loop appends in one group', async () => {
    await open();
    let groups = 0;
    const db = await openDb({ kind: 'sqlite', path });
    const version = async () => (await db.query<{ data_version: number }>('PRAGMA data_version'))[0]!.data_version;
    const before = await version();
    await Promise.all(Array.from({ length: 200 }, (_, index) => log!.append(decided(index))));
    groups = (await version()) - before;
    assert.equal(groups, 1);
    await db.close();
  });

  it('writes what waits before it closes, and refuses afterwards', async () => {
    await open();
    for (let index = 0; index < 50; index += 1) log!.hand(finished(index));
    await log!.close();
    await log!.close();
    await assert.rejects(log!.append(decided(1)), unavailable);
    const whole = await verified();
    assert.equal(whole.ok && whole.records, 50);
  });

  it('cannot be opened on a database or a module that is not there', async () => {
    await assert.rejects(open({ storeOptions: { kind: 'sqlite', path: '/proc/none/x.db', thread: 'calling' } }), unavailable);
    await assert.rejects(open({ storeModule: new URL('./not-there.ts', import.meta.url).href }), unavailable);
  });
});
