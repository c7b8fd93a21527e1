import { type ClientConfig, type CustomTypesConfig, Pool, type PoolClient, types } from 'pg';
import type { Db, SqlValue } from '../model/ports.ts';
import { isPostgresOutage } from './postgres-outage.ts';
import { checkValues, fromInt64 } from './sql-values.ts';
import { isUnavailable, storeDeadlineMs, unavailable } from './store-fault.ts';
import { inTransaction, maxTransactionMs } from './tx-handle.ts';

const builtin: { readonly INT8: number; readonly BYTEA: number } = types.builtins;
const defaultParser = types.getTypeParser as (type: number, format?: 'text' | 'binary') => (text: string) => unknown;

/** Connection settings for `url`: time limits on the server's side, and values as the `Db` port has them. */
export function postgresSettings(url: string, statementTimeoutMs: number): ClientConfig {
  return {
    connectionString: url,
    connectionTimeoutMillis: storeDeadlineMs,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: maxTransactionMs + 1_000,
    keepAlive: true,
    application_name: 'castellan',
    types: portTypes,
  };
}

/** The `Db` port over a pool of PostgreSQL connections. A connection that a fault touched is thrown away; the next caller gets a new one. */
export function postgresDb(url: string, maxConnections: number): Db {
  const pool = new Pool({ ...postgresSettings(url, 2_000), max: maxConnections, idleTimeoutMillis: 30_000 });
  // A connection that dies while nobody asks it: the pool drops it, and whoever asks next opens another or is told. The second listener is
  // for connections that are lent out, between two statements of a transaction: without it their end would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  let closed = false;

  const withClient = async <T>(work: (client: PoolClient, untilMs: number) => Promise<T>): Promise<T> => {
    if (closed) throw unavailable('the database is closed');
    const untilMs = performance.now() + storeDeadlineMs;
    const client = await pool.connect().catch(rethrow);
    let broken = false;
    try {
      return await work(client, untilMs);
    } catch (error) {
      broken = isUnavailable(error);
      throw error;
    } finally {
      // A connection whose state is in doubt is thrown away; PostgreSQL rolls back what it held.
      client.release(broken);
    }
  };

  return {
    engine: 'postgres',
    query: async <Row>(sql: string, params: readonly SqlValue[] = []) => {
      checkValues(params);
      return withClient(async (client, untilMs) => (await ask(client, sql, params, untilMs)) as Row[]);
    },
    insert: async (sql, rows) => {
      rows.forEach(checkValues);
      await withClient((client, untilMs) => insertRows((text, values) => ask(client, text, values, untilMs), sql, rows));
    },
    tx: (work) =>
      withClient(async (client, beginUntilMs) => {
        // Each statement has the time of a statement; `inTransaction` bounds their sum.
        const run = (sql: string, params: readonly SqlValue[], untilMs = performance.now() + storeDeadlineMs): ReturnType<typeof ask> =>
          ask(client, sql, params, untilMs);
        await run('BEGIN', [], beginUntilMs);
        try {
          const result = await inTransaction('postgres', { run, each: (sql, rows) => insertRows(run, sql, rows) }, work);
          await run('COMMIT', []);
          return result;
        } catch (error) {
          if (!isUnavailable(error)) await run('ROLLBACK', []);
          throw error;
        }
      }),
    close: async () => {
      if (closed) return;
      closed = true;
      await pool.end();
    },
  };
}

const rowsPerStatement = 16;

/** Several rows a statement, since each round trip costs: the list of `VALUES` is repeated with numbers that go on. */
async function insertRows(
  run: (sql: string, params: readonly SqlValue[]) => Promise<unknown>,
  sql: string,
  rows: readonly (readonly SqlValue[])[],
): Promise<void> {
  let next = 0;
  if (rows.length >= rowsPerStatement) {
    const many = sql.replace(/(?<= VALUES )\([^()]*\)/, (list) => repeated(list, rows[0]?.length ?? 0));
    for (; rows.length - next >= rowsPerStatement; next += rowsPerStatement)
      await run(many, rows.slice(next, next + rowsPerStatement).flat());
  }
  for (const row of rows.slice(next)) await run(sql, row);
}

function repeated(list: string, width: number): string {
  const numbered = (at: number): string => list.replace(/\$(\d+)/g, (_place, number: string) => `$${at * width + Number(number)}`);
  return Array.from({ length: rowsPerStatement }, (_, at) => numbered(at)).join(', ');
}

async function ask(client: PoolClient, sql: string, params: readonly SqlValue[], untilMs: number): Promise<Record<string, unknown>[]> {
  const leftMs = Math.max(1, Math.round(untilMs - performance.now()));
  // `query_timeout` is the driver's own clock: the server's does not help when the server or the network stands still.
  const query = { text: sql, values: params.map(bound), query_timeout: leftMs };
  return (await client.query<Record<string, unknown>>(query).catch(rethrow)).rows;
}

function rethrow(error: unknown): never {
  if (!isPostgresOutage(error)) throw error;
  throw unavailable('the database cannot be reached; see the log for its fault and try again', error);
}

function bound(value: SqlValue): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

const portTypes: CustomTypesConfig = {
  getTypeParser: (type: number, format?: 'text' | 'binary') => {
    if (type === builtin.INT8) return (text: string) => fromInt64(BigInt(text));
    const parse = defaultParser(type, format);
    // A plain array of bytes, as SQLite gives it, and no view into the driver's buffer.
    return type === builtin.BYTEA ? (text: string) => Uint8Array.from(parse(text) as Buffer) : parse;
  },
};
