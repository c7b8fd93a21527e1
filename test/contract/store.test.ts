import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Db, SqlValue } from '../../src/model/ports.ts';
import { migrations } from '../../src/store/migrations/all.ts';
import { openDb } from '../../src/store/open.ts';
import { engines, type FreshDatabase } from './engines.ts';

for (const engine of engines) {
  describe(`store on ${engine.name}`, { skip: engine.skip }, () => {
    let fresh: FreshDatabase;
    let db: Db;
    beforeEach(async () => {
      fresh = await engine.fresh();
      db = await fresh.open();
    });
    afterEach(async () => {
      await db.close();
      await fresh.drop();
    });

    it('has every migration once, and opening again changes nothing', async () => {
      const before = await db.query('SELECT version, name, checksum, applied_at_ms FROM schema_migration ORDER BY version');
      assert.deepEqual(
        before.map((row) => [row['version'], row['name']]),
        migrations.map((migration) => [migration.version, migration.name]),
      );
      const again = await fresh.open();
      assert.deepEqual(await again.query('SELECT version, name, checksum, applied_at_ms FROM schema_migration ORDER BY version'), before);
      await again.close();
    });

    it('is migrated once when several processes open an empty database together', async () => {
      const empty = await engine.fresh();
      const all = await Promise.all(Array.from({ length: 4 }, () => empty.open()));
      assert.deepEqual(await all[0]!.query('SELECT count(*) AS n FROM schema_migration'), [{ n: migrations.length }]);
      await Promise.all(all.map((one) => one.close()));
      await empty.drop();
    });

    it('refuses a database that is newer than the program', async () => {
      await db.query("INSERT INTO schema_migration (version, name, checksum, applied_at_ms) VALUES (999, 'later', 'x', 0)");
      await assert.rejects(fresh.open(), { code: 'config.invalid', message: /the database has schema 999 and this program knows \d+/ });
    });

    it('refuses a database that other texts made', async () => {
      await db.query("UPDATE schema_migration SET checksum = 'sha256:0' WHERE version = 2");
      await assert.rejects(fresh.open(), {
        code: 'config.invalid',
        message: /migration 2 `approval` is not the text that made this database/,
      });
    });

    it('puts a tenant on every table', async () => {
      const sql =
        engine.name === 'sqlite'
          ? "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
          : "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'";
      for (const { name } of await db.query<{ name: string }>(sql))
        if (name !== 'schema_migration') await db.query(`SELECT tenant FROM ${name}`);
    });

    it('tells upper from lower case in comparisons, keys and patterns', async () => {
      await pin(db, 'Fs');
      await pin(db, 'fs');
      assert.deepEqual(await db.query('SELECT upstream FROM tool_pin WHERE upstream = $1', ['fs']), [{ upstream: 'fs' }]);
      assert.deepEqual(await db.query('SELECT upstream FROM tool_pin WHERE upstream LIKE $1', ['F%']), [{ upstream: 'Fs' }]);
    });

    it('binds placeholders by number, in any order and more than once', async () => {
      await pin(db, 'fs', 'read', 7);
      const rows = await db.query('SELECT digest, first_seen_ms FROM tool_pin WHERE tool = $2 AND upstream = $1 AND tool <> $1', [
        'fs',
        'read',
      ]);
      assert.deepEqual(rows, [{ digest: 'd', first_seen_ms: 7 }]);
    });

    it('inserts many rows by one statement, in order, and passes over those that are there', async () => {
      const row = (n: number): SqlValue[] => ['t', 'main', 'name', `value ${n}`, n];
      const sql =
        'INSERT INTO audit_term (tenant, log, field, value, segment) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, log, field, value, segment) DO NOTHING';
      await db.insert(sql, [row(0)]);
      await db.tx((tx) =>
        tx.insert(
          sql,
          Array.from({ length: 37 }, (_, n) => row(n)),
        ),
      );
      const kept = await db.query<{ value: string; segment: number }>('SELECT value, segment FROM audit_term ORDER BY segment');
      assert.deepEqual(
        kept,
        Array.from({ length: 37 }, (_, n) => ({ value: `value ${n}`, segment: n })),
      );
      await assert.rejects(db.insert(sql, [['t\0', 'main', 'name', 'x', 1]]), { code: 'request.invalid' });
    });

    it('keeps 64-bit integers exact: a number where a number is exact, else a bigint', async () => {
      const values = [0, -1, Number.MAX_SAFE_INTEGER, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n];
      for (const [index, value] of values.entries()) await pin(db, 'n', String(index), value);
      const rows = await db.query<{ first_seen_ms: unknown }>("SELECT first_seen_ms FROM tool_pin WHERE upstream = 'n' ORDER BY tool");
      assert.deepEqual(
        rows.map((row) => row.first_seen_ms),
        values,
      );
      await assert.rejects(pin(db, 'n', 'fraction', 1.5), TypeError);
      await assert.rejects(pin(db, 'n', 'beyond', 2n ** 63n), TypeError);
    });

    it('keeps any text that is Unicode, unchanged', async () => {
      const texts = [
        'żółć',
        '日本語',
        '👩‍👩‍👧',
        'e\u0301 is not é',
        '\u202eright to left',
        "'; DROP TABLE approval; --",
        '\ufffd\uffff\u0001',
        '',
      ];
      for (const text of texts) await pin(db, 'text', text);
      const rows = await db.query<{ tool: string }>("SELECT tool FROM tool_pin WHERE upstream = 'text'");
      assert.deepEqual(new Set(rows.map((row) => row.tool)), new Set(texts));
    });

    it('refuses a NUL and half a surrogate pair, which one engine would change or reject', async () => {
      for (const text of ['a\0b', '\ud83d', '\ude00x']) await assert.rejects(pin(db, 'text', text), { code: 'request.invalid' });
      assert.deepEqual(await db.query('SELECT count(*) AS n FROM tool_pin'), [{ n: 0 }]);
    });

    it('keeps all of a transaction or nothing', async () => {
      const kept = await db.tx(async (tx) => {
        await pin(tx, 'kept');
        return 'result';
      });
      assert.equal(kept, 'result');
      const thrown = new Error('the work failed');
      await assert.rejects(
        db.tx(async (tx) => {
          await pin(tx, 'lost');
          throw thrown;
        }),
        (error) => error === thrown,
      );
      assert.deepEqual(await db.query('SELECT upstream FROM tool_pin'), [{ upstream: 'kept' }]);
    });

    it('shows nobody what a transaction did before it ends', async () => {
      const other = await fresh.open();
      await db.tx(async (tx) => {
        await pin(tx, 'fs');
        assert.deepEqual(await other.query('SELECT upstream FROM tool_pin'), []);
      });
      assert.deepEqual(await other.query('SELECT upstream FROM tool_pin'), [{ upstream: 'fs' }]);
      await other.close();
    });

    it('dooms a transaction in which a statement failed, even when the work ignores it', async () => {
      const work = db.tx(async (tx) => {
        await pin(tx, 'before');
        await tx.query('SELECT nonsense FROM nowhere').catch(() => undefined);
        await pin(tx, 'after').catch(() => undefined);
      });
      await assert.rejects(work, /nowhere/);
      assert.deepEqual(await db.query('SELECT upstream FROM tool_pin'), []);
    });

    it('refuses a nested transaction and a handle that outlived its transaction', async () => {
      let outlived: Db | undefined;
      await db.tx(async (tx) => {
        outlived = tx;
        await assert.rejects(
          tx.tx(() => Promise.resolve()),
          TypeError,
        );
      });
      await assert.rejects(outlived!.query('SELECT 1 AS one'), TypeError);
    });

    it('serialises transactions that read and then write: no update is lost', async () => {
      await pin(db, 'counter', 'n', 0);
      const other = await fresh.open();
      const lock = engine.name === 'postgres' ? ' FOR UPDATE' : '';
      const increment = (handle: Db) =>
        handle.tx(async (tx) => {
          const rows = await tx.query<{ n: number }>(`SELECT first_seen_ms AS n FROM tool_pin WHERE upstream = 'counter'${lock}`);
          await tx.query("UPDATE tool_pin SET first_seen_ms = $1 WHERE upstream = 'counter'", [rows[0]!.n + 1]);
        });
      await Promise.all(Array.from({ length: 40 }, (_, index) => increment(index % 2 === 0 ? db : other)));
      assert.deepEqual(await db.query("SELECT first_seen_ms AS n FROM tool_pin WHERE upstream = 'counter'"), [{ n: 40 }]);
      await other.close();
    });

    it('refuses to change, delete or truncate audit records, and to move a head back', async () => {
      await db.query(
        "INSERT INTO audit_record (tenant, log, seq, hash, at_ms, kind, record) VALUES ('t', 'main', 1, 'h', 0, 'system', '{}')",
      );
      await db.query("INSERT INTO audit_head (tenant, log, seq, hash) VALUES ('t', 'main', 1, 'h')");
      const forbidden = ["UPDATE audit_record SET record = '{ }'", 'DELETE FROM audit_record', 'DELETE FROM audit_head'];
      if (engine.name === 'postgres') forbidden.push('TRUNCATE audit_record', 'TRUNCATE audit_head');
      for (const sql of forbidden) await assert.rejects(db.query(sql), /append-only|stays/, sql);
      await assert.rejects(db.query('UPDATE audit_head SET seq = 0'), /only moves forward/);
      await db.query('UPDATE audit_head SET seq = 2');
    });

    it('answers `store.unavailable` after it was closed', async () => {
      const other = await fresh.open();
      await other.close();
      await other.close();
      await assert.rejects(other.query('SELECT 1 AS one'), { code: 'store.unavailable' });
    });

    it('rolls back a transaction that does not end, and serves the others', { timeout: 20_000 }, async () => {
      await assert.rejects(
        db.tx(async (tx) => {
          await pin(tx, 'forgotten');
          await new Promise(() => undefined);
        }),
        { code: 'store.unavailable', message: /took too long/ },
      );
      assert.deepEqual(await db.query('SELECT upstream FROM tool_pin'), []);
    });
  });
}

it('tells clearly that a database cannot be reached', async () => {
  await assert.rejects(openDb({ kind: 'postgres', url: 'postgres://nobody@127.0.0.1:1/none' }), { code: 'store.unavailable' });
  await assert.rejects(openDb({ kind: 'sqlite', path: '/proc/none/castellan.db' }), { code: 'store.unavailable' });
  await assert.rejects(openDb({ kind: 'sqlite', path: ':memory:' }), { code: 'config.invalid' });
});

async function pin(db: Db, upstream: string, tool = 'tool', firstSeenMs: number | bigint = 1): Promise<void> {
  await db.query("INSERT INTO tool_pin (tenant, upstream, tool, digest, first_seen_ms) VALUES ('t', $1, $2, 'd', $3)", [
    upstream,
    tool,
    firstSeenMs,
  ]);
}
