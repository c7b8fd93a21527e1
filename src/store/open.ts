import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { migrate, type MigrationConnection } from './migrate.ts';
import { busyTimeoutMs } from './sqlite-connection.ts';
import { sqliteDb } from './sqlite-db.ts';
import { callingThreadLane, OwnThreadLane, type SqliteLane } from './sqlite-lane.ts';

/** Where the data is. Plain values, so that a worker thread can be given them. */
export type StoreOptions =
  | {
      readonly kind: 'sqlite';
      readonly path: string;
      /** Where statements run. `own` (default): in a thread of its own. `calling`: in this one, for a thread that may wait for a disk. */
      readonly thread?: 'own' | 'calling';
      /** `relaxed` leaves flushing to the operating system: a power cut loses the latest commits. For measurements. Default `full`. */
      readonly durability?: 'full' | 'relaxed';
    }
  | {
      readonly kind: 'postgres';
      /** Holds a password: never log it. */
      readonly url: string;
      /** Default 8. */
      readonly maxConnections?: number;
    };

/** A step that copies a log of millions of records takes minutes. */
const migrationDeadlineMs = 600_000;

/**
 * The database, brought to this program's schema. Statements end within 2 s, with `store.unavailable` where the database is away, full or
 * locked; it recovers by itself. A statement that timed out may still have taken effect.
 * @throws GatewayError `config.invalid` when the schema is newer than the program, `store.unavailable` when the database cannot be opened
 */
export async function openDb(options: StoreOptions): Promise<Db> {
  if (options.kind === 'sqlite') return openSqlite(options);
  // Its driver is loaded where it is used: each thread that opens a database would hold it.
  const { openPostgres } = await import('./open-postgres.ts');
  return openPostgres(options, migrationDeadlineMs);
}

async function openSqlite(options: Extract<StoreOptions, { kind: 'sqlite' }>): Promise<Db> {
  if (options.path === '' || options.path.startsWith(':') || options.path.startsWith('file:'))
    throw new GatewayError(
      'config.invalid',
      `\`${options.path}\` is no path of a database file: audit and approvals must outlive the process`,
    );
  const lane: SqliteLane = options.thread === 'calling' ? callingThreadLane(options.path) : new OwnThreadLane(options.path);
  const run: MigrationConnection['run'] = (sql, params = []) => lane.run(sql, params, 'either', migrationDeadlineMs);
  try {
    await run(`PRAGMA busy_timeout = ${migrationDeadlineMs / 2}`);
    await migrate({ engine: 'sqlite', run });
    await run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    // A connection that is opened again after a fault is durable again: the safe side.
    if (options.durability === 'relaxed') await run('PRAGMA synchronous = OFF');
  } catch (error) {
    await lane.close().catch(() => undefined); // the fault that is thrown on is the one that matters
    throw error;
  }
  return sqliteDb(lane);
}
