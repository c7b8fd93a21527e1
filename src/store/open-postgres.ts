import { Client } from 'pg';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { migrate } from './migrate.ts';
import type { StoreOptions } from './open.ts';
import { isPostgresOutage } from './postgres-outage.ts';
import { postgresDb, postgresSettings } from './postgres-db.ts';
import { unavailable } from './store-fault.ts';

/** A PostgreSQL database, brought to this program's schema; `openDb` says what holds of it. Migrations may take `migrationDeadlineMs`. */
export async function openPostgres(options: Extract<StoreOptions, { kind: 'postgres' }>, migrationDeadlineMs: number): Promise<Db> {
  const client = new Client(postgresSettings(options.url, migrationDeadlineMs));
  client.on('error', () => undefined); // a connection that dies here fails the statement that waits on it
  try {
    await client.connect();
    const encoding = await client.query<{ server_encoding: string }>('SHOW server_encoding');
    if (encoding.rows[0]?.server_encoding !== 'UTF8')
      throw new GatewayError('config.invalid', 'the PostgreSQL database must have the encoding UTF8: create it with `ENCODING UTF8`');
    await migrate({
      engine: 'postgres',
      run: async (sql, params = []) => (await client.query<Record<string, unknown>>(sql, [...params])).rows,
    });
  } catch (error) {
    if (error instanceof GatewayError || !isPostgresOutage(error)) throw error;
    throw unavailable('the database cannot be reached; is it running, and are address and password right?', error);
  } finally {
    await client.end().catch(() => undefined); // it was only lent for the migrations
  }
  return postgresDb(options.url, options.maxConnections ?? 8);
}
