import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { migrate } from '../../src/store/migrate.ts';
import { migrations } from '../../src/store/migrations/all.ts';
import type { Db } from '../../src/model/ports.ts';
import { openDb } from '../../src/store/open.ts';
import { OwnThreadLane } from '../../src/store/sqlite-lane.ts';
import { isPostgresOutage } from '../../src/store/postgres-outage.ts';

const unavailable = { code: 'store.unavailable' };

describe('SQLite store', () => {
  let folder: string;
  let path: string;
  let db: Db;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'castellan-sqlite-'));
    path = join(folder, 'data', 'castellan.db');
    db = await openDb({ kind: 'sqlite', path });
  });
  afterEach(async () => {
    await db.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('makes its folder and files for nobody else, with a durable journal and foreign keys', async () => {
    assert.equal(statSync(join(folder, 'data')).mode & 0o777, 0o700);
    for (const file of [path, `${path}-wal`, `${path}-shm`]) assert.equal(statSync(file).mode & 0o777, 0o600, file);
    const pragma = async (name: string) => Object.values((await db.query(`PRAGMA ${name}`))[0]!)[0];
    const settings = await Promise.all(['journal_mode', 'synchronous', 'foreign_keys', 'busy_timeout'].map(pragma));
    assert.deepEqual(settings, ['wal', 2, 1, 1500]);
  });

  it('keeps the calling thread free while a statement waits for another process', async () => {
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    let turns = 0;
    const ticking = setInterval(() => (turns += 1), 10);
    const startMs = performance.now();
    await assert.rejects(
      db.tx((tx) => tx.query('SELECT 1 AS one')),
      unavailable,
    );
    assert.ok(performance.now() - startMs < 2_100);
    assert.ok(turns > 50, `the event loop turned ${turns} times`);
    clearInterval(ticking);
    other.exec('ROLLBACK');
    other.close();
    await db.tx((tx) => tx.query('SELECT 1 AS one'));
  });

  it('tells a statement that waits for the transaction it is part of, instead of hanging', async () => {
    await assert.rejects(
      db.tx(async () => {
        await db.query('SELECT 1 AS one');
      }),
      { ...unavailable, message: /busy with another transaction/ },
    );
    assert.deepEqual(await db.query('SELECT 1 AS one'), [{ one: 1 }]);
  });

  it('says what is wrong with a file that is no database, and does not touch it', async () => {
    const text = join(folder, 'text.db');
    writeFileSync(text, 'not a database '.repeat(100));
    await assert.rejects(openDb({ kind: 'sqlite', path: text }), unavailable);
    assert.ok(readFileSync(text, 'utf8').startsWith('not a database not'));
  });

  it('keeps nothing of migrations that failed half-way', async () => {
    const lane = new OwnThreadLane(join(folder, 'other.db'));
    const connection = {
      engine: 'sqlite',
      run: (sql: string, params: readonly (string | number)[] = []) => lane.run(sql, params, 'either'),
    } as const;
    const broken = { version: 2, name: 'broken', both: ['CREATE TABLE half (tenant TEXT)', 'CREATE NONSENSE'], sqlite: [], postgres: [] };
    await assert.rejects(migrate(connection, [migrations[0]!, broken]), /NONSENSE/);
    assert.deepEqual(await connection.run('SELECT name FROM sqlite_schema'), []);
    await migrate(connection, [migrations[0]!]);
    await migrate(connection, migrations);
    assert.deepEqual(await connection.run('SELECT count(*) AS n FROM schema_migration'), [{ n: migrations.length }]);
    await lane.close();
  });

  it('goes on after its thread died, and keeps nothing of the transaction that was open', async () => {
    const lane = new OwnThreadLane(path);
    const insert = "INSERT INTO tool_pin (tenant, upstream, tool, digest, first_seen_ms) VALUES ('t', 'u', 'x', 'd', 0)";
    await lane.run('BEGIN IMMEDIATE', [], 'alone');
    await lane.run(insert, [], 'within');
    await lane.close();
    await assert.rejects(lane.run(insert, [], 'within'), unavailable);
    assert.deepEqual(await lane.run('SELECT * FROM tool_pin', [], 'alone'), []);
    await lane.close();
  });

  it('cannot be written where it may only be read', { skip: process.getuid?.() === 0 && 'root may write anywhere' }, async () => {
    chmodSync(path, 0o400);
    await assert.rejects(openDb({ kind: 'sqlite', path }), unavailable);
  });
});

describe('PostgreSQL faults', () => {
  const outages = ['08006', '53100', '57014', '57P01', '40001', '55P03', '25006', 'ECONNREFUSED', 'EPIPE', undefined];
  const others = ['23505', '42601', '22021', 'P0001'];
  const fault = (code: string | undefined) => Object.assign(new Error('x'), code === undefined ? {} : { code });
  it('are told apart: what passes by itself, and what is the statement’s own', () => {
    for (const code of outages) assert.equal(isPostgresOutage(fault(code)), true, code);
    for (const code of others) assert.equal(isPostgresOutage(fault(code)), false, code);
    assert.equal(isPostgresOutage(new TypeError('ours')), false);
  });
});
