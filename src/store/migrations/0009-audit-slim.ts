import type { Migration } from './migration.ts';

/** What stays of a record whose text is taken away: its place, its hash, what it was and when. */
const emptied = [
  "NEW.record = ''",
  ...['tenant', 'log', 'seq', 'hash', 'at_ms', 'kind'].map((name) => `NEW.${name} = OLD.${name}`),
  ...['call_id', 'subject', 'method', 'effect'].map((name) => `NEW.${name} IS NULL`),
  "EXISTS (SELECT 1 FROM store_lease WHERE tenant = NEW.tenant AND name = 'audit-expiry')",
].join(' AND ');

const searched = ['issuer', 'client', 'endpoint', 'server', 'name', 'rule', 'release'];

const uuid = '^call_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';

/**
 * A record's row without the columns that `audit_term` and the record's text serve as well, its `hash` as 32 bytes and a call's id as the 16
 * bytes of its UUID: a call takes an eighth less room, and its two inserts bind half as many values. SQLite copies the table once.
 */
export const auditSlim: Migration = {
  version: 9,
  name: 'audit_slim',
  both: [],
  sqlite: [
    'DROP TRIGGER audit_record_no_update',
    'DROP TRIGGER audit_record_no_delete',
    ...['call', 'subject', 'effect'].map((name) => `DROP INDEX audit_record_${name}`),
    'ALTER TABLE audit_record RENAME TO audit_record_before',
    `CREATE TABLE audit_record (
      tenant TEXT NOT NULL, log TEXT NOT NULL, seq BIGINT NOT NULL, hash BLOB NOT NULL,
      at_ms BIGINT NOT NULL, kind TEXT NOT NULL, call_id BLOB, subject TEXT, method TEXT, effect TEXT,
      record TEXT NOT NULL,
      PRIMARY KEY (tenant, log, seq)
    )`,
    // A hash that somebody made something else of stays for the verifier to find.
    `INSERT INTO audit_record SELECT tenant, log, seq, coalesce(unhex(hash), x''), at_ms, kind,
        CASE WHEN call_id LIKE 'call\\_________-____-____-____-____________' ESCAPE '\\' AND call_id = lower(call_id)
          THEN coalesce(unhex(replace(substr(call_id, 6), '-', '')), CAST(call_id AS BLOB)) ELSE CAST(call_id AS BLOB) END,
        subject, method, effect, record
      FROM audit_record_before ORDER BY tenant, log, seq`,
    'DROP TABLE audit_record_before',
    'CREATE INDEX audit_record_call ON audit_record (tenant, log, call_id)',
    'CREATE INDEX audit_record_subject ON audit_record (tenant, log, subject, seq) WHERE subject IS NOT NULL',
    "CREATE INDEX audit_record_effect ON audit_record (tenant, log, effect, seq) WHERE effect <> 'allow'",
    `CREATE TRIGGER audit_record_no_update BEFORE UPDATE ON audit_record WHEN NOT (${emptied})
      BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END`,
    "CREATE TRIGGER audit_record_no_delete BEFORE DELETE ON audit_record BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END",
  ],
  postgres: [
    `ALTER TABLE audit_record ${searched.map((name) => `DROP COLUMN ${name}`).join(', ')},
      ALTER COLUMN hash TYPE BYTEA USING CASE WHEN hash ~ '^([0-9a-f]{2})*$' THEN decode(hash, 'hex') ELSE '' END,
      ALTER COLUMN call_id TYPE BYTEA USING
        CASE WHEN call_id ~ '${uuid}' THEN decode(replace(substr(call_id, 6), '-', ''), 'hex') ELSE convert_to(call_id, 'UTF8') END`,
    `CREATE OR REPLACE FUNCTION castellan_only_emptied() RETURNS trigger LANGUAGE plpgsql AS
      $body$ BEGIN
        IF NOT (${emptied}) THEN
          RAISE EXCEPTION 'audit records are append-only';
        END IF;
        RETURN NEW;
      END $body$`,
  ],
};
