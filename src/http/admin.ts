import { Router, type Request, type Response } from 'express';
import type { ApprovalState } from '../model/approval.ts';
import type { AuditRecord } from '../model/audit-record.ts';
import { asGatewayError, GatewayError } from '../model/errors.ts';
import { principalKey, type Identity } from '../model/identity.ts';
import type { ApprovalId, TenantId } from '../model/ids.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { ApprovalBook, AuditLog, Awaitable } from '../model/ports.ts';
import { eraseBody, holdBody, type AuditKeeping } from './audit-keeping.ts';
import { isJson, readBody } from './body.ts';
import { Streamed } from './streamed.ts';

/** What somebody may do here; `admin` has all of them. */
export type AdminRole = 'approver' | 'auditor' | 'operator' | 'admin';

/** Who is at the admin API. */
export interface Administrator {
  readonly identity: Identity;
  readonly roles: ReadonlySet<AdminRole>;
}

/** What the admin API needs from other rooms. Every answer is JSON. */
export interface AdminPorts {
  readonly authenticate: (authorization: string | undefined) => Awaitable<Administrator>;
  readonly challenge: (error: GatewayError) => string | undefined;
  readonly approvals: ApprovalBook;
  readonly audit: AuditLog;
  readonly readAudit: (tenant: string, query: URLSearchParams) => Promise<unknown>;
  /** A page of a search: `{records, next}`. */
  readonly searchAudit: (tenant: string, query: URLSearchParams) => Promise<unknown>;
  /** The records that fit as a file, in the form that the query's `format` names. @throws GatewayError `request.invalid` */
  readonly exportAudit: (tenant: string, query: URLSearchParams) => { readonly type: string; readonly chunks: AsyncIterable<Uint8Array> };
  readonly verifyAudit: (request: { head?: string; checkpoints?: readonly string[]; keys?: readonly string[] }) => Promise<unknown>;
  readonly auditProofs: {
    checkpoint(): Promise<unknown>;
    inclusion(seq: number): Promise<unknown>;
    consistency(from: number, to: number | undefined): Promise<unknown>;
    /** The receipt of a call; with its inputs where the reader may see them. */
    receipt(callId: string, withInputs: boolean): Promise<unknown>;
  };
  readonly auditKeeping: AuditKeeping;
  /** Which rules fired on a recorded decision, by the release that made it. */
  readonly explain: (tenant: string, callId: string) => Promise<unknown>;
  readonly keys: {
    create(tenant: TenantId, request: JsonObject, nowMs: number): Promise<unknown>;
    list(tenant: TenantId): Promise<unknown>;
    revoke(tenant: TenantId, id: string, nowMs: number): Promise<boolean>;
  };
  readonly reload: () => Promise<unknown>;
  readonly status: () => Promise<unknown>;
  readonly catalogue: () => unknown;
  readonly parse: (bytes: Uint8Array) => Json;
  readonly refused: (error: GatewayError, request: Request) => void;
  readonly failed: (error: unknown) => void;
  readonly now: () => number;
}

interface Asked {
  readonly who: Administrator;
  readonly tenant: TenantId;
  readonly request: Request;
  readonly body: JsonObject;
}

type Handler = (asked: Asked) => Promise<unknown>;

const maxBodyBytes = 65_536;

