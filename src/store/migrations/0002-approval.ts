import type { Migration } from './migration.ts';

/** Held calls and the votes on them. The partial index makes one pending approval of one binding, whoever asks at the same time. */
export const approval: Migration = {
  version: 2,
  name: 'approval',
  both: [
    `CREATE TABLE approval (
      tenant TEXT NOT NULL, id TEXT NOT NULL, binding TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'spent', 'expired')),
      requester_principal TEXT NOT NULL, issuer TEXT NOT NULL, subject TEXT NOT NULL, client TEXT NOT NULL,
      endpoint TEXT NOT NULL, server TEXT NOT NULL, tool TEXT NOT NULL,
      arguments_json TEXT NOT NULL, reasons_json TEXT NOT NULL, terms_json TEXT NOT NULL,
      created_at_ms BIGINT NOT NULL, expires_at_ms BIGINT NOT NULL, changed_at_ms BIGINT NOT NULL,
      PRIMARY KEY (tenant, id)
    )`,
    "CREATE UNIQUE INDEX approval_pending ON approval (tenant, binding) WHERE state = 'pending'",
    'CREATE INDEX approval_binding ON approval (tenant, binding, state)',
    "CREATE INDEX approval_requester ON approval (tenant, requester_principal) WHERE state = 'pending'",
    'CREATE INDEX approval_state ON approval (tenant, state, created_at_ms)',
    `CREATE TABLE approval_vote (
      tenant TEXT NOT NULL, approval_id TEXT NOT NULL, principal TEXT NOT NULL, voter TEXT NOT NULL,
      vote TEXT NOT NULL CHECK (vote IN ('approve', 'deny')), at_ms BIGINT NOT NULL, remark TEXT,
      satisfies_json TEXT NOT NULL,
      PRIMARY KEY (tenant, approval_id, principal),
      FOREIGN KEY (tenant, approval_id) REFERENCES approval (tenant, id)
    )`,
  ],
  sqlite: [],
  postgres: [],
};
