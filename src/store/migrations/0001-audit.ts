import type { Migration } from './migration.ts';

/**
 * The audit log and where each chain ends. `hash` is 64 hex digits. The columns between `hash` and `record` only serve searching: the
 * record's text is what is hashed, and the verifier compares them with it.
 */
export const audit: Migration = {
  version: 1,
  name: 'audit',
  both: [
    `CREATE TABLE audit_record (
      tenant TEXT NOT NULL, log TEXT NOT NULL, seq BIGINT NOT NULL, hash TEXT NOT NULL,
      at_ms BIGINT NOT NULL, kind TEXT NOT NULL, call_id TEXT, issuer TEXT, subject TEXT, client TEXT,
      endpoint TEXT, server TEXT, name TEXT, method TEXT, effect TEXT, rule TEXT, release TEXT,
      record TEXT NOT NULL,
      PRIMARY KEY (tenant, log, seq)
    )`,
    'CREATE INDEX audit_record_call ON audit_record (tenant, log, call_id)',
    // Finished records name no subject: they are found by their call.
    'CREATE INDEX audit_record_subject ON audit_record (tenant, log, subject, seq) WHERE subject IS NOT NULL',
    // Most calls are allowed: what was not is found through a small index, and the common insert does not pay for it.
    "CREATE INDEX audit_record_effect ON audit_record (tenant, log, effect, seq) WHERE effect <> 'allow'",
    'CREATE TABLE audit_head (tenant TEXT NOT NULL, log TEXT NOT NULL, seq BIGINT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (tenant, log))',
  ],
  sqlite: [
    "CREATE TRIGGER audit_record_no_update BEFORE UPDATE ON audit_record BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END",
    "CREATE TRIGGER audit_record_no_delete BEFORE DELETE ON audit_record BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END",
    `CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head WHEN NEW.seq < OLD.seq OR NEW.tenant <> OLD.tenant OR NEW.log <> OLD.log
      BEGIN SELECT RAISE(ABORT, 'the head of an audit log only moves forward'); END`,
    "CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, 'the head of an audit log stays'); END",
  ],
  postgres: [
    `CREATE FUNCTION castellan_append_only() RETURNS trigger LANGUAGE plpgsql AS
      $body$ BEGIN RAISE EXCEPTION 'audit records are append-only'; END $body$`,
    `CREATE TRIGGER audit_record_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_record
      FOR EACH STATEMENT EXECUTE FUNCTION castellan_append_only()`,
    `CREATE FUNCTION castellan_head_forward() RETURNS trigger LANGUAGE plpgsql AS
      $body$ BEGIN
        IF NEW.seq < OLD.seq OR NEW.tenant <> OLD.tenant OR NEW.log <> OLD.log THEN
          RAISE EXCEPTION 'the head of an audit log only moves forward';
        END IF;
        RETURN NEW;
      END $body$`,
    'CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head FOR EACH ROW EXECUTE FUNCTION castellan_head_forward()',
    'CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION castellan_append_only()',
    // The head is updated by each group: room on its page keeps that update off the indexes.
    'ALTER TABLE audit_head SET (fillfactor = 10)',
  ],
};
