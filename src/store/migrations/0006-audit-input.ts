import type { Migration } from './migration.ts';

const window = (bytes: string): string =>
  `CREATE TABLE audit_window (
    tenant TEXT NOT NULL, log TEXT NOT NULL, day TEXT NOT NULL, first_seq BIGINT NOT NULL, kek TEXT NOT NULL, wrapped_key ${bytes},
    made_at_ms BIGINT NOT NULL, purged BIGINT NOT NULL DEFAULT 0, ended_at_ms BIGINT, ended_why TEXT CHECK (ended_why IN ('erased', 'expired')),
    PRIMARY KEY (tenant, log, day),
    CHECK ((wrapped_key IS NULL) = (ended_at_ms IS NOT NULL))
  )`;

const sealed = (bytes: string): string =>
  `CREATE TABLE audit_input (
    tenant TEXT NOT NULL, log TEXT NOT NULL, first_seq BIGINT NOT NULL, last_seq BIGINT NOT NULL, day TEXT NOT NULL, sealed ${bytes} NOT NULL,
    PRIMARY KEY (tenant, log, first_seq, day)
  )`;

/** What stays of a record whose text is taken away: its place, its hash, what it was and when. */
const emptied = [
  "NEW.record = ''",
  ...['tenant', 'log', 'seq', 'hash', 'at_ms', 'kind'].map((name) => `NEW.${name} = OLD.${name}`),
  ...['call_id', 'issuer', 'subject', 'client', 'endpoint', 'server', 'name', 'method', 'effect', 'rule', 'release'].map(
    (name) => `NEW.${name} IS NULL`,
  ),
  "EXISTS (SELECT 1 FROM store_lease WHERE tenant = NEW.tenant AND name = 'audit-expiry')",
].join(' AND ');

/**
 * Inputs of decisions, sealed: one row holds those of the records `first_seq` to `last_seq` that one commit wrote, under the key of their
 * day. A day (`2026-11-21`, UTC) whose key is gone stays as a row that says why; `first_seq` is where its rows begin. `audit_hold` names
 * what must be kept whatever its age; what it keeps of a day that is erased is sealed anew, under a key named `<day>/held-<time>`.
 * `release_source` has the text of policies, by which decisions are explained later.
 * `audit_expiry` says up to where a class of records was looked through for what is too old. `store_key` has keys that the gateway made for itself, sealed under the key `kek` where there is one.
 * A record's text may be taken away, whole, while somebody has the lease `audit-expiry`; its hash stays, and with it the chain.
 */
export const auditInput: Migration = {
  version: 6,
  name: 'audit_input',
  both: [
    `CREATE TABLE audit_hold (
      tenant TEXT NOT NULL, id TEXT NOT NULL, reason TEXT NOT NULL, made_by TEXT NOT NULL, made_at_ms BIGINT NOT NULL,
      issuer TEXT, subject TEXT, call_id TEXT, since_ms BIGINT, until_ms BIGINT,
      PRIMARY KEY (tenant, id)
    )`,
    'CREATE TABLE store_lease (tenant TEXT NOT NULL, name TEXT NOT NULL, holder TEXT NOT NULL, until_ms BIGINT NOT NULL, PRIMARY KEY (tenant, name))',
    `CREATE TABLE audit_expiry (
      tenant TEXT NOT NULL, log TEXT NOT NULL, class TEXT NOT NULL, through_seq BIGINT NOT NULL, PRIMARY KEY (tenant, log, class)
    )`,
  ],
  sqlite: [
    window('BLOB'),
    sealed('BLOB'),
    'CREATE TABLE store_key (tenant TEXT NOT NULL, name TEXT NOT NULL, kek TEXT, key_bytes BLOB NOT NULL, PRIMARY KEY (tenant, name))',
    'CREATE TABLE release_source (tenant TEXT NOT NULL, digest TEXT NOT NULL, files_br BLOB NOT NULL, PRIMARY KEY (tenant, digest))',
    'DROP TRIGGER audit_record_no_update',
    `CREATE TRIGGER audit_record_no_update BEFORE UPDATE ON audit_record WHEN NOT (${emptied})
      BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END`,
  ],
  postgres: [
    window('BYTEA'),
    sealed('BYTEA'),
    'CREATE TABLE store_key (tenant TEXT NOT NULL, name TEXT NOT NULL, kek TEXT, key_bytes BYTEA NOT NULL, PRIMARY KEY (tenant, name))',
    'CREATE TABLE release_source (tenant TEXT NOT NULL, digest TEXT NOT NULL, files_br BYTEA NOT NULL, PRIMARY KEY (tenant, digest))',
    'DROP TRIGGER audit_record_append_only ON audit_record',
    `CREATE FUNCTION castellan_only_emptied() RETURNS trigger LANGUAGE plpgsql AS
      $body$ BEGIN
        IF NOT (${emptied}) THEN
          RAISE EXCEPTION 'audit records are append-only';
        END IF;
        RETURN NEW;
      END $body$`,
    'CREATE TRIGGER audit_record_only_emptied BEFORE UPDATE ON audit_record FOR EACH ROW EXECUTE FUNCTION castellan_only_emptied()',
    `CREATE TRIGGER audit_record_append_only BEFORE DELETE OR TRUNCATE ON audit_record
      FOR EACH STATEMENT EXECUTE FUNCTION castellan_append_only()`,
  ],
};
