import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eraseDays } from '../../src/audit/erase.ts';
import { addHold, listHolds, removeHold, type HoldScope } from '../../src/audit/holds.ts';
import { openAuditLog, type OpenAuditLog } from '../../src/audit/open.ts';
import { readAudit } from '../../src/audit/read.ts';
import { createRecordedDecisions } from '../../src/audit/recorded-decisions.ts';
import { recentCalls } from '../../src/audit/recent-calls.ts';
import { expire, type RetentionOptions } from '../../src/audit/retention.ts';
import { newKeyText, sealingKey, type KeyRing } from '../../src/audit/sealed-keys.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import type { Db } from '../../src/model/ports.ts';
import { withLease } from '../../src/store/lease.ts';
import { keptInput } from '../audit/inputs.ts';
import { decided, finished, startMs } from '../audit/records.ts';
import { engines, type FreshDatabase } from './engines.ts';

const storeModule = new URL('../../src/store/open.ts', import.meta.url).href;
const tenant = 'default';
const dayMs = 86_400_000;
const day = (index: number): string => new Date(startMs + index * dayMs).toISOString().slice(0, 10);

/** Call `index` of a day: decided by one of three users, then finished. */
function call(ofDay: number, index: number): readonly [AuditRecord, AuditRecord] {
  const at = new Date(startMs + ofDay * dayMs + index * 1000).toISOString();
  const own = { at, call: `call_${ofDay}_${index}` };
  const record = decided(index, own);
  const { who: _who, what: _what, ...rest } = finished(index, own);
  return [{ ...record, decision: { ...record.decision!, input_digest: '' } }, rest];
}

