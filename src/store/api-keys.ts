import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { GatewayError } from '../model/errors.ts';
import { newId, type TenantId } from '../model/ids.ts';
import type { Identity } from '../model/identity.ts';
import type { ApiKey, ApiKeyBook, Db } from '../model/ports.ts';

/** The issuer of identities that come from API keys. */
export const apiKeyIssuer = 'urn:castellan:api-keys';

const tokenForm = /^cst_([A-Za-z0-9_-]{22})_([A-Za-z0-9_-]{43})$/;
const lastUsedStepMs = 300_000;
const maxLifetimeMs = 366 * 86_400_000;
const columns =
  'tenant, id, subject, groups_json, scopes_json, created_at_ms, created_by, expires_at_ms, revoked_at_ms, last_used_at_ms, secret_digest';

interface KeyRow {
  readonly tenant: TenantId;
  readonly id: string;
  readonly subject: string;
  readonly groups_json: string;
  readonly scopes_json: string;
  readonly created_at_ms: number;
  readonly created_by: string;
  readonly expires_at_ms: number;
  readonly revoked_at_ms: number | null;
  readonly last_used_at_ms: number | null;
  readonly secret_digest: string;
}

/**
 * API keys in the database. A secret has 256 random bits, so its SHA-256 is all that need be stored: there is nothing to guess, and a slow
 * hash would only slow the calls.
 */
export function createApiKeyBook(db: Db): ApiKeyBook {
  const byId = async (id: string): Promise<KeyRow | undefined> =>
    (await db.query<KeyRow>(`SELECT ${columns} FROM api_key WHERE id = $1`, [id]))[0];
  return {
    create: async (request, nowMs) => {
      if (request.subject === '')
        throw new GatewayError('request.invalid', 'a key needs a subject: the name that policy and audit know it by');
      if (!(request.expiresAtMs > nowMs && request.expiresAtMs <= nowMs + maxLifetimeMs))
        throw new GatewayError('request.invalid', 'a key must expire in the future and within 366 days');
      const name = newId('key').slice('key_'.length);
      const secret = randomBytes(32).toString('base64url');
      const { tenant, subject, groups, scopes, createdBy, expiresAtMs } = request;
      const rows = await db.query<KeyRow>(
        `INSERT INTO api_key (tenant, id, subject, groups_json, scopes_json, created_at_ms, created_by, expires_at_ms, secret_digest)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ${columns}`,
        [tenant, `key_${name}`, subject, JSON.stringify(groups), JSON.stringify(scopes), nowMs, createdBy, expiresAtMs, digestOf(secret)],
      );
      return { key: keyOf(rows[0]), token: `cst_${name}_${secret}` };
    },
    verify: async (token, nowMs) => {
      const [, name, secret] = tokenForm.exec(token) ?? [];
      if (name === undefined || secret === undefined) return undefined;
      const row = await byId(`key_${name}`);
      // An unknown key is compared too: how long the answer takes tells nothing about which keys exist.
      const matches = timingSafeEqual(Buffer.from(digestOf(secret)), Buffer.from(row?.secret_digest ?? digestOf('')));
      if (row === undefined || !matches || row.revoked_at_ms !== null || row.expires_at_ms <= nowMs) return undefined;
      if (row.last_used_at_ms === null || row.last_used_at_ms <= nowMs - lastUsedStepMs) await noteUse(db, row.id, nowMs);
      return identityOf(keyOf(row));
    },
    revoke: async (tenant, id, nowMs) => {
      const rows = await db.query<KeyRow>(
        `UPDATE api_key SET revoked_at_ms = COALESCE(revoked_at_ms, $1) WHERE tenant = $2 AND id = $3 RETURNING ${columns}`,
        [nowMs, tenant, id],
      );
      if (rows[0] === undefined) throw new GatewayError('not_found', `there is no key \`${id}\`; \`castellan keys list\` shows them`);
      return keyOf(rows[0]);
    },
    list: async (tenant) =>
      (await db.query<KeyRow>(`SELECT ${columns} FROM api_key WHERE tenant = $1 ORDER BY created_at_ms, id`, [tenant])).map(keyOf),
  };
}

async function noteUse(db: Db, id: string, nowMs: number): Promise<void> {
  try {
    await db.query('UPDATE api_key SET last_used_at_ms = $1 WHERE id = $2 AND (last_used_at_ms IS NULL OR last_used_at_ms <= $3)', [
      nowMs,
      id,
      nowMs - lastUsedStepMs,
    ]);
  } catch {
    // The key was checked by a read that succeeded; a note of when it was last used is no reason to refuse it. It is tried again.
  }
}

function digestOf(secret: string): string {
  return `sha256:${hash('sha256', secret)}`;
}

function keyOf(row: KeyRow | undefined): ApiKey {
  if (row === undefined) throw new TypeError('an insert that returns its row returned none');
  return {
    id: row.id,
    tenant: row.tenant,
    subject: row.subject,
    groups: JSON.parse(row.groups_json) as string[],
    scopes: JSON.parse(row.scopes_json) as string[],
    createdAtMs: row.created_at_ms,
    createdBy: row.created_by,
    expiresAtMs: row.expires_at_ms,
    revokedAtMs: row.revoked_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
  };
}

function identityOf(key: ApiKey): Identity {
  return {
    issuer: apiKeyIssuer,
    subject: key.subject,
    client: key.id,
    kind: 'service',
    tenant: key.tenant,
    groups: key.groups,
    scopes: key.scopes,
    claims: {},
    auth: { method: 'key', issuedAtMs: key.createdAtMs, expiresAtMs: key.expiresAtMs },
    onBehalfOf: null,
  };
}
