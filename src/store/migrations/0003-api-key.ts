import type { Migration } from './migration.ts';

/** Keys of service agents. An id is unique over all tenants, since a token carries the id alone. */
export const apiKey: Migration = {
  version: 3,
  name: 'api_key',
  both: [
    `CREATE TABLE api_key (
      tenant TEXT NOT NULL, id TEXT NOT NULL UNIQUE, secret_digest TEXT NOT NULL, subject TEXT NOT NULL,
      groups_json TEXT NOT NULL, scopes_json TEXT NOT NULL, created_at_ms BIGINT NOT NULL, created_by TEXT NOT NULL,
      expires_at_ms BIGINT NOT NULL, revoked_at_ms BIGINT, last_used_at_ms BIGINT,
      PRIMARY KEY (tenant, id)
    )`,
  ],
  sqlite: [],
  postgres: [],
};
