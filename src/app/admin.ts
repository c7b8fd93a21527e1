import type { AdminDoor } from './identity.ts';
import { searchAudit } from '../audit/query.ts';
import { readAudit } from '../audit/read.ts';
import type { KeyRequest, KeyRow } from '../cli/application.ts';
import type { Config } from '../config/schema-types.ts';
import type { AdminPorts } from '../http/admin.ts';
import type { Readiness } from '../http/server.ts';
import { GatewayError } from '../model/errors.ts';
import type { TenantId } from '../model/ids.ts';
import type { JsonObject } from '../model/json.ts';
import type { ApiKey, ApiKeyBook, ApprovalBook, AuditLog, Db } from '../model/ports.ts';
import type { Log } from '../observe/log.ts';
import { viewCatalogue } from '../upstream/catalogue-view.ts';
import type { Upstreams } from '../upstream/types.ts';
import type { Endpoints } from './upstreams.ts';
import { exportFile } from './audit-export.ts';
import { auditSearch } from './audit-filter.ts';
import { logProofs, type LogProofs } from './audit-proofs.ts';
import { explainRecorded } from './explain-recorded.ts';
import { readInputKeys } from './input-keys.ts';
import { keepingPorts } from './keeping-ports.ts';
import { receiptOf } from './receipts.ts';

const dayMs = 86_400_000;

/** Makes a key within the bounds that the configuration sets. @throws GatewayError `request.invalid` */
export async function createKey(
  keys: ApiKeyBook,
  config: Config,
  request: KeyRequest,
  createdBy: string,
  nowMs: number,
): Promise<{ id: string; key: string }> {
  const { max_lifetime_days: maxDays, default_lifetime_days: defaultDays } = config.api_keys;
  const lifeMs = request.expires_in_s === undefined ? defaultDays * dayMs : request.expires_in_s * 1000;
  if (lifeMs > maxDays * dayMs)
    throw new GatewayError(
      'request.invalid',
      `a key lives ${maxDays} days at most; the configuration says so under \`api_keys.max_lifetime_days\``,
    );
  const tenant = config.tenant as TenantId;
  const made = await keys.create(
    {
      tenant,
      subject: request.name,
      groups: request.groups,
      scopes: request.scopes,
      createdBy,
      expiresAtMs: nowMs + lifeMs,
    },
    nowMs,
  );
  return { id: made.key.id, key: made.token };
}

/** A key as it is shown. */
export function keyRow(key: ApiKey): KeyRow {
  const { id, subject: name, groups, scopes, expiresAtMs, revokedAtMs, lastUsedAtMs } = key;
  return { id, name, groups, scopes, expiresAtMs, revokedAtMs, lastUsedAtMs };
}

function keyRequest(body: JsonObject): KeyRequest {
  const { name, groups = [], scopes = [], expires_in_s: expires } = body;
  if (typeof name !== 'string' || name === '' || name.length > 200)
    throw new GatewayError('request.invalid', '`name` must be a text of 1 to 200 characters');
  if (expires !== undefined && (typeof expires !== 'number' || !Number.isInteger(expires) || expires < 1))
    throw new GatewayError('request.invalid', '`expires_in_s` must be seconds');
  return {
    name,
    groups: texts('groups', groups),
    scopes: texts('scopes', scopes),
    ...(expires === undefined ? {} : { expires_in_s: expires }),
  };
}

function texts(name: string, value: unknown): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw new GatewayError('request.invalid', `\`${name}\` must be a list of texts`);
}

export interface AdminRooms {
  readonly db: Db;
  readonly keys: ApiKeyBook;
  readonly audit: AuditLog;
  readonly approvals: ApprovalBook;
  readonly reload: () => Promise<unknown>;
  readonly doors: () => AdminDoor | undefined;
  readonly config: () => Config;
  readonly parse: AdminPorts['parse'];
  readonly readiness: () => Promise<Readiness>;
  readonly log: Log;
  readonly refused: AdminPorts['refused'];
  readonly upstreams: Pick<Upstreams, 'catalogue' | 'status'>;
  readonly endpoints: Pick<Endpoints, 'names' | 'view'>;
}

/** The admin API's view of the rooms. */
export function openAdminPorts(rooms: AdminRooms): AdminPorts {
  const { db, keys, audit, approvals, log } = rooms;
  const proofs = (): LogProofs => logProofs(rooms.config(), db);
  const door = (): AdminDoor => {
    const found = rooms.doors();
    if (found === undefined) throw new GatewayError('not_found', 'the admin API is not enabled');
    return found;
  };
  return {
    authenticate: (authorization) => door().authenticate({ authorization }),
    challenge: (error) => rooms.doors()?.challenge(error),
    approvals,
    audit,
    readAudit: async (tenant, query) => {
      await audit.flush();
      return readAudit(db, auditSearch(tenant, query));
    },
    exportAudit: (tenant, query) => exportFile(db, rooms.config(), tenant, query, () => audit.flush()),
    searchAudit: async (tenant, query) => {
      const search = auditSearch(tenant, query);
      // What was asked for a moment ago is in the first page; later ones look at older records.
      if (search.cursor === undefined) await audit.flush();
      return searchAudit(db, search);
    },
    verifyAudit: async (request) => {
      await audit.flush();
      return proofs().verify(request);
    },
    auditProofs: {
      checkpoint: async () => {
        await audit.flush();
        return proofs().checkpoint();
      },
      inclusion: async (seq) => {
        await audit.flush();
        return proofs().inclusion(seq);
      },
      consistency: (from, to) => proofs().consistency(from, to),
      receipt: async (callId, withInputs) => {
        await audit.flush();
        return receiptOf(rooms.config(), db, callId, withInputs ? readInputKeys(rooms.config()) : undefined);
      },
    },
    explain: async (tenant, callId) => {
      await audit.flush();
      return explainRecorded(db, readInputKeys(rooms.config()), tenant, callId);
    },
    auditKeeping: keepingPorts(db, () => readInputKeys(rooms.config()), rooms.config().tenant),
    keys: {
      create: (_tenant, body, nowMs) => createKey(keys, rooms.config(), keyRequest(body), 'admin', nowMs),
      list: async (tenant) => (await keys.list(tenant)).map(keyRow),
      revoke: async (tenant, id, nowMs) => {
        await keys.revoke(tenant, id, nowMs);
        return true;
      },
    },
    reload: rooms.reload,
    status: async () => {
      const { ready, detail } = await rooms.readiness();
      return { ready, ...detail };
    },
    catalogue: () => {
      const { upstreams, endpoints } = rooms;
      const views = endpoints.names().flatMap((name) => endpoints.view(name) ?? []);
      return viewCatalogue(upstreams.catalogue(), upstreams.status(), views);
    },
    parse: rooms.parse,
    refused: rooms.refused,
    failed: (error) => log.error('admin.failed', { error }),
    now: Date.now,
  };
}
