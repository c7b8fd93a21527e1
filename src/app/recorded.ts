import { createRecordedDecisions } from '../audit/recorded-decisions.ts';
import type { Config } from '../config/schema-types.ts';
import type { Db } from '../model/ports.ts';
import type { RecordedDecisions } from '../model/recorded.ts';
import { openDb } from '../store/open.ts';
import { storeOptions } from './stores.ts';
import { readInputKeys } from './input-keys.ts';

/**
 * The decisions on record in a configuration's database, for as long as `work` takes; also beside a running gateway.
 * @throws GatewayError `config.invalid`, `store.unavailable`, `request.invalid` as the port says
 */
export async function withRecorded<T>(config: Config, work: (recorded: RecordedDecisions, db: Db) => Promise<T>): Promise<T> {
  const db = await openDb(storeOptions(config));
  try {
    return await work(createRecordedDecisions(db, readInputKeys(config)), db);
  } finally {
    await db.close();
  }
}