for (const engine of engines) {
  describe(`erasure, retention and holds on ${engine.name}`, { skip: engine.skip }, () => {
    let fresh: FreshDatabase;
    let db: Db;
    let keys: KeyRing;
    let log: OpenAuditLog;
    beforeEach(async () => {
      fresh = await engine.fresh();
      db = await fresh.open();
      keys = { current: sealingKey(newKeyText(), 'a test'), earlier: [] };
      log = await openAuditLog({ storeModule, storeOptions: { ...fresh.options, thread: 'calling', maxConnections: 1 }, keys });
      for (let ofDay = 0; ofDay < 4; ofDay++) {
        const calls = Array.from({ length: 100 }, (_, index) => call(ofDay, index));
        await Promise.all(
          calls.map(async ([first, last], index) => {
            await log.append(first, keptInput(index));
            log.hand(last);
          }),
        );
        await log.flush();
      }
    });
    afterEach(async () => {
      await log.close();
      await db.close();
      await fresh.drop();
    });

    /** For each day and user how many inputs are left, and why the others are not. */
    const left = async (): Promise<Record<string, number>> => {
      const counts: Record<string, number> = {};
      for await (const { record, input } of createRecordedDecisions(db, keys).read({ tenant })) {
        const key = `${record.at.slice(0, 10)} ${input.state === 'absent' ? input.why : input.state}`;
        counts[key] = (counts[key] ?? 0) + 1;
      }
      return counts;
    };
    const all = { [`${day(0)} kept`]: 100, [`${day(1)} kept`]: 100, [`${day(2)} kept`]: 100, [`${day(3)} kept`]: 100 };
    const { [`${day(1)} kept`]: _gone, ...others } = all;
    const hold = (scope: HoldScope) => addHold(db, tenant, { ...scope, reason: 'a court asks', madeBy: 'sofia' }, startMs);
    const erase = (from: number, until = from) =>
      eraseDays(db, keys, { tenant, fromDay: day(from), untilDay: day(until), why: 'erased', nowMs: startMs + 4 * dayMs });
    const options = (inputDays: number, recordDays: RetentionOptions['recordDays']): RetentionOptions => ({
      tenant,
      inputDays,
      recordDays,
      nowMs: startMs + 4 * dayMs,
    });
    const expired = (...given: Parameters<typeof options>) =>
      withLease(db, { tenant, name: 'audit-expiry', holder: 'me', forMs: 60_000 }, Date.now, () => expire(db, keys, options(...given)));

    it('erases a day: its inputs do not open any more, all else does, and the log verifies', async () => {
      assert.deepEqual(await left(), all);
      assert.deepEqual(await erase(1), [{ day: day(1), held: 0 }]);
      assert.deepEqual(await left(), { ...others, [`${day(1)} erased`]: 100 });
      assert.equal((await verifyAudit(db, { tenant })).ok, true);
      assert.deepEqual(await erase(1), [], 'a second time there is nothing left');
    });

    it('leaves no trace of the erased key in the file', { skip: engine.name === 'postgres' }, async () => {
      const [row] = await db.query<{ wrapped_key: Uint8Array }>('SELECT wrapped_key FROM audit_window WHERE day = $1', [day(1)]);
      const path = 'path' in fresh.options ? fresh.options.path : '';
      const isIn = (): boolean =>
        [path, `${path}-wal`].some((file) => existsSync(file) && readFileSync(file).includes(Buffer.from(row!.wrapped_key)));
      assert.equal(isIn(), true);
      await erase(1);
      assert.equal(isIn(), false);
    });

    it('does not erase a day that is not over, nor what is no day', async () => {
      const today = { tenant, fromDay: day(3), untilDay: day(3), why: 'erased', nowMs: startMs + 3 * dayMs + 5 } as const;
      await assert.rejects(eraseDays(db, keys, today), { code: 'request.invalid', message: /is not over yet/ });
      await assert.rejects(eraseDays(db, keys, { ...today, fromDay: 'x' }), { code: 'request.invalid', message: /is no day/ });
      assert.deepEqual(await left(), all);
    });

    it('keeps what a hold covers through erasure, until the hold is lifted', async () => {
      const { id } = await hold({ subject: 'user-1', issuer: 'https://idp.example' });
      assert.deepEqual(await erase(0, 1), [
        { day: day(0), held: 33 },
        { day: day(1), held: 33 },
      ]);
      const { [`${day(0)} kept`]: _first, ...rest } = others;
      assert.deepEqual(await left(), {
        ...rest,
        [`${day(0)} erased`]: 67,
        [`${day(0)} kept`]: 33,
        [`${day(1)} erased`]: 67,
        [`${day(1)} kept`]: 33,
      });
      const [held] = await createRecordedDecisions(db, keys).ofCall(tenant, 'call_1_1');
      assert.equal(held?.input.state === 'kept' && held.input.json.includes('"phase":"call"'), true);
      assert.deepEqual(await erase(0, 1), [], 'nothing to do while it holds');
      await removeHold(db, tenant, id);
      assert.deepEqual(await listHolds(db, tenant), []);
      assert.equal((await erase(0, 1)).length, 2);
      assert.deepEqual(await left(), { ...rest, [`${day(0)} erased`]: 100, [`${day(1)} erased`]: 100 });
    });

    it('lets inputs expire by their age, deletes what nothing opens any more, and says so once', async () => {
      const round = await expired(3, {});
      assert.deepEqual(round, { days: [day(0)], records: 0 });
      const { [`${day(0)} kept`]: _first, ...rest } = all;
      assert.deepEqual(await left(), { ...rest, [`${day(0)} expired`]: 100 });
      const rows = await db.query<{ day: string }>('SELECT DISTINCT day FROM audit_input ORDER BY day');
      assert.deepEqual(
        rows.map((row) => row.day),
        [day(1), day(2), day(3)],
      );
      assert.deepEqual(await expired(3, {}), { days: [], records: 0 });
    });

    it('takes the text of old records away, but not what is held, and the log still verifies', async () => {
      await hold({ call: 'call_0_7' });
      await log.append({ ...call(3, 99)[0], kind: 'refused' });
      const round = await expired(90, { calls: 3 });
      assert.deepEqual(round, { days: [], records: 198 });
      const verified = await verifyAudit(db, { tenant });
      assert.deepEqual([verified.ok, verified.ok && verified.removed], [true, 198]);
      assert.deepEqual(
        (await readAudit(db, { tenant, untilMs: startMs + dayMs, limit: 1000 })).map(({ record }) => record.call),
        ['call_0_7', 'call_0_7'],
      );
      assert.equal((await recentCalls(db, { tenant, sinceMs: 0, limit: 1000 })).length, 301);
      assert.deepEqual(await expired(90, { calls: 3 }), { days: [], records: 0 });
      const texts = await db.query("SELECT seq FROM audit_record WHERE record = '' AND (subject IS NOT NULL OR call_id IS NOT NULL)");
      assert.deepEqual(texts, []);
    });

    it('takes no text away of what the tree does not stand in for yet', async () => {
      assert.deepEqual(await expired(90, { calls: 1 }), { days: [], records: 600 });
      assert.equal((await verifyAudit(db, { tenant })).ok, true);
    });

    it('cannot be had past retention: neither part of a record nor a text without the lease', async () => {
      const emptied = "UPDATE audit_record SET record = '', call_id = NULL, subject = NULL, method = NULL, effect = NULL";
      await assert.rejects(db.query(`${emptied} WHERE seq = 3`), /append-only/);
      const within = (sql: string) =>
        withLease(db, { tenant, name: 'audit-expiry', holder: 'me', forMs: 1000 }, Date.now, () => db.query(sql));
      await assert.rejects(within(`${emptied}, hash = ${engine.bytes('00')} WHERE seq = 3`), /append-only/);
      await assert.rejects(within("UPDATE audit_record SET record = '' WHERE seq = 3"), /append-only/);
      await assert.rejects(within('DELETE FROM audit_record WHERE seq = 3'), /append-only/);
      await within(`${emptied} WHERE seq = 3`);
    });

    it('is done by one process at a time', async () => {
      const lease = { tenant, name: 'audit-expiry', forMs: 60_000 };
      const inner = await withLease(db, { ...lease, holder: 'one' }, Date.now, () =>
        withLease(db, { ...lease, holder: 'two' }, Date.now, () => Promise.resolve('done')),
      );
      assert.equal(inner, undefined);
      assert.equal(await withLease(db, { ...lease, holder: 'two' }, Date.now, () => Promise.resolve('done')), 'done');
    });
  });
}
