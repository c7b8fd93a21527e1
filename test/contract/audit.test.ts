import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { hashText } from '../../src/audit/columns.ts';
import { openAuditLog, type OpenAuditLog } from '../../src/audit/open.ts';
import { readAudit } from '../../src/audit/read.ts';
import { recentCalls } from '../../src/audit/recent-calls.ts';
import { parseHead, verifyAudit } from '../../src/audit/verify.ts';
import { writeGroup } from '../../src/audit/write-group.ts';
import type { Db } from '../../src/model/ports.ts';
import { decided, finished, startMs } from '../audit/records.ts';
import { engines, type FreshDatabase } from './engines.ts';

const storeModule = new URL('../../src/store/open.ts', import.meta.url).href;
const tenant = 'default';

for (const engine of engines) {
  const withoutTriggers: Record<Db['engine'], string[]> = {
    sqlite: ['DROP TRIGGER audit_record_no_update', 'DROP TRIGGER audit_record_no_delete', 'DROP TRIGGER audit_head_forward'],
    postgres: ['ALTER TABLE audit_record DISABLE TRIGGER ALL', 'ALTER TABLE audit_head DISABLE TRIGGER ALL'],
  };

  describe(`audit log on ${engine.name}`, { skip: engine.skip }, () => {
    let fresh: FreshDatabase;
    let db: Db;
    let log: OpenAuditLog;
    const openLog = () => openAuditLog({ storeModule, storeOptions: { ...fresh.options, thread: 'calling', maxConnections: 1 } });
    beforeEach(async () => {
      fresh = await engine.fresh();
      db = await fresh.open();
      log = await openLog();
    });
    afterEach(async () => {
      await log.close();
      await db.close();
      await fresh.drop();
    });

    it('acknowledges records in order, each chained to the one before, and the chain verifies', async () => {
      const places = await Promise.all(Array.from({ length: 40 }, (_, index) => log.append(decided(index))));
      assert.deepEqual(
        places.map((place) => place.seq),
        Array.from({ length: 40 }, (_, index) => index + 1),
      );
      const head = { ok: true, headSeq: 40, headHash: places[39]!.hash };
      assert.partialDeepStrictEqual(await verifyAudit(db, { tenant }), { ...head, records: 40 });
      assert.partialDeepStrictEqual(await verifyAudit(db, { tenant, fromSeq: 31 }), { ...head, records: 10 });
      assert.partialDeepStrictEqual(await verifyAudit(db, { tenant: 'nobody' }), {
        ok: true,
        records: 0,
        headSeq: 0,
        headHash: `sha256:${sha256sum('\x01["nobody","main"]')}`,
        root: `sha256:${sha256sum('')}`,
      });
    });

    it('hashes the bytes that its documentation says', async () => {
      const first = await log.append(decided(1));
      const second = await log.append(decided(2));
      const bytes = `\x00${first.hash.slice('sha256:'.length)}\n2\n${JSON.stringify(decided(2))}`;
      assert.equal(second.hash, `sha256:${sha256sum(bytes)}`);
    });

    it('makes one chain of what two logs append to one database at the same time', async () => {
      const other = await openLog();
      const places = await Promise.all(Array.from({ length: 300 }, (_, index) => (index % 2 === 0 ? log : other).append(decided(index))));
      assert.deepEqual(
        places.map((place) => place.seq).sort((a, b) => a - b),
        Array.from({ length: 300 }, (_, index) => index + 1),
      );
      await other.close();
      const verified = await verifyAudit(db, { tenant });
      assert.equal(verified.ok && verified.records, 300);
    });

    it('keeps a chain for each tenant', async () => {
      await Promise.all([
        log.append(decided(1)),
        log.append(decided(2, { tenant: 'b' })),
        log.append(decided(3)),
        log.append(decided(4, { tenant: 'a' })),
      ]);
      const counts = await Promise.all(['a', 'b', tenant].map((name) => verifyAudit(db, { tenant: name })));
      assert.deepEqual(
        counts.map((one) => one.ok && one.records),
        [1, 1, 2],
      );
    });

    it('makes durable what is handed over, no later than flush says', async () => {
      for (let index = 0; index < 1200; index += 1) log.hand(finished(index));
      await log.flush();
      const verified = await verifyAudit(db, { tenant });
      assert.equal(verified.ok && verified.records, 1200);
      assert.equal(log.stats().waiting, 0);
    });

    it('records names that no database stores as they are, and finds them again', async () => {
      const names = [
        'nul\0here',
        'half \ud83d pair',
        'x'.repeat(20_000),
        'ż'.repeat(200),
        "'; DROP TABLE audit_record; --",
        '\n{"kind":"admin"}',
      ];
      const what = decided(0).what!;
      await Promise.all(names.map((name, index) => log.append(decided(index, { what: { ...what, name } }))));
      for (const [index, name] of names.entries()) {
        const [found, ...more] = await readAudit(db, { tenant, tool: name });
        assert.deepEqual([found?.record.call, found?.record.what?.name, more], [`call_${index}`, name, []]);
      }
      assert.equal((await verifyAudit(db, { tenant })).ok, true);
    });

    it('finds records by each of their facts, newest first, page by page', async () => {
      await Promise.all(Array.from({ length: 30 }, (_, index) => log.append(decided(index))));
      await log.append(finished(7));
      const seqs = async (filter: object) => (await readAudit(db, { tenant, ...filter })).map((one) => one.seq);
      assert.deepEqual(await seqs({ identity: { subject: 'user-1', issuer: 'https://idp.example' }, limit: 3 }), [31, 29, 26]);
      assert.deepEqual(await seqs({ effect: 'deny' }), [26, 21, 16, 11, 6, 1]);
      assert.deepEqual(await seqs({ effect: 'deny', tool: 'write_file', server: 'files', method: 'tools/call' }), [26, 16, 6]);
      assert.deepEqual(await seqs({ rule: 'files/root', beforeSeq: 12 }), [11, 6, 1]);
      assert.deepEqual(await seqs({ callId: 'call_7' }), [31, 8]);
      assert.deepEqual(await seqs({ kind: 'finished' }), [31]);
      assert.deepEqual(await seqs({ release: 'r1', afterSeq: 28 }), [30, 29]);
      assert.deepEqual(await seqs({ release: 'r2' }), []);
      assert.deepEqual(await seqs({ sinceMs: startMs + 10_000, untilMs: startMs + 13_000 }), [13, 12, 11]);
      assert.deepEqual((await readAudit(db, { tenant, callId: 'call_3' }))[0]?.record, decided(3));
    });

    it('gives the last calls with their ends, oldest first', async () => {
      for (let index = 0; index < 8; index += 1) {
        log.hand(decided(index));
        if (index !== 6) log.hand(finished(index));
      }
      await log.flush();
      assert.deepEqual(await recentCalls(db, { tenant, sinceMs: startMs + 5_000, limit: 10 }), [
        { decided: decided(5), finished: finished(5) },
        { decided: decided(6), finished: undefined },
        { decided: decided(7), finished: finished(7) },
      ]);
      const last = await recentCalls(db, { tenant, sinceMs: 0, limit: 1 });
      assert.deepEqual(last, [{ decided: decided(7), finished: finished(7) }]);
    });

    it('does not write twice what an earlier group, whose fate was unknown, had written', async () => {
      const texts = [1, 2, 3].map((index) => JSON.stringify(finished(index)));
      await writeGroup(
        db,
        'main',
        texts.slice(0, 2).map((text) => ({ text, again: false })),
        new Map(),
      );
      const written = await writeGroup(
        db,
        'main',
        texts.map((text) => ({ text, again: true })),
        new Map(),
      );
      assert.deepEqual(
        written.places.map((place) => place.seq),
        [1, 2, 3],
      );
      const verified = await verifyAudit(db, { tenant });
      assert.equal(verified.ok && verified.records, 3);
    });

    const forged = JSON.stringify(decided(4, { ip: '192.0.2.99' })).replaceAll("'", "''");
    const tampered: { readonly name: string; readonly sql: readonly string[]; readonly at: number; readonly problem: RegExp }[] = [
      { name: 'an edited record', sql: [`UPDATE audit_record SET record = '${forged}' WHERE seq = 5`], at: 5, problem: /does not follow/ },
      { name: 'an edited column', sql: ["UPDATE audit_record SET effect = 'allow' WHERE seq = 6"], at: 6, problem: /column `effect`/ },
      {
        name: 'an edited hash',
        sql: [`UPDATE audit_record SET hash = ${engine.bytes('0'.repeat(64))} WHERE seq = 5`],
        at: 5,
        problem: /does not follow/,
      },
      { name: 'a deleted record', sql: ['DELETE FROM audit_record WHERE seq = 5'], at: 5, problem: /record 5 is missing/ },
      { name: 'a deleted first record', sql: ['DELETE FROM audit_record WHERE seq = 1'], at: 1, problem: /record 1 is missing/ },
      {
        name: 'a deleted record with the rest moved up',
        sql: [
          'DELETE FROM audit_record WHERE seq = 5',
          ...[6, 7, 8, 9, 10].map((seq) => `UPDATE audit_record SET seq = ${seq - 1} WHERE seq = ${seq}`),
        ],
        at: 5,
        problem: /does not follow/,
      },
      {
        name: 'an inserted record',
        sql: [
          ...[10, 9, 8, 7, 6].map((seq) => `UPDATE audit_record SET seq = ${seq + 1} WHERE seq = ${seq}`),
          'INSERT INTO audit_record SELECT tenant, log, 6, hash, at_ms, kind, call_id, subject, method, effect, record FROM audit_record WHERE seq = 5',
        ],
        at: 6,
        problem: /does not follow/,
      },
      {
        name: 'two records that changed places',
        sql: [
          'UPDATE audit_record SET seq = 99 WHERE seq = 5',
          'UPDATE audit_record SET seq = 5 WHERE seq = 6',
          'UPDATE audit_record SET seq = 6 WHERE seq = 99',
        ],
        at: 5,
        problem: /does not follow/,
      },
      {
        name: 'a tail that was cut',
        sql: ['DELETE FROM audit_record WHERE seq > 7'],
        at: 8,
        problem: /8 to 10 are missing: the log was cut/,
      },
      {
        name: 'a head that was moved back over a cut tail, against a head noted earlier',
        sql: [
          'DELETE FROM audit_record WHERE seq > 7',
          `UPDATE audit_head SET seq = 7, hash = (SELECT ${hashText(engine.name)} FROM audit_record WHERE seq = 7)`,
        ],
        at: 8,
        problem: /ends at record 7, but its head was once 10/,
      },
      {
        name: 'a record after the head',
        sql: [`UPDATE audit_head SET seq = 9, hash = (SELECT ${hashText(engine.name)} FROM audit_record WHERE seq = 9)`],
        at: 10,
        problem: /records after the head/,
      },
      {
        name: 'a changed head',
        sql: [`UPDATE audit_head SET hash = '${'0'.repeat(64)}'`],
        at: 10,
        problem: /head does not name the last record/,
      },
    ];
    for (const { name, sql, at, problem } of tampered) {
      it(`finds ${name}`, async () => {
        const places = await Promise.all(Array.from({ length: 10 }, (_, index) => log.append(decided(index))));
        const head = parseHead(`10:${places[9]!.hash}`);
        assert.equal((await verifyAudit(db, { tenant, head })).ok, true);
        await fresh.raw(...withoutTriggers[engine.name], ...sql);
        const found = await verifyAudit(db, { tenant, head });
        assert.ok(!found.ok, 'the chain still verifies');
        assert.equal(found.at, at);
        assert.match(found.problem, problem);
      });
    }

    it('finds a log that was rewritten with a valid chain, against a head noted earlier', async () => {
      const places = await Promise.all([1, 2, 3].map((index) => log.append(decided(index))));
      await fresh.raw(...withoutTriggers[engine.name], 'DELETE FROM audit_record', "UPDATE audit_head SET tenant = 'gone'");
      await Promise.all([1, 2, 3, 4].map((index) => log.append(decided(index, { ip: '192.0.2.99' }))));
      assert.equal((await verifyAudit(db, { tenant })).ok, true);
      const found = await verifyAudit(db, { tenant, head: parseHead(`3:${places[2]!.hash}`) });
      assert.deepEqual(found.ok ? found : [found.at, /rewritten/.test(found.problem)], [3, true]);
    });
  });
}

function sha256sum(bytes: string): string {
  return spawnSync('sha256sum', { input: Buffer.from(bytes) })
    .stdout.toString()
    .slice(0, 64);
}
