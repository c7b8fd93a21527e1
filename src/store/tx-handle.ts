import type { Db, SqlValue } from '../model/ports.ts';
import { checkValues } from './sql-values.ts';
import { unavailable } from './store-fault.ts';

/** A transaction may stay open this long; then it is rolled back, since everybody else waits for it. */
export const maxTransactionMs = 5_000;

/** Statements of the connection that has the transaction. */
export interface TxStatements {
  run(sql: string, params: readonly SqlValue[]): Promise<Record<string, unknown>[]>;
  each(sql: string, rows: readonly (readonly SqlValue[])[]): Promise<void>;
}

/**
 * Runs `work` between `begin` and `commit` with a handle that serves it alone. One statement that fails dooms the whole on both engines
 * (PostgreSQL's rule): the rest is refused and nothing is kept.
 * @throws what `work` threw, or the first statement's fault
 */
export async function inTransaction<T>(engine: Db['engine'], statements: TxStatements, work: (db: Db) => Promise<T>): Promise<T> {
  let open = true;
  let failed: { readonly error: unknown } | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  const ended = (): void => {
    waiting -= 1;
  };
  const within = async <T>(statement: () => Promise<T>): Promise<T> => {
    if (!open) throw new TypeError('the transaction has ended: its handle serves only the work it was given to');
    if (failed !== undefined) throw failed.error;
    try {
      return await statement();
    } catch (error) {
      failed ??= { error };
      throw error;
    }
  };
  const inTurn = <T>(statement: () => Promise<T>): Promise<T> => {
    // One at a time: a connection has one conversation, and a doomed transaction must not send the statements behind the fault.
    const mine = waiting === 0 ? within(statement) : last.then(() => within(statement));
    waiting += 1;
    last = mine.then(ended, ended); // the caller has the fault; here it only ends the wait
    return mine;
  };
  const handle: Db = {
    engine,
    query: <Row>(sql: string, params: readonly SqlValue[] = []) =>
      inTurn(() => {
        checkValues(params);
        return statements.run(sql, params) as Promise<Row[]>;
      }),
    insert: (sql, rows) =>
      inTurn(() => {
        rows.forEach(checkValues);
        return statements.each(sql, rows);
      }),
    tx: () => Promise.reject(new TypeError('a transaction cannot be nested: use the handle it gives')),
    close: () => Promise.reject(new TypeError('a transaction cannot close the database')),
  };
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(unavailable('the transaction took too long and was rolled back')), maxTransactionMs);
  });
  try {
    const result = await Promise.race([work(handle), tooLong]);
    await last;
    if (failed !== undefined) throw failed.error;
    return result;
  } finally {
    open = false;
    clearTimeout(timer);
    await last;
  }
}
