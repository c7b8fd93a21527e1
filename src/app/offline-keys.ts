import { openAuditLog } from '../audit/open.ts';
import type { Environment, OfflineKeys } from '../cli/application.ts';
import { loadConfig } from '../config/load.ts';
import type { TenantId } from '../model/ids.ts';
import { createApiKeyBook } from '../store/api-keys.ts';
import { openDb } from '../store/open.ts';
import { createKey, keyRow } from './admin.ts';
import { systemRecord } from './rooms.ts';
import { auditStore, storeOptions } from './stores.ts';

/** Keys straight in the database of a configuration. @throws GatewayError `config.invalid`, `store.unavailable` */
export async function openOfflineKeys(configPath: string, env: Environment): Promise<OfflineKeys> {
  const { config } = loadConfig(configPath, env);
  const db = await openDb(storeOptions(config));
  const book = createApiKeyBook(db);
  const tenant = config.tenant as TenantId;
  // The log has it before it is done, as at the admin API; several processes may write to one log.
  const record = async (code: string, detail: Record<string, string>): Promise<void> => {
    const audit = await openAuditLog(auditStore(config));
    try {
      await audit.append(systemRecord(tenant, code, 'on the command line, by who may open the database', detail));
    } finally {
      await audit.close();
    }
  };
  return {
    create: async (request) => {
      await record('keys.create', { name: request.name });
      return createKey(book, config, request, 'operator', Date.now());
    },
    list: async () => (await book.list(tenant)).map(keyRow),
    revoke: async (id) => {
      await record('keys.revoke', { key: id });
      await book.revoke(tenant, id, Date.now());
      return true;
    },
    close: () => db.close(),
  };
}
