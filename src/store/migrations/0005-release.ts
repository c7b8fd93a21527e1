import type { Migration } from './migration.ts';

/** Policy releases that were in force, with the time of their last activation. */
export const release: Migration = {
  version: 5,
  name: 'release',
  both: [
    `CREATE TABLE release (
      tenant TEXT NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL, git_commit TEXT, loaded_at_ms BIGINT NOT NULL,
      PRIMARY KEY (tenant, id)
    )`,
    'CREATE INDEX release_loaded ON release (tenant, loaded_at_ms)',
  ],
  sqlite: [],
  postgres: [],
};
