import { searchAudit } from '../audit/query.ts';
import type { AuditReader, Environment } from '../cli/application.ts';
import { loadConfig } from '../config/load.ts';
import { openDb } from '../store/open.ts';
import { storeOptions } from './stores.ts';
import { exportFile } from './audit-export.ts';
import { auditSearch } from './audit-filter.ts';
import { readInputKeys } from './input-keys.ts';

/** The audit log of a configuration's database. @throws GatewayError `config.invalid`, `store.unavailable` */
export async function openAuditReader(configPath: string, env: Environment): Promise<AuditReader> {
  const { config } = loadConfig(configPath, env);
  const db = await openDb(storeOptions(config));
  return {
    search: (query) => searchAudit(db, auditSearch(config.tenant, query)),
    export: (query) => {
      const keys = query.get('inputs') === 'true' ? readInputKeys(config) : undefined;
      return exportFile(db, config, config.tenant, query, undefined, keys).chunks;
    },
    close: () => db.close(),
  };
}
