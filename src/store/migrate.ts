import { hash } from 'node:crypto';
import { GatewayError } from '../model/errors.ts';
import type { Db, SqlValue } from '../model/ports.ts';
import { migrations, type Migration } from './migrations/all.ts';

/** Statements on one connection, for migrations only. */
export interface MigrationConnection {
  readonly engine: Db['engine'];
  run(sql: string, params?: readonly SqlValue[]): Promise<Record<string, unknown>[]>;
}

interface Applied {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

// Any constant serves, as long as nothing else in the database takes the same advisory lock.
const advisoryLock = 7_261_530_918;

/**
 * Brings the database to this program's schema: all pending migrations in one transaction, one process at a time, recorded with the
 * checksum of their text. A database that is up to date is only read.
 * @throws GatewayError `config.invalid` when the database is newer than the program, or a migration's text changed after it was applied
 */
export async function migrate(connection: MigrationConnection, wanted: readonly Migration[] = migrations): Promise<void> {
  if (pending(await applied(connection), wanted, connection.engine).length === 0) return;
  await connection.run(connection.engine === 'sqlite' ? 'BEGIN EXCLUSIVE' : 'BEGIN');
  try {
    if (connection.engine === 'postgres') await connection.run(`SELECT pg_advisory_xact_lock(${advisoryLock})`);
    await connection.run(
      'CREATE TABLE IF NOT EXISTS schema_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at_ms BIGINT NOT NULL)',
    );
    for (const migration of pending(await applied(connection), wanted, connection.engine)) {
      for (const statement of statementsOf(migration, connection.engine)) await connection.run(statement);
      await connection.run('INSERT INTO schema_migration (version, name, checksum, applied_at_ms) VALUES ($1, $2, $3, $4)', [
        migration.version,
        migration.name,
        checksum(migration, connection.engine),
        Date.now(),
      ]);
    }
    await connection.run('COMMIT');
  } catch (error) {
    await connection.run('ROLLBACK').catch(() => undefined); // the fault below says what went wrong; closing the connection also rolls back
    throw error;
  }
}

async function applied(connection: MigrationConnection): Promise<Applied[]> {
  const found = await connection.run(
    connection.engine === 'sqlite'
      ? "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migration'"
      : "SELECT 1 AS found WHERE to_regclass('schema_migration') IS NOT NULL",
  );
  if (found.length === 0) return [];
  return (await connection.run('SELECT version, name, checksum FROM schema_migration ORDER BY version')) as unknown as Applied[];
}

function pending(done: readonly Applied[], wanted: readonly Migration[], engine: Db['engine']): readonly Migration[] {
  const newest = wanted.at(-1)?.version ?? 0;
  const beyond = done.at(-1)?.version ?? 0;
  if (beyond > newest)
    throw new GatewayError(
      'config.invalid',
      `the database has schema ${beyond} and this program knows ${newest}: start the newer program, or restore the backup made before the upgrade`,
    );
  const checksums = new Map(done.map((row) => [row.version, row.checksum]));
  for (const migration of wanted) {
    const known = checksums.get(migration.version);
    if (known !== undefined && known !== checksum(migration, engine))
      throw new GatewayError(
        'config.invalid',
        `migration ${migration.version} \`${migration.name}\` is not the text that made this database: it was changed after it was applied`,
      );
  }
  return wanted.filter((migration) => !checksums.has(migration.version));
}

function statementsOf(migration: Migration, engine: Db['engine']): readonly string[] {
  return [...migration.both, ...migration[engine]];
}

function checksum(migration: Migration, engine: Db['engine']): string {
  return `sha256:${hash('sha256', statementsOf(migration, engine).join('\0'))}`;
}
