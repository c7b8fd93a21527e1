import type { JsonObject } from './json.ts';
import type { TenantId } from './ids.ts';

/** Who calls. Issuer and subject together name a person or a service; nothing else does. */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  /** The agent's OAuth client id, or the key id of a service agent. */
  readonly client: string;
  readonly kind: 'user' | 'service';
  readonly tenant: TenantId;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  /** Verified claims that the configuration lists; never the whole token. */
  readonly claims: JsonObject;
  readonly auth: { readonly method: 'oidc' | 'key'; readonly issuedAtMs: number; readonly expiresAtMs: number };
  readonly onBehalfOf: { readonly issuer: string; readonly subject: string } | null;
}

/** The key under which history, approvals and limits of an identity are kept: tenant, issuer, subject and client. */
export function identityKey(identity: Identity): string {
  let key = keys.get(identity);
  if (key === undefined) keys.set(identity, (key = JSON.stringify([identity.tenant, identity.issuer, identity.subject, identity.client])));
  return key;
}

/** A call asks several times for the key of an identity that lives as long as its token. */
const keys = new WeakMap<Identity, string>();

/** The key of the person or service behind a call, whichever client it uses: tenant, issuer and subject. */
export function principalKey(identity: Identity): string {
  return JSON.stringify([identity.tenant, identity.issuer, identity.subject]);
}
