import type { Migration } from './migration.ts';

/**
 * What the log is searched by beside its own indexes, and how far each sink has got. A term says that some record of a segment (1024
 * numbers) has this value: a few rows a segment instead of an index entry a record. A term with an empty field and value names the first
 * segment whose terms are complete; where a log has none, that is segment 0.
 */
export const auditSearch: Migration = {
  version: 8,
  name: 'audit_search',
  both: [
    `CREATE TABLE audit_term (
      tenant TEXT NOT NULL, log TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL, segment BIGINT NOT NULL,
      PRIMARY KEY (tenant, log, field, value, segment)
    )`,
    `INSERT INTO audit_term (tenant, log, field, value, segment)
      SELECT tenant, log, '', '', (seq - seq % 1024) / 1024 + 1 FROM audit_head WHERE seq > 0`,
    `CREATE TABLE audit_sink (
      tenant TEXT NOT NULL, log TEXT NOT NULL, name TEXT NOT NULL, seq BIGINT NOT NULL,
      holder TEXT NOT NULL, lease_until_ms BIGINT NOT NULL, changed_at_ms BIGINT NOT NULL,
      PRIMARY KEY (tenant, log, name)
    )`,
  ],
  sqlite: [],
  postgres: [],
};
