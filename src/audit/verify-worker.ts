import { parentPort, workerData } from 'node:worker_threads';
import type { Db } from '../model/ports.ts';
import { verifyRange, type Range } from './verify-range.ts';

/** How the worker reaches the database: a module with `openDb`, and that function's options. */
export interface VerifyWorkerData {
  readonly storeModule: string;
  readonly storeOptions: unknown;
}

if (parentPort !== null) {
  const port = parentPort;
  const { storeModule, storeOptions } = workerData as VerifyWorkerData;
  const store = (await import(storeModule)) as { openDb(options: unknown): Promise<Db> };
  const opening = store.openDb(storeOptions);
  // Its fault is told by whoever asks for a range.
  opening.catch(() => undefined);
  port.on('message', (range: Range | 'close') => {
    if (range === 'close') {
      void opening.then(async (db) => db.close()).finally(() => port.close());
      return;
    }
    void opening
      .then(async (db) => verifyRange(db, range))
      .then(
        (result) => port.postMessage({ result }),
        (error: unknown) => port.postMessage({ failed: error instanceof Error ? error.message : String(error) }),
      );
  });
}
