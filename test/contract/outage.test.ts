import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openAuditLog } from '../../src/audit/open.ts';
import { readAudit } from '../../src/audit/read.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { openDb } from '../../src/store/open.ts';
import { decided, finished } from '../audit/records.ts';
import { engines } from './engines.ts';
import { tcpProxy } from './tcp-proxy.ts';

const storeModule = new URL('../../src/store/open.ts', import.meta.url).href;
const postgres = engines.find((engine) => engine.name === 'postgres')!;

describe('a PostgreSQL that is away', { skip: postgres.skip }, () => {
  for (const state of ['cut', 'frozen'] as const) {
    it(`is told within 2 s when its wire is ${state}, and used again when it is mended`, { timeout: 40_000 }, async () => {
      const fresh = await postgres.fresh();
      if (fresh.options.kind !== 'postgres') throw new TypeError('expected PostgreSQL');
      const direct = await fresh.open();
      const url = new URL(fresh.options.url);
      const proxy = await tcpProxy(url.hostname, Number(url.port));
      url.host = `127.0.0.1:${proxy.port}`;
      const storeOptions = { kind: 'postgres', url: url.href } as const;
      const db = await openDb(storeOptions);
      const log = await openAuditLog({ storeModule, storeOptions: { ...storeOptions, maxConnections: 1 } });
      const acknowledged = [(await log.append(decided(1))).seq];

      proxy.set(state);
      for (const _ of [1, 2]) {
        await within(2_000, assert.rejects(db.query('SELECT 1 AS one'), { code: 'store.unavailable' }));
        await within(
          2_000,
          assert.rejects(
            db.tx((tx) => tx.query('SELECT 1 AS one')),
            { code: 'store.unavailable' },
          ),
        );
        log.hand(finished(1));
        await within(2_000, assert.rejects(log.append(decided(2)), { code: 'audit.unavailable' }));
      }

      proxy.set('open');
      acknowledged.push((await eventually(() => log.append(decided(3)))).seq);
      assert.deepEqual(await eventually(() => db.query('SELECT 1 AS one')), [{ one: 1 }]);
      await log.flush();
      const seqs = (await readAudit(direct, { tenant: 'default' })).map((one) => one.seq);
      for (const seq of acknowledged) assert.ok(seqs.includes(seq));
      assert.equal((await readAudit(direct, { tenant: 'default', kind: 'finished' })).length, 2, 'what was handed over is kept');
      assert.equal((await verifyAudit(direct, { tenant: 'default' })).ok, true);
      await log.close();
      await db.close();
      await proxy.close();
      await direct.close();
      await fresh.drop();
    });
  }

  it('does not end the process when it ends a connection in the middle of a transaction', async () => {
    const fresh = await postgres.fresh();
    const db = await fresh.open();
    const work = db.tx(async (tx) => {
      const [mine] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await fresh.raw(`SELECT pg_terminate_backend(${mine!.pid})`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await tx.query('SELECT 1 AS one');
    });
    await assert.rejects(work, { code: 'store.unavailable' });
    assert.deepEqual(await db.query('SELECT 1 AS one'), [{ one: 1 }]);
    await db.close();
    await fresh.drop();
  });
});

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const startMs = performance.now();
  const result = await work;
  const tookMs = performance.now() - startMs;
  // A tenth more for a machine that is busy with other tests.
  assert.ok(tookMs < ms * 1.1, `took ${Math.round(tookMs)} ms`);
  return result;
}

async function eventually<T>(work: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + 5_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
