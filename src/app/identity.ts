import type { Config, IssuerConfig } from '../config/schema-types.ts';
import { createAdminAuthenticator, type AdminAuthenticator } from '../identity/admin-roles.ts';
import { createAuthenticator } from '../identity/authenticator.ts';
import type { ApiKeyVerifier, IdentityEvent, IdentityOptions, IssuerOptions } from '../identity/options.ts';
import { challenge, resourceMetadata, resourceMetadataUrl } from '../identity/resource-metadata.ts';
import { GatewayError } from '../model/errors.ts';
import type { Identity } from '../model/identity.ts';
import type { Awaitable } from '../model/ports.ts';

/** Identity at the two doors: the MCP endpoints and the admin API. Made anew with each configuration. */
export interface Doors {
  readonly authenticate: (request: { readonly authorization: string | undefined; readonly endpoint: string }) => Awaitable<Identity>;
  readonly challenge: (error: GatewayError, endpoint: string) => string | undefined;
  readonly metadata: (endpoint: string) => Readonly<Record<string, unknown>>;
  readonly admin: AdminDoor | undefined;
  /** Fetches the issuers' keys, so that the first call need not wait. */
  readonly warm: () => Promise<void>;
  readonly status: () => readonly unknown[];
}

export interface AdminDoor {
  readonly authenticate: AdminAuthenticator['authenticate'];
  readonly challenge: (error: GatewayError) => string | undefined;
  readonly metadata: () => Readonly<Record<string, unknown>>;
}

/** @throws GatewayError `config.invalid` */
export function openDoors(config: Config, publicUrl: string, apiKeys: ApiKeyVerifier, onEvent: (event: IdentityEvent) => void): Doors {
  const resourceOf = (endpoint: string): string => `${publicUrl}/mcp/${endpoint}`;
  const all = Object.keys(config.endpoints).map(resourceOf);
  const keys = { refreshS: config.issuer_keys.refresh_s, maxAgeS: config.issuer_keys.max_age_s, staleIfErrorS: config.issuer_keys.stale_s };
  const common: Omit<IdentityOptions, 'issuers'> = { keys, onEvent };
  const agents = createAuthenticator({
    ...common,
    issuers: config.issuers.map((issuer) => issuerOptions(config, issuer, issuer.audience === 'endpoint' ? all : issuer.audience)),
    ...(config.api_keys.enabled ? { apiKeys } : {}),
  });
  // Issuers of both kinds are told apart once it is known whose token it is; else one look at the token is enough.
  const mixed = config.issuers.some((issuer) => issuer.audience !== 'endpoint');
  const audiences = new Map(Object.keys(config.endpoints).map((endpoint) => [endpoint, [resourceOf(endpoint)]]));
  const settings = new Map(config.issuers.map((issuer) => [issuer.issuer, issuer]));
  const scopes = [...new Set(config.issuers.flatMap((issuer) => issuer.required_scopes))];
  const check = (identity: Identity, authorization: string | undefined, endpoint: string): Awaitable<Identity> => {
    const issuer = settings.get(identity.issuer);
    if (issuer === undefined) return identity;
    const missing = issuer.required_scopes.filter((scope) => !identity.scopes.includes(scope));
    if (missing.length > 0)
      throw new GatewayError(
        'auth.insufficient_scope',
        'the token lacks a scope that this endpoint needs; ask for one with the scopes named',
        { detail: { scopes: issuer.required_scopes } },
      );
    // Where a token is bound to one endpoint, it opens no other one. Synchronous: the token was verified a moment ago.
    return mixed && issuer.audience === 'endpoint' ? agents.authenticate({ authorization, audiences: [resourceOf(endpoint)] }) : identity;
  };
  return {
    authenticate: ({ authorization, endpoint }) => {
      const found = agents.authenticate(mixed ? { authorization } : { authorization, audiences: audiences.get(endpoint) });
      return found instanceof Promise
        ? found.then((identity) => check(identity, authorization, endpoint))
        : check(found, authorization, endpoint);
    },
    challenge: (error, endpoint) => challenge(error, { resourceMetadataUrl: resourceMetadataUrl(resourceOf(endpoint)), scopes }),
    metadata: (endpoint) =>
      resourceMetadata({
        resource: resourceOf(endpoint),
        authorizationServers: config.issuers.map(({ issuer }) => issuer),
        scopes,
        name: endpoint,
      }),
    admin: adminDoor(config, publicUrl, common),
    warm: async () => {
      await agents.warm();
    },
    status: () => agents.status(),
  };
}

function adminDoor(config: Config, publicUrl: string, common: Omit<IdentityOptions, 'issuers'>): AdminDoor | undefined {
  const { admin } = config;
  if (admin === undefined) return undefined;
  const issuer = config.issuers.find((one) => one.issuer === admin.issuer);
  if (issuer === undefined) throw new GatewayError('config.invalid', `admin.issuer: \`${admin.issuer}\` is not one of \`issuers\``);
  const authenticator = createAdminAuthenticator({
    ...common,
    issuers: [issuerOptions(config, issuer, [admin.audience])],
    roles: admin.roles,
  });
  const metadataUrl = `${publicUrl}/.well-known/oauth-protected-resource/admin/v1`;
  return {
    authenticate: (request) => authenticator.authenticate(request),
    challenge: (error) => challenge(error, { resourceMetadataUrl: metadataUrl, scopes: admin.login?.scopes ?? [] }),
    metadata: () => ({
      ...resourceMetadata({
        resource: admin.audience,
        authorizationServers: [admin.issuer],
        scopes: admin.login?.scopes ?? [],
        name: 'admin',
      }),
      ...(admin.login === undefined ? {} : { castellan_client_id: admin.login.client_id }),
    }),
  };
}

function issuerOptions(config: Config, issuer: IssuerConfig, audiences: readonly string[]): IssuerOptions {
  const { claims } = issuer;
  return {
    issuer: issuer.issuer,
    audiences,
    algorithms: issuer.algorithms,
    jwksUri: issuer.jwks_uri,
    types: issuer.token_types,
    leewayS: issuer.leeway_s,
    maxTokenAgeS: issuer.max_token_age_s,
    tenant: config.tenant,
    // A token of another tenant is refused: this installation stores one.
    ...(claims.tenant === undefined ? {} : { tenants: [config.tenant] }),
    mapping: {
      subject: claims.subject,
      groups: claims.groups,
      client: claims.client,
      scopes: claims.scopes,
      tenant: claims.tenant,
      actor: claims.on_behalf_of,
    },
    exposedClaims: claims.expose,
  };
}
