import type { AuditLogOptions } from '../audit/open.ts';
import type { KeyRing } from '../audit/sealed-keys.ts';
import type { Config } from '../config/schema-types.ts';
import type { StoreOptions } from '../store/open.ts';

/** Where a configuration keeps its data. */
export function storeOptions(config: Config): StoreOptions {
  const { postgres, sqlite } = config.store;
  if (postgres !== undefined) return { kind: 'postgres', url: postgres.url.reveal(), maxConnections: postgres.connections };
  if (sqlite !== undefined) return { kind: 'sqlite', path: sqlite.path };
  throw new TypeError('a store is one of `sqlite` and `postgres`: the configuration was checked for it');
}

/** How the audit log's worker opens the same database, and with which keys it seals inputs where they are kept. */
export function auditStore(config: Config, keys?: KeyRing): AuditLogOptions {
  const store = storeOptions(config);
  const storeModule = new URL(import.meta.url.endsWith('.ts') ? '../store/open.ts' : '../store/open.js', import.meta.url).href;
  return {
    storeModule,
    storeOptions:
      store.kind === 'sqlite' ? { ...store, thread: 'calling', durability: config.audit.durability } : { ...store, maxConnections: 1 },
    ...(keys === undefined || !config.audit.inputs.enabled ? {} : { keys }),
  };
}
