import type { Db, SqlValue } from '../model/ports.ts';
import { checkValues } from './sql-values.ts';
import type { SqliteLane } from './sqlite-lane.ts';
import { storeDeadlineMs, unavailable } from './store-fault.ts';
import { Turns } from './turns.ts';
import { inTransaction, type TxStatements } from './tx-handle.ts';

/** The `Db` port over one SQLite connection. Transactions take the write lock at once, so two of them never wait for each other. */
export function sqliteDb(lane: SqliteLane): Db {
  const turns = new Turns(storeDeadlineMs);
  const within: TxStatements = {
    run: (sql, params) => lane.run(sql, params, 'within'),
    each: (sql, rows) => lane.each(sql, rows, 'within'),
  };
  let closed = false;
  const entered = <T>(alone: boolean, work: () => Promise<T>): Promise<T> =>
    closed ? Promise.reject(unavailable('the database is closed')) : turns.take(alone, work);
  return {
    engine: 'sqlite',
    query: async <Row>(sql: string, params: readonly SqlValue[] = []) => {
      checkValues(params);
      return (await entered(false, () => lane.run(sql, params, 'alone'))) as Row[];
    },
    insert: async (sql, rows) => {
      rows.forEach(checkValues);
      await entered(false, () => lane.each(sql, rows, 'alone'));
    },
    tx: (work) =>
      entered(true, async () => {
        try {
          await lane.run('BEGIN IMMEDIATE', [], 'alone');
          const result = await inTransaction('sqlite', within, work);
          await lane.run('COMMIT', [], 'within');
          return result;
        } catch (error) {
          // The fault is already on its way; a rollback fails only where SQLite has rolled back by itself, and the next statement checks.
          await lane.run('ROLLBACK', [], 'within').catch(() => undefined);
          throw error;
        }
      }),
    close: async () => {
      if (closed) return;
      closed = true;
      await turns.take(true, () => lane.close());
    },
  };
}
