import type { Migration } from './migration.ts';

/**
 * The Merkle tree over each audit log, its checkpoints, and the compiled policies that receipts need. A tile holds up to 256 hashes of 32
 * bytes: those of level 0 are leaf hashes, and a tile is written when it is full; those of level n are the roots of the full tiles of level
 * n - 1. `tree_nodes` are the hashes of the tree's complete subtrees in hex, largest first. `root` and `build` are hex too.
 */
export const auditTree: Migration = {
  version: 7,
  name: 'audit_tree',
  both: [
    'ALTER TABLE audit_head ADD COLUMN tree_size BIGINT NOT NULL DEFAULT 0',
    "ALTER TABLE audit_head ADD COLUMN tree_nodes TEXT NOT NULL DEFAULT ''",
    `CREATE TABLE audit_checkpoint (
      tenant TEXT NOT NULL, log TEXT NOT NULL, size BIGINT NOT NULL, root TEXT NOT NULL, at_ms BIGINT NOT NULL, note TEXT NOT NULL,
      PRIMARY KEY (tenant, log, size)
    )`,
    `CREATE TABLE audit_push (
      tenant TEXT NOT NULL, log TEXT NOT NULL, target TEXT NOT NULL, size BIGINT NOT NULL, at_ms BIGINT NOT NULL,
      PRIMARY KEY (tenant, log, target)
    )`,
  ],
  sqlite: [
    `CREATE TABLE audit_tile (
      tenant TEXT NOT NULL, log TEXT NOT NULL, level INTEGER NOT NULL, idx BIGINT NOT NULL, hashes BLOB NOT NULL,
      PRIMARY KEY (tenant, log, level, idx)
    )`,
    `CREATE TABLE release_module (
      tenant TEXT NOT NULL, id TEXT NOT NULL, build TEXT NOT NULL, digest TEXT NOT NULL, activated_at_ms BIGINT NOT NULL,
      entrypoints_json TEXT NOT NULL, wasm_br BLOB NOT NULL, data_br BLOB NOT NULL,
      PRIMARY KEY (tenant, id, build)
    )`,
    "CREATE TRIGGER audit_tile_no_update BEFORE UPDATE ON audit_tile WHEN OLD.level = 0 BEGIN SELECT RAISE(ABORT, 'leaf hashes are append-only'); END",
    "CREATE TRIGGER audit_tile_no_delete BEFORE DELETE ON audit_tile BEGIN SELECT RAISE(ABORT, 'the tree of an audit log is append-only'); END",
    "CREATE TRIGGER audit_checkpoint_no_update BEFORE UPDATE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END",
    "CREATE TRIGGER audit_checkpoint_no_delete BEFORE DELETE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END",
  ],
  postgres: [
    `CREATE TABLE audit_tile (
      tenant TEXT NOT NULL, log TEXT NOT NULL, level INTEGER NOT NULL, idx BIGINT NOT NULL, hashes BYTEA NOT NULL,
      PRIMARY KEY (tenant, log, level, idx)
    )`,
    // Hashes do not compress: PostgreSQL need not try.
    'ALTER TABLE audit_tile ALTER COLUMN hashes SET STORAGE EXTERNAL',
    `CREATE TABLE release_module (
      tenant TEXT NOT NULL, id TEXT NOT NULL, build TEXT NOT NULL, digest TEXT NOT NULL, activated_at_ms BIGINT NOT NULL,
      entrypoints_json TEXT NOT NULL, wasm_br BYTEA NOT NULL, data_br BYTEA NOT NULL,
      PRIMARY KEY (tenant, id, build)
    )`,
    `CREATE FUNCTION castellan_leaves_stay() RETURNS trigger LANGUAGE plpgsql AS
      $body$ BEGIN
        IF OLD.level = 0 THEN RAISE EXCEPTION 'leaf hashes are append-only'; END IF;
        RETURN NEW;
      END $body$`,
    'CREATE TRIGGER audit_tile_no_update BEFORE UPDATE ON audit_tile FOR EACH ROW EXECUTE FUNCTION castellan_leaves_stay()',
    'CREATE TRIGGER audit_tile_stays BEFORE DELETE OR TRUNCATE ON audit_tile FOR EACH STATEMENT EXECUTE FUNCTION castellan_append_only()',
    `CREATE TRIGGER audit_checkpoint_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint
      FOR EACH STATEMENT EXECUTE FUNCTION castellan_append_only()`,
  ],
};
