import type { Migration } from './migration.ts';

/** The definition of each tool as it was first seen. */
export const toolPin: Migration = {
  version: 4,
  name: 'tool_pin',
  both: [
    `CREATE TABLE tool_pin (
      tenant TEXT NOT NULL, upstream TEXT NOT NULL, tool TEXT NOT NULL, digest TEXT NOT NULL, first_seen_ms BIGINT NOT NULL,
      PRIMARY KEY (tenant, upstream, tool)
    )`,
  ],
  sqlite: [],
  postgres: [],
};