/** The admin API, mounted at `/admin/v1`: a token of its own audience, roles from groups, each action recorded before it takes effect. */
export function adminRouter(ports: AdminPorts): Router {
  const router = Router();
  const known = new Set<string>();
  const on = (method: 'get' | 'post' | 'delete', path: string, roles: readonly AdminRole[], handler: Handler): void => {
    router[method](path, (request, response) => serve(ports, roles, handler, known, request, response));
  };

  on('get', '/status', ['approver', 'auditor', 'operator'], () => ports.status());
  on('get', '/catalogue', ['auditor', 'operator'], () => Promise.resolve(ports.catalogue()));
  on('get', '/approvals', ['approver', 'auditor'], ({ tenant, request }) => {
    const state = request.query['state'];
    return ports.approvals.list(
      tenant,
      { ...(typeof state === 'string' ? { state: state as ApprovalState } : {}), limit: limitOf(request, 100) },
      ports.now(),
    );
  });
  on('get', '/approvals/:id', ['approver', 'auditor'], async ({ tenant, request }) => {
    const approval = await ports.approvals.get(tenant, idOf(request));
    if (approval === undefined) throw new GatewayError('approval.unknown', 'there is no approval with this id');
    return approval;
  });
  for (const vote of ['approve', 'deny'] as const)
    on('post', `/approvals/:id/${vote}`, ['approver'], (asked) => castVote(ports, asked, vote));
  on('get', '/audit', ['auditor'], ({ tenant, request }) => ports.readAudit(tenant, new URL(request.url, 'http://admin').searchParams));
  on('get', '/audit/search', ['auditor'], ({ tenant, request }) =>
    ports.searchAudit(tenant, new URL(request.url, 'http://admin').searchParams),
  );
  on('get', '/audit/export', ['auditor'], async (asked) => {
    const query = new URL(asked.request.url, 'http://admin').searchParams;
    const { type, chunks } = ports.exportAudit(asked.tenant, query);
    await recordAction(ports, asked, 'audit.export', Object.fromEntries(query));
    return new Streamed(type, chunks);
  });
  on('post', '/audit/verify', ['auditor'], ({ body }) => ports.verifyAudit(verifyRequest(body)));
  on('post', '/audit/checkpoint', ['auditor'], () => ports.auditProofs.checkpoint());
  on('get', '/audit/proof', ['auditor'], ({ request }) => ports.auditProofs.inclusion(numberOf(request, 'seq') ?? 0));
  on('get', '/audit/consistency', ['auditor'], ({ request }) =>
    ports.auditProofs.consistency(numberOf(request, 'from') ?? 0, numberOf(request, 'to')),
  );
  on('get', '/audit/receipt/:id', ['auditor'], async (asked) => {
    // Inputs hold what agents sent: they are for the one role that has all others, and each look is on record.
    const withInputs = asked.who.roles.has('admin') && asked.request.query['inputs'] !== 'false';
    await recordAction(ports, asked, 'audit.receipt', { call: idOf(asked.request), inputs: String(withInputs) });
    return ports.auditProofs.receipt(idOf(asked.request), withInputs);
  });
  on('get', '/audit/explain/:id', ['auditor'], async (asked) => {
    // It shows values of the input: each look is on record.
    await recordAction(ports, asked, 'audit.explain', { call: idOf(asked.request) });
    return ports.explain(asked.tenant, idOf(asked.request));
  });
  on('post', '/audit/erase', ['operator'], async (asked) => {
    const days = eraseBody(asked.body);
    await recordAction(ports, asked, 'audit.erase', { from: days.from, until: days.until ?? days.from });
    return ports.auditKeeping.erase(days, ports.now());
  });
  on('get', '/audit/holds', ['operator', 'auditor'], () => ports.auditKeeping.holds());
  on('post', '/audit/holds', ['operator'], async (asked) => {
    const hold = holdBody(asked.body);
    const detail = Object.fromEntries(Object.entries(hold).map(([key, value]) => [key, String(value)]));
    await recordAction(ports, asked, 'audit.hold_added', detail);
    return ports.auditKeeping.addHold(hold, asked.who.identity.subject, ports.now());
  });
  on('delete', '/audit/holds/:id', ['operator'], async (asked) => {
    const id = idOf(asked.request);
    await recordAction(ports, asked, 'audit.hold_removed', { hold: id });
    await ports.auditKeeping.removeHold(id);
    return { removed: id };
  });
  on('get', '/keys', ['operator', 'auditor'], ({ tenant }) => ports.keys.list(tenant));
  on('post', '/keys', ['operator'], async (asked) => {
    await recordAction(ports, asked, 'keys.create', { name: typeof asked.body['name'] === 'string' ? asked.body['name'] : '' });
    return ports.keys.create(asked.tenant, asked.body, ports.now());
  });
  on('delete', '/keys/:id', ['operator'], async (asked) => {
    await recordAction(ports, asked, 'keys.revoke', { key: idOf(asked.request) });
    if (!(await ports.keys.revoke(asked.tenant, idOf(asked.request), ports.now())))
      throw new GatewayError('not_found', 'there is no key with this id');
    return { revoked: idOf(asked.request) };
  });
  on('post', '/reload', ['operator'], async (asked) => {
    await recordAction(ports, asked, 'reload', {});
    return ports.reload();
  });
  router.use(
    (_request, response) => void response.status(404).json({ error: { code: 'not_found', message: 'there is nothing at this path' } }),
  );
  return router;
}

async function castVote(ports: AdminPorts, asked: Asked, vote: 'approve' | 'deny'): Promise<unknown> {
  const { identity } = asked.who;
  const comment = asked.body['comment'];
  const id = idOf(asked.request);
  await recordAction(ports, asked, `approvals.${vote}`, { approval: id });
  return ports.approvals.vote(
    asked.tenant,
    id,
    {
      by: identity.subject,
      principal: principalKey(identity),
      vote,
      groups: identity.groups,
      ...(typeof comment === 'string' ? { comment: comment.slice(0, 500) } : {}),
    },
    ports.now(),
  );
}

