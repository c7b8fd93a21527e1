import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { hashText } from '../../src/audit/columns.ts';
import { storedRecord } from '../../src/audit/read.ts';
import { writeGroup } from '../../src/audit/write-group.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import type { Db } from '../../src/model/ports.ts';
import { SinkCursor } from '../../src/sinks/cursor.ts';
import { Pump, type SinkLog } from '../../src/sinks/pump.ts';
import { SinkFault, type Sink, type SinkOptions, type SinkRecord } from '../../src/sinks/sink.ts';
import { decided, finished } from '../audit/records.ts';
import { engines, type FreshDatabase } from './engines.ts';

const tenant = 'default';
const timing = { idleMs: 20, retryMinMs: 10, retryMaxMs: 40 };

for (const engine of engines) {
  describe(`sinks on ${engine.name}`, { skip: engine.skip }, () => {
    let fresh: FreshDatabase;
    let db: Db;
    let log: SinkLog;
    const pumps: Pump[] = [];
    beforeEach(async () => {
      fresh = await engine.fresh();
      db = await fresh.open();
      log = {
        head: async () => (await db.query<{ seq: number }>('SELECT seq FROM audit_head'))[0]?.seq ?? 0,
        after: async (seq, limit) =>
          (
            await db.query<{ seq: number; hash: string; record: string }>(
              `SELECT seq, ${hashText(db.engine)}, record FROM audit_record WHERE seq > $1 ORDER BY seq LIMIT $2`,
              [seq, limit],
            )
          ).map(storedRecord),
      };
    });
    afterEach(async () => {
      await Promise.all(pumps.splice(0).map((pump) => pump.stop()));
      await db.close();
      await fresh.drop();
    });

    const write = (records: readonly AuditRecord[]) =>
      writeGroup(
        db,
        'main',
        records.map((record) => ({ text: JSON.stringify(record), again: false })),
        new Map(),
      );
    const start = (holder: string, sink: Sink, changes: Partial<SinkOptions> = {}, leaseMs = 60_000): Pump => {
      const target = { kind: 'otlp', url: 'http://127.0.0.1:1', headers: {}, allowPrivateNetwork: true } as const;
      const options: SinkOptions = {
        ...{ name: 'siem', target, from: 'start', batchRecords: 10, gatherMs: 0 },
        kinds: ['decided', 'finished', 'refused', 'admin', 'system'],
        ...changes,
      };
      const cursor = new SinkCursor(db, { tenant, log: 'main', name: options.name, holder, leaseMs });
      const nothing = (): undefined => undefined;
      const pump = new Pump({ log, cursor, sink, options, onFault: nothing, onRecovered: nothing, onDropped: nothing, timing });
      pumps.push(pump);
      pump.start();
      return pump;
    };
    const until = async (done: () => boolean | Promise<boolean>): Promise<void> => {
      for (let tries = 0; !(await done()); tries++) {
        assert.ok(tries < 500, 'it did not come to it');
        await new Promise((wake) => setTimeout(wake, 10));
      }
    };
    const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

    it('brings every record, in order, to a receiver that fails again and again, and to one that was away', async () => {
      await write(numbers(35).map((index) => decided(index)));
      const receiver = new Receiver();
      receiver.script = (attempt) => (attempt % 3 === 0 ? 'refuse' : 'take');
      const pump = start('a', receiver);
      await until(() => receiver.seqs.length >= 35);
      receiver.script = () => 'refuse';
      await write([decided(36), finished(36)]);
      await until(() => pump.state.failures > 4);
      assert.equal(pump.state.lag, 2);
      receiver.script = () => 'take';
      await until(() => receiver.seqs.length >= 37);
      assert.deepEqual(receiver.seqs, numbers(37));
      await until(() => pump.state.lag === 0);
    });

    it('goes on after a restart where it was, and sends again only what was not acknowledged', async () => {
      await write(numbers(10).map((index) => decided(index)));
      const receiver = new Receiver();
      const first = start('a', receiver, { batchRecords: 5 });
      await until(() => receiver.seqs.length === 10);
      receiver.script = () => 'lose';
      await write([decided(11)]);
      await until(() => first.state.failures > 0);
      await first.stop();
      const lost = receiver.seqs.length;
      receiver.script = () => 'take';
      start('b', receiver, { batchRecords: 5 });
      await until(() => receiver.seqs.length > lost);
      await new Promise((wake) => setTimeout(wake, 60));
      assert.deepEqual([...new Set(receiver.seqs)], numbers(11));
      assert.equal(receiver.seqs.at(-1), 11, 'what the receiver had taken without saying so comes again');
    });

    it('is fed by one replica at a time, and taken over when that one is silent', async () => {
      await write(numbers(20).map((index) => decided(index)));
      const [left, right] = [new Receiver(), new Receiver()];
      start('a', left, {}, 400);
      await until(() => left.seqs.length === 20);
      const second = start('b', right, {}, 400);
      await new Promise((wake) => setTimeout(wake, 300));
      assert.equal(second.state.isHeld, false);
      await write([decided(21)]);
      await until(() => left.seqs.length === 21);
      left.hang = true;
      await write([decided(22)]);
      await until(() => right.seqs.includes(22));
      assert.deepEqual(right.seqs, [22]);
      left.release();
    });

    it('halves a batch that is too large, and passes over a record that is too large alone', async () => {
      await write(numbers(16).map((index) => decided(index)));
      const receiver = new Receiver();
      receiver.script = (_attempt, batch) => (batch.length > 3 || batch.some(({ seq }) => seq === 7) ? 'too large' : 'take');
      const pump = start('a', receiver, { batchRecords: 16 });
      await until(() => receiver.seqs.includes(16));
      assert.deepEqual(
        [...new Set(receiver.seqs)],
        numbers(16).filter((seq) => seq !== 7),
      );
      assert.equal(pump.state.dropped, 1);
    });

    it('begins at the next record where that is wanted, and sends only the kinds that are wanted', async () => {
      await write([decided(1)]);
      const receiver = new Receiver();
      start('a', receiver, { from: 'now', kinds: ['finished'] });
      await until(async () => (await db.query('SELECT 1 FROM audit_sink')).length === 1);
      await write([decided(2), finished(2), decided(3), finished(3)]);
      await until(() => receiver.seqs.length === 2);
      assert.deepEqual(receiver.seqs, [3, 5]);
    });

    it('gathers records for a while before it sends a batch that is not full', async () => {
      const receiver = new Receiver();
      start('a', receiver, { gatherMs: 300 });
      await write([decided(1)]);
      await new Promise((wake) => setTimeout(wake, 100));
      await write([decided(2)]);
      await until(() => receiver.seqs.length > 0);
      assert.deepEqual(receiver.batches, [[1, 2]]);
    });
  });
}

/** The other side: takes, refuses, takes without saying so, or finds a batch too large. */
class Receiver implements Sink {
  readonly batches: number[][] = [];
  script: (attempt: number, batch: readonly SinkRecord[]) => 'take' | 'refuse' | 'lose' | 'too large' = () => 'take';
  hang = false;
  #attempts = 0;
  #released = Promise.withResolvers<undefined>();

  get seqs(): number[] {
    return this.batches.flat();
  }

  async send(batch: readonly SinkRecord[]): Promise<void> {
    if (this.hang) await this.#released.promise;
    const outcome = this.script(++this.#attempts, batch);
    if (outcome === 'take' || outcome === 'lose') this.batches.push(batch.map(({ seq }) => seq));
    if (outcome !== 'take') throw new SinkFault('the receiver said no', { tooLarge: outcome === 'too large' });
  }

  release(): void {
    this.script = () => 'refuse';
    this.#released.resolve(undefined);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
