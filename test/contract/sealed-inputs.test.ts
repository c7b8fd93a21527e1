import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { checkInput } from '../../src/audit/input-commitment.ts';
import { openAuditLog, type OpenAuditLog } from '../../src/audit/open.ts';
import { createRecordedDecisions } from '../../src/audit/recorded-decisions.ts';
import { newKeyText, sealingKey, type KeyRing } from '../../src/audit/sealed-keys.ts';
import { SealedReader } from '../../src/audit/sealed-reader.ts';
import { adoptKeys } from '../../src/audit/sealed-windows.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import type { Db } from '../../src/model/ports.ts';
import type { RecordedDecision } from '../../src/model/recorded.ts';
import { keptInput, textOf } from '../audit/inputs.ts';
import { decided, finished, startMs } from '../audit/records.ts';
import { engines, type FreshDatabase } from './engines.ts';

const storeModule = new URL('../../src/store/open.ts', import.meta.url).href;
const tenant = 'default';
const ring = (): KeyRing => ({ current: sealingKey(newKeyText(), 'a test'), earlier: [] });

/** A decided record as the stages make it: the digest of its input is still to come. */
function open(index: number, changes: Partial<AuditRecord> = {}): AuditRecord {
  const record = decided(index, changes);
  return { ...record, decision: { ...record.decision!, input_digest: '' } };
}

async function all(given: AsyncIterable<RecordedDecision>): Promise<RecordedDecision[]> {
  const found: RecordedDecision[] = [];
  for await (const one of given) found.push(one);
  return found;
}

for (const engine of engines) {
  describe(`sealed inputs on ${engine.name}`, { skip: engine.skip }, () => {
    let fresh: FreshDatabase;
    let db: Db;
    let keys: KeyRing;
    let log: OpenAuditLog;
    const openLog = () => openAuditLog({ storeModule, storeOptions: { ...fresh.options, thread: 'calling', maxConnections: 1 }, keys });
    beforeEach(async () => {
      fresh = await engine.fresh();
      db = await fresh.open();
      keys = ring();
      log = await openLog();
    });
    afterEach(async () => {
      await log.close();
      await db.close();
      await fresh.drop();
    });

    it('gives every input back as it was, in the order of the records, whatever stood in one group', async () => {
      const inputs = Array.from({ length: 300 }, (_, index) => keptInput(index));
      await Promise.all(
        inputs.map(async (input, index) => {
          if (index % 40 === 0) await log.flush();
          await log.append(open(index), input);
          log.hand(
            finished(index, index % 3 === 0 ? { decision: open(index).decision! } : {}),
            index % 3 === 0 ? keptInput(1000 + index) : undefined,
          );
        }),
      );
      await log.flush();
      const found = await all(createRecordedDecisions(db, keys).read({ tenant }));
      assert.equal(found.length, 400);
      for (const { record, input, entry } of found) {
        if (record.kind !== 'decided') continue;
        const index = Number(record.call!.slice('call_'.length));
        assert.deepEqual([entry, input], ['gateway/call', { state: 'kept', json: textOf(inputs[index]!) }]);
      }
      assert.deepEqual(
        found.map(({ seq }) => seq),
        found.map(({ seq }) => seq).sort((a, b) => a - b),
      );
      assert.equal((await verifyAudit(db, { tenant })).ok, true);
    });

    it('stores what inputs have in common once, and another process reads it', async () => {
      for (let index = 0; index < 30; index++) await log.append(open(index), keptInput(index));
      const rows = await db.query<{ sealed: Uint8Array }>('SELECT sealed FROM audit_input');
      const bytes = rows.reduce((sum, { sealed }) => sum + sealed.length, 0);
      assert.ok(bytes / 30 < 400, `${bytes / 30} bytes each`);
      const other = await fresh.open();
      const [last] = await createRecordedDecisions(other, keys).ofCall(tenant, 'call_29');
      assert.equal(last?.input.state, 'kept');
      await other.close();
    });

    it('puts a commitment into the record that only the salt opens, and finds an input of another record', async () => {
      await log.append(open(1), keptInput(1));
      await log.append(open(2), keptInput(1));
      const reader = new SealedReader(db, keys, tenant, 'main');
      const inputs = await reader.open(1, 2);
      const [one, two] = await all(createRecordedDecisions(db, keys).read({ tenant }));
      const [first, second] = [inputs.get(1)!, inputs.get(2)!];
      assert.match(one!.record.decision!.input_digest, /^sha256:[0-9a-f]{64}$/);
      assert.notEqual(one!.record.decision!.input_digest, two!.record.decision!.input_digest);
      assert.equal(checkInput(one!.record, first.json, first.salt), true);
      assert.equal(checkInput(one!.record, second.json, second.salt), false);
      assert.equal(checkInput(one!.record, first.json.replace('"amount":', '"amount":1'), first.salt), false);
    });

    it('opens nothing with another key, and refuses to start with it', async () => {
      await log.append(open(1), keptInput(1));
      await assert.rejects(adoptKeys(db, ring()), { code: 'config.invalid', message: /does not open the inputs on record/ });
      await assert.rejects(all(createRecordedDecisions(db, ring()).read({ tenant })), { code: 'request.invalid' });
    });

    it('goes on under a new key, and no longer needs the earlier one', async () => {
      await log.append(open(1), keptInput(1));
      const next: KeyRing = { current: ring().current, earlier: [keys.current] };
      await adoptKeys(db, next);
      const alone: KeyRing = { current: next.current, earlier: [] };
      await adoptKeys(db, alone);
      const [one] = await all(createRecordedDecisions(db, alone).read({ tenant }));
      assert.equal(one?.input.state, 'kept');
      await assert.rejects(adoptKeys(db, keys), { code: 'config.invalid' });
    });

    it('does not open a row that was moved to another place', async () => {
      await log.append(open(1), keptInput(1));
      await log.append(open(2), keptInput(2));
      const rows = await db.query<{ first_seq: number; sealed: Uint8Array }>(
        'SELECT first_seq, sealed FROM audit_input ORDER BY first_seq',
      );
      await db.query('UPDATE audit_input SET sealed = $1 WHERE first_seq = $2', [rows[0]!.sealed, rows[1]!.first_seq]);
      await assert.rejects(all(createRecordedDecisions(db, keys).read({ tenant })), {
        code: 'request.invalid',
        message: /changed or moved/,
      });
    });

    it('keeps the inputs of each tenant and of each day apart', async () => {
      const later = (index: number): Partial<AuditRecord> => ({ at: new Date(startMs + index * 86_400_000).toISOString() });
      for (const index of [0, 1, 2]) {
        await log.append(open(index, later(index)), keptInput(index));
        await log.append(open(index, { ...later(index), tenant: 'other' }), keptInput(index));
      }
      const windows = await db.query<{ tenant: string; day: string }>('SELECT tenant, day FROM audit_window ORDER BY tenant, day');
      assert.equal(windows.length, 6);
      const found = await all(createRecordedDecisions(db, keys).read({ tenant: 'other', sinceMs: startMs + 86_400_000 }));
      assert.deepEqual(
        found.map(({ record, input }) => [record.tenant, record.call, input.state]),
        [
          ['other', 'call_1', 'kept'],
          ['other', 'call_2', 'kept'],
        ],
      );
    });
  });
}
