import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { SqlValue } from '../model/ports.ts';
import { fromInt64 } from './sql-values.ts';

/** `alone`: no transaction is meant to be open. `within`: one must be, else the statement is refused. `either`: not checked. */
export type StatementMode = 'alone' | 'within' | 'either';
export type SqlRow = Record<string, unknown>;

/** A fault as it crosses threads. */
export interface SqliteFault {
  readonly unavailable: boolean;
  readonly message: string;
}

/** How long a statement waits for another connection's transaction. */
export const busyTimeoutMs = 1_500;
const maxStatements = 200;

// Result codes of SQLite that a change outside the program can cure: https://sqlite.org/rescode.html
const busy = 5;
const curable = new Set([busy, 6, 7, 8, 10, 11, 13, 14, 15, 26]);
const reopenAfter = new Set([8, 10, 11, 14, 15, 26]);

interface Prepared {
  readonly statement: StatementSync;
  /** True where the placeholders are exactly $1, $2, … in order: they were turned into `?`, which binds in half the time. */
  readonly inOrder: boolean;
}

/** One connection, used synchronously by the thread that made it. It opens at the first statement, and again after a fault of the file. */
export class SqliteConnection {
  readonly #path: string;
  readonly #prepared = new Map<string, Prepared>();
  #database: DatabaseSync | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Rows as plain objects; integers as numbers where exact. @throws SqliteFault-shaped Error, see {@link sqliteFault} */
  run(sql: string, params: readonly SqlValue[], mode: StatementMode): SqlRow[] {
    return this.#on(mode, (database) => {
      const { statement, inOrder } = this.#prepare(database, sql);
      const rows = inOrder ? statement.all(...params.map(bound)) : statement.all(named(params));
      return rows.map(plain);
    });
  }

  /** The same statement for each row of values. @throws as {@link SqliteConnection.run} */
  each(sql: string, rows: readonly (readonly SqlValue[])[], mode: StatementMode): void {
    this.#on(mode, (database) => {
      const { statement, inOrder } = this.#prepare(database, sql);
      for (const row of rows)
        if (inOrder) statement.run(...row.map(bound));
        else statement.run(named(row));
    });
  }

  #on<T>(mode: StatementMode, work: (database: DatabaseSync) => T): T {
    try {
      const database = (this.#database ??= open(this.#path));
      if (mode === 'within' && !database.isTransaction) throw new LostTransaction('the transaction was lost with its connection');
      if (mode === 'alone' && database.isTransaction) database.exec('ROLLBACK');
      return work(database);
    } catch (error) {
      if (reopenAfter.has(resultCode(error))) this.close();
      throw error;
    }
  }

  close(): void {
    this.#prepared.clear();
    const database = this.#database;
    this.#database = undefined;
    if (database?.isOpen === true) database.close();
  }

  #prepare(database: DatabaseSync, sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const order: number[] = [];
    const questions = sql.replace(/'(?:[^']|'')*'|\$(\d+)/g, (text, number: string | undefined) => {
      if (number === undefined) return text;
      order.push(Number(number));
      return '?';
    });
    const inOrder = order.every((number, index) => number === index + 1);
    const statement = database.prepare(inOrder ? questions : sql);
    statement.setReadBigInts(true);
    // Texts are written by us and few; the bound only keeps a mistake from growing without end.
    if (this.#prepared.size >= maxStatements) this.#prepared.clear();
    const prepared = { statement, inOrder };
    this.#prepared.set(sql, prepared);
    return prepared;
  }
}

class LostTransaction extends Error {}

/** What a thrown value of {@link SqliteConnection.run} means to the caller. */
export function sqliteFault(error: unknown): SqliteFault {
  const message = error instanceof Error ? error.message : String(error);
  return { unavailable: error instanceof LostTransaction || curable.has(resultCode(error)) || isFileFault(error), message };
}

function open(path: string): DatabaseSync {
  const folder = dirname(path);
  // Not recursively: a mistyped path should be told, not made (and Node 24 never returns from a recursive mkdir under /proc).
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
  // Audit and keys are nobody else's to read; SQLite gives the files beside it the same mode.
  closeSync(openSync(path, 'a', 0o600));
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
  try {
    // Of a database that is made now: records of a kilobyte leave a fifth of a smaller page empty.
    database.exec('PRAGMA page_size = 8192');
    enterWal(database);
    database.exec('PRAGMA synchronous = FULL; PRAGMA recursive_triggers = ON; PRAGMA journal_size_limit = 67108864');
    database.exec('PRAGMA case_sensitive_like = ON; PRAGMA temp_store = MEMORY');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLite does not wait for others while it changes the journal's mode, so the waiting is done here. */
function enterWal(database: DatabaseSync): void {
  const giveUpAtMs = performance.now() + busyTimeoutMs;
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (resultCode(error) !== busy || performance.now() > giveUpAtMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

function resultCode(error: unknown): number {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : 0;
}

/** The folder or the file could not be made: a fault of the disk, told by Node and not by SQLite. */
function isFileFault(error: unknown): boolean {
  return typeof (error as { syscall?: unknown } | null)?.syscall === 'string';
}

/** Whole numbers go in as 64-bit integers: node:sqlite would bind a number as a real, and `LIMIT` and arithmetic would show it. */
function bound(value: SqlValue): SQLInputValue {
  return typeof value === 'number' ? BigInt(value) : value;
}

function named(params: readonly SqlValue[]): Record<string, SQLInputValue> {
  const values: Record<string, SQLInputValue> = {};
  for (const [index, value] of params.entries()) values[index + 1] = bound(value);
  return values;
}

function plain(row: Record<string, unknown>): SqlRow {
  const copy: SqlRow = {};
  for (const key in row) {
    const value = row[key];
    copy[key] = typeof value === 'bigint' ? fromInt64(value) : value;
  }
  return copy;
}
