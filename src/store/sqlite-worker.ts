import { parentPort, workerData } from 'node:worker_threads';
import type { SqlValue } from '../model/ports.ts';
import { SqliteConnection, sqliteFault, type SqliteFault, type SqlRow, type StatementMode } from './sqlite-connection.ts';

/** A statement for the thread that holds the connection; `close` ends that thread. */
export interface SqliteRequest {
  readonly id: number;
  readonly sql: string;
  readonly params: readonly SqlValue[];
  /** The statement is run for each of them. */
  readonly rows?: readonly (readonly SqlValue[])[];
  readonly mode: StatementMode | 'close';
}

export type SqliteReply = { readonly id: number; readonly rows: readonly SqlRow[] } | { readonly id: number; readonly fault: SqliteFault };

if (parentPort !== null) {
  const port = parentPort;
  const connection = new SqliteConnection((workerData as { path: string }).path);
  port.on('message', (request: SqliteRequest) => port.postMessage(answer(connection, request)));
}

function answer(connection: SqliteConnection, request: SqliteRequest): SqliteReply {
  try {
    if (request.mode === 'close') connection.close();
    else if (request.rows === undefined) return { id: request.id, rows: connection.run(request.sql, request.params, request.mode) };
    else connection.each(request.sql, request.rows, request.mode);
    return { id: request.id, rows: [] };
  } catch (error) {
    return { id: request.id, fault: sqliteFault(error) };
  }
}
