import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import { openDb, type StoreOptions } from '../../src/store/open.ts';
import type { Db } from '../../src/model/ports.ts';

/** A fresh, empty database that a test may open as often as it likes. */
export interface FreshDatabase {
  readonly options: StoreOptions;
  open(): Promise<Db>;
  /** Statements past the port, as somebody with the file or the owner's password has them: triggers can be taken away. */
  raw(...statements: readonly string[]): Promise<void>;
  drop(): Promise<void>;
}

export interface Engine {
  readonly name: Db['engine'];
  /** Bytes, given in hex digits, as a literal of SQL. */
  readonly bytes: (hex: string) => string;
  /** Why it cannot run here, if it cannot. */
  readonly skip: string | false;
  fresh(): Promise<FreshDatabase>;
}

const postgresUrl = process.env['CASTELLAN_TEST_PG'];
const inCi = process.env['CI'] !== undefined && process.env['CI'] !== '';

/** Both engines. In CI PostgreSQL must be there: with neither URL nor skip, the first test on it fails. */
export const engines: readonly Engine[] = [
  { name: 'sqlite', bytes: (hex) => `x'${hex}'`, skip: false, fresh: freshSqlite },
  {
    name: 'postgres',
    bytes: (hex) => `'\\x${hex}'`,
    skip: postgresUrl === undefined && !inCi ? 'CASTELLAN_TEST_PG is not set' : false,
    fresh: freshPostgres,
  },
];

async function freshSqlite(): Promise<FreshDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'castellan-store-'));
  const options = { kind: 'sqlite', path: join(folder, 'castellan.db') } as const;
  return {
    options,
    open: () => openDb(options),
    raw: async (...statements) => {
      const database = new DatabaseSync(options.path);
      for (const statement of statements) database.exec(statement);
      database.close();
    },
    drop: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function freshPostgres(): Promise<FreshDatabase> {
  if (postgresUrl === undefined)
    throw new Error('CASTELLAN_TEST_PG must be the URL of a PostgreSQL server where tests may create databases');
  const name = `castellan_test_${randomBytes(6).toString('hex')}`;
  await onPostgres(postgresUrl, `CREATE DATABASE ${name} ENCODING 'UTF8' TEMPLATE template0`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  const options = { kind: 'postgres', url: url.href } as const;
  return {
    options,
    open: () => openDb(options),
    raw: (...statements) => onPostgres(options.url, ...statements),
    drop: () => onPostgres(postgresUrl, `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

async function onPostgres(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new Client(url);
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