async function serve(
  ports: AdminPorts,
  roles: readonly AdminRole[],
  handler: Handler,
  known: Set<string>,
  request: Request,
  response: Response,
): Promise<void> {
  try {
    const who = await ports.authenticate(request.headers.authorization);
    if (!roles.some((role) => who.roles.has(role)) && !who.roles.has('admin')) {
      throw new GatewayError(
        'admin.forbidden',
        `this needs the role ${roles.map((role) => `\`${role}\``).join(' or ')}; ask whoever assigns groups`,
      );
    }
    noteSignIn(ports, who, request, known);
    const body = request.method === 'POST' ? await bodyOf(ports, request) : {};
    const answer = await handler({ who, tenant: who.identity.tenant, request, body });
    if (answer instanceof Streamed) await answer.send(response);
    else response.status(200).json(answer);
  } catch (thrown) {
    const error = asGatewayError(thrown);
    if (error.code === 'gateway.internal') ports.failed(thrown);
    ports.refused(error, request);
    const challenge = ports.challenge(error);
    if (challenge !== undefined) response.setHeader('www-authenticate', challenge);
    if (!request.complete) response.setHeader('connection', 'close');
    response.status(error.httpStatus === 200 ? 400 : error.httpStatus).json({ error: { code: error.code, message: error.message } });
  }
}

/** Tokens are known by whom and when they were issued for; more than this are forgotten, and recorded again. */
const maxKnown = 10_000;

/** Hands over the record of a token's first use here: who signed in, with which roles. Looking must go on while nothing can be recorded. */
function noteSignIn(ports: AdminPorts, who: Administrator, request: Request, signedIn: Set<string>): void {
  const { issuer, subject, client, auth, tenant } = who.identity;
  const key = JSON.stringify([issuer, subject, client, auth.issuedAtMs]);
  if (signedIn.has(key)) return;
  const detail = { roles: [...who.roles].sort().join(' '), method: auth.method };
  ports.audit.hand(adminRecord(ports, { who, tenant, request, body: {} }, 'admin.signed_in', detail));
  if (signedIn.size >= maxKnown) signedIn.clear();
  signedIn.add(key);
}

async function bodyOf(ports: AdminPorts, request: Request): Promise<JsonObject> {
  const bytes = await readBody(request, maxBodyBytes);
  if (bytes.length === 0) return {};
  if (!isJson(request)) throw new GatewayError('body.media_type', 'the body must be `application/json`');
  const value = ports.parse(bytes);
  if (!isJsonObject(value)) throw new GatewayError('request.invalid', 'the body must be a JSON object');
  return value;
}

/** Records what somebody is about to do; nothing is done when it cannot be written. */
async function recordAction(ports: AdminPorts, asked: Asked, code: string, detail: Record<string, string>): Promise<void> {
  await ports.audit.append(adminRecord(ports, asked, code, detail));
}

function adminRecord(ports: AdminPorts, { who, tenant, request }: Asked, code: string, detail: Record<string, string>): AuditRecord {
  const { issuer, subject, client, groups } = who.identity;
  return {
    v: 1,
    kind: 'admin',
    at: new Date(ports.now()).toISOString(),
    tenant,
    ip: request.socket.remoteAddress ?? '',
    who: { issuer, subject, client, groups },
    event: { code, message: code, detail },
  };
}

function idOf(request: Request): ApprovalId {
  return String(request.params['id']) as ApprovalId;
}

function verifyRequest({ head, checkpoints, keys }: JsonObject): Parameters<AdminPorts['verifyAudit']>[0] {
  const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((item) => typeof item === 'string');
  for (const [name, value] of Object.entries({ checkpoints, keys }))
    if (value !== undefined && !isTexts(value)) throw new GatewayError('request.invalid', `\`${name}\` must be a list of texts`);
  return {
    ...(typeof head === 'string' ? { head } : {}),
    ...(isTexts(checkpoints) ? { checkpoints } : {}),
    ...(isTexts(keys) ? { keys } : {}),
  };
}

function numberOf(request: Request, name: string): number | undefined {
  const text = request.query[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new GatewayError('request.invalid', `\`${name}\` must be a whole number`);
  return value;
}

function limitOf(request: Request, otherwise: number): number {
  const limit = Number(request.query['limit'] ?? otherwise);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) throw new GatewayError('request.invalid', '`limit` must be 1 to 1000');
  return limit;
}
