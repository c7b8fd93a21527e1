import { existsSync, readFileSync } from 'node:fs';
import type { Db } from '../../src/model/ports.ts';
import { openDb as openReal, type StoreOptions } from '../../src/store/open.ts';

/** The real store, whose SQLite file may grow to the number of pages that a file beside it names: a disk that a test can fill and empty. */
export async function openDb(options: StoreOptions & { readonly limitFile: string }): Promise<Db> {
  const { limitFile, ...rest } = options;
  const db = await openReal(rest);
  return {
    ...db,
    tx: async (work) => {
      const pages = existsSync(limitFile) ? Number(readFileSync(limitFile, 'utf8')) : 4_294_967_294;
      await db.query(`PRAGMA max_page_count = ${pages}`);
      return db.tx(work);
    },
  };
}
