import { Worker } from 'node:worker_threads';
import type { SqlValue } from '../model/ports.ts';
import { workerUrl } from '../model/worker-url.ts';
import { SqliteConnection, sqliteFault, type SqliteFault, type SqlRow, type StatementMode } from './sqlite-connection.ts';
import type { SqliteReply, SqliteRequest } from './sqlite-worker.ts';
import { storeDeadlineMs, unavailable } from './store-fault.ts';

/** One connection's statements, in the order in which they were given. */
export interface SqliteLane {
  /** @throws GatewayError `store.unavailable`; Error for a fault of the statement itself */
  run(sql: string, params: readonly SqlValue[], mode: StatementMode, deadlineMs?: number): Promise<SqlRow[]>;
  /** The same statement for each row of values; alone, each row is a transaction of its own. */
  each(sql: string, rows: readonly (readonly SqlValue[])[], mode: StatementMode): Promise<void>;
  close(): Promise<void>;
}

/** The connection in the calling thread: for a thread that has nothing else to do than to wait for the disk. */
export function callingThreadLane(path: string): SqliteLane {
  const connection = new SqliteConnection(path);
  const now = <T>(work: () => T): Promise<T> => {
    try {
      return Promise.resolve(work());
    } catch (error) {
      return Promise.reject(raised(sqliteFault(error)));
    }
  };
  return {
    run: (sql, params, mode) => now(() => connection.run(sql, params, mode)),
    each: (sql, rows, mode) => now(() => connection.each(sql, rows, mode)),
    close: () => {
      connection.close();
      return Promise.resolve();
    },
  };
}

interface Pending {
  readonly resolve: (rows: SqlRow[]) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** The connection in a thread of its own, which is started at the first statement and again when it died. */
export class OwnThreadLane implements SqliteLane {
  readonly #path: string;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #lastId = 0;

  constructor(path: string) {
    this.#path = path;
  }

  run(sql: string, params: readonly SqlValue[], mode: StatementMode, deadlineMs = storeDeadlineMs): Promise<SqlRow[]> {
    return this.#ask({ id: ++this.#lastId, sql, params, mode }, deadlineMs);
  }

  async each(sql: string, rows: readonly (readonly SqlValue[])[], mode: StatementMode): Promise<void> {
    await this.#ask({ id: ++this.#lastId, sql, params: [], rows, mode }, storeDeadlineMs);
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    try {
      await this.#ask({ id: ++this.#lastId, sql: '', params: [], mode: 'close' }, storeDeadlineMs);
    } finally {
      await worker.terminate();
    }
  }

  #ask(request: SqliteRequest, deadlineMs: number): Promise<SqlRow[]> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(request.id);
        reject(unavailable('the database did not answer in time; try again'));
      }, deadlineMs);
      this.#pending.set(request.id, { resolve, reject, timer });
      (this.#worker ??= this.#start()).postMessage(request);
    });
  }

  #start(): Worker {
    const worker = new Worker(workerUrl(import.meta.url, './sqlite-worker'), { workerData: { path: this.#path } });
    let cause: unknown;
    worker.on('message', (reply: SqliteReply) => {
      const pending = this.#take(reply.id);
      if (pending === undefined) return;
      if ('fault' in reply) pending.reject(raised(reply.fault));
      else pending.resolve(reply.rows as SqlRow[]);
    });
    worker.on('error', (error: unknown) => {
      cause = error;
    });
    worker.on('exit', () => {
      this.#worker = undefined;
      for (const id of [...this.#pending.keys()])
        this.#take(id)?.reject(unavailable('the thread of the database ended; it is started again', cause));
    });
    return worker;
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    return pending;
  }
}

function raised(fault: SqliteFault): Error {
  const cause = new Error(fault.message);
  return fault.unavailable ? unavailable('the database cannot be used now; see the log for its fault and try again', cause) : cause;
}
