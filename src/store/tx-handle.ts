import type { Db, SqlValue } from '../model/ports.ts';
import { checkValues } from './sql-values.ts';
import { unavailable } from './store-fault.ts';

/** A transaction may stay open this long; then it is rolled back, since everybody else waits for it. */
export const maxTransactionMs = 5_000;

type Run = (sql: string, params: readonly SqlValue[]) => Promise<Record<string, unknown>[]>;

/**
 * Runs `work` between `begin` and `commit` with a handle that serves it alone. One statement that fails dooms the whole on both engines
 * (PostgreSQL's rule): the rest is refused and nothing is kept.
 * @throws what `work` threw, or the first statement's fault
 */
export async function inTransaction<T>(engine: Db['engine'], run: Run, work: (db: Db) => Promise<T>): Promise<T> {
  let open = true;
  let failed: { readonly error: unknown } | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const within = async <Row>(sql: string, params: readonly SqlValue[]): Promise<Row[]> => {
    if (!open) throw new TypeError('the transaction has ended: its handle serves only the work it was given to');
    if (failed !== undefined) throw failed.error;
    try {
      checkValues(params);
      return (await run(sql, params)) as Row[];
    } catch (error) {
      failed ??= { error };
      throw error;
    }
  };
  const handle: Db = {
    engine,
    query: <Row>(sql: string, params: readonly SqlValue[] = []) => {
      // One at a time: a connection has one conversation, and a doomed transaction must not send the statements behind the fault.
      const mine = last.then(() => within<Row>(sql, params));
      last = mine.catch(() => undefined); // the caller of `query` has the fault; here it only ends the wait
      return mine;
    },
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
