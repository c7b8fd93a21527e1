import type { Identity } from '../model/identity.ts';
import type { TenantId } from '../model/ids.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { Claims, TokenFacts } from './check-claims.ts';
import { claimAt } from './claim-path.ts';
import type { IssuerSettings } from './options.ts';
import { tokenRefusal } from './token-refusal.ts';

const maxNameChars = 1024;
const maxNames = 2000;

/**
 * The identity that verified claims make, by the issuer's mapping. A claim that is there and cannot be read refuses the token: reading it
 * as absent could lift a deny that asks for it.
 *
 * A token with an actor (`act`, RFC 8693) keeps its subject, whose sessions, history and approvals it acts in; `onBehalfOf` repeats that
 * subject to say that somebody else acts, `client` is the one acting, and the actor itself is `claims.act`.
 * @throws GatewayError `auth.invalid_token`
 */
export function mapClaims(claims: Claims, facts: TokenFacts, issuer: IssuerSettings): Identity {
  const { mapping } = issuer;
  const subject = nameOf(claimAt(claims, mapping.subject ?? 'sub'), 'subject');
  const client = nameOf(firstOf(claims, mapping.client === undefined ? ['client_id', 'azp'] : [mapping.client]), 'client');
  const actorPath = mapping.actor ?? 'act';
  const actor = actorOf(claimAt(claims, actorPath));
  const groups = mapping.groups ?? 'groups';
  refuseOverage(claims, groups);
  return Object.freeze({
    issuer: issuer.issuer,
    subject,
    client,
    // RFC 9068 section 2.2: the subject of a client's own token is the client.
    kind: subject === client ? 'service' : 'user',
    tenant: tenantOf(claims, issuer),
    groups: namesOf(claimAt(claims, groups), 'groups'),
    scopes: namesOf(firstOf(claims, mapping.scopes === undefined ? ['scope', 'scp'] : [mapping.scopes]), 'scopes'),
    claims: exposed(claims, issuer.exposedClaims, actor),
    auth: Object.freeze({ method: 'oidc', issuedAtMs: facts.issuedAtMs, expiresAtMs: facts.expiresAtMs }),
    onBehalfOf: actor === undefined ? null : Object.freeze({ issuer: issuer.issuer, subject }),
  });
}

function firstOf(claims: Claims, paths: readonly string[]): unknown {
  return paths.map((path) => claimAt(claims, path)).find((value) => value !== undefined);
}

function nameOf(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '' || value.length > maxNameChars || /[\u0000-\u001f\u007f]/.test(value))
    throw tokenRefusal('claims', `the token names no usable ${what}; check the issuer's claims mapping`);
  return value;
}

function namesOf(value: unknown, what: string): readonly string[] {
  if (value === undefined) return Object.freeze([]);
  const names: unknown = typeof value === 'string' ? value.split(' ').filter((name) => name !== '') : value;
  if (!Array.isArray(names) || names.length > maxNames || !names.every((name) => typeof name === 'string' && name.length <= maxNameChars))
    throw tokenRefusal('claims', `the token's ${what} are not a list of names`);
  return Object.freeze([...(names as string[])]);
}

/** Entra ID leaves groups out when there are too many, and says so: an identity without groups is not what it means. */
function refuseOverage(claims: Claims, groups: string): void {
  const left = claims['_claim_names'];
  if (claims[groups] === undefined && typeof left === 'object' && left !== null && Object.hasOwn(left, groups))
    throw tokenRefusal('claims', 'the issuer left the groups out of the token (too many); let it send only assigned groups or roles');
}

function tenantOf(claims: Claims, issuer: IssuerSettings): TenantId {
  if (issuer.mapping.tenant === undefined) return issuer.tenant as TenantId;
  const tenant = nameOf(claimAt(claims, issuer.mapping.tenant), 'tenant');
  if (!issuer.tenants.includes(tenant)) throw tokenRefusal('claims', 'the tenant of the token is not one of its issuer');
  return tenant as TenantId;
}

function actorOf(value: unknown): JsonObject | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw tokenRefusal('claims', "the token's actor is no object");
  nameOf((value as { sub?: unknown }).sub, 'actor');
  return value as JsonObject;
}

function exposed(claims: Claims, names: readonly string[], actor: JsonObject | undefined): JsonObject {
  const entries = names.filter((name) => claims[name] !== undefined).map((name) => [name, claims[name] as Json]);
  return Object.freeze(Object.fromEntries(actor === undefined ? entries : [...entries, ['act', actor]]) as JsonObject);
}
