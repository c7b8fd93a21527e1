import { generateKeyPairSync, randomBytes, type JsonWebKey } from 'node:crypto';
import type { AccessToken, Context, ResourceServerInfo } from 'oidc-provider';
import { escapedHtml, htmlPage } from '../model/html-page.ts';
import type { ProviderStore } from './identity-provider-store.ts';

/** Somebody who can sign in at the development provider. */
export interface DemoUser {
  readonly subject: string;
  readonly name: string;
  readonly groups: readonly string[];
}

/** An OAuth client of the development provider. With a secret it is a service and may use client credentials. */
export interface DemoClient {
  readonly clientId: string;
  readonly secret?: string;
  /** Default: a loopback callback on any port. */
  readonly redirectUris?: readonly string[];
  /** Groups in the tokens that the client gets for itself. */
  readonly groups?: readonly string[];
}

/** The grant that {@link file://./identity-provider.ts} asks its tokens with. */
export const demoGrantType = 'urn:castellan:demo:subject';

const tokenTtlS = 3600;
const signatureAlgorithm = 'ES256';

/** A fresh ES256 key, private members included. */
export function newSigningKey(): JsonWebKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomBytes(8).toString('hex'), alg: signatureAlgorithm, use: 'sig' };
}

/** What oidc-provider is told on one of the resources that tokens can be for: JWT access tokens (RFC 9068), typ `at+jwt`. */
export function resourceServer(resource: string, scopes: readonly string[]): ResourceServerInfo {
  return {
    scope: scopes.join(' '),
    audience: resource,
    accessTokenFormat: 'jwt',
    accessTokenTTL: tokenTtlS,
    jwt: { sign: { alg: signatureAlgorithm } },
  };
}

/** The provider's whole configuration. */
export function providerConfiguration(options: {
  readonly users: readonly DemoUser[];
  readonly clients: readonly DemoClient[];
  readonly keys: readonly JsonWebKey[];
  readonly cookieKeys: readonly string[];
  readonly store: (kind: string) => ProviderStore;
  readonly resourceServerOf: (resource: string) => ResourceServerInfo;
}): Readonly<Record<string, unknown>> {
  const { users, clients } = options;
  const groupsOf = (token: AccessToken & { accountId?: string; clientId?: string }): readonly string[] =>
    users.find((user) => user.subject === token.accountId)?.groups ??
    clients.find((client) => token.accountId === undefined && client.clientId === token.clientId)?.groups ??
    [];
  return {
    adapter: options.store,
    clients: clients.map(clientMetadata),
    clientDefaults: { id_token_signed_response_alg: signatureAlgorithm, grant_types: ['authorization_code', 'refresh_token'] },
    clientBasedCORS: (_context: unknown, origin: string) => /^http:\/\/(localhost|127\.0\.0\.1)(:\d+)?$/.test(origin),
    cookies: { keys: options.cookieKeys },
    jwks: { keys: options.keys },
    claims: { openid: ['sub', 'groups', 'name'] },
    extraTokenClaims: (_context: unknown, token: AccessToken) => ({ groups: groupsOf(token) }),
    findAccount: (_context: unknown, subject: string) => {
      const user = users.find((known) => known.subject === subject);
      return user && { accountId: subject, claims: () => ({ sub: subject, groups: user.groups, name: user.name }) };
    },
    interactions: { url: (_context: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    renderError: (context: Context, out: Readonly<Record<string, unknown>>) => {
      context.type = 'html';
      context.body = htmlPage('Sign-in failed', '', `<pre>${escapedHtml(JSON.stringify(out, null, 2))}</pre>`);
    },
    rotateRefreshToken: true,
    ttl: {
      AccessToken: tokenTtlS,
      AuthorizationCode: 60,
      ClientCredentials: tokenTtlS,
      DeviceCode: 600,
      Grant: 86_400,
      IdToken: tokenTtlS,
      Interaction: 600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      deviceFlow: deviceFlow(),
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_context: unknown, _client: unknown, oneOf: unknown) => oneOf,
        getResourceServerInfo: (_context: unknown, resource: string) => options.resourceServerOf(resource),
        useGrantedResource: () => true,
      },
      rpInitiatedLogout: { enabled: false },
    },
  };
}

function clientMetadata(client: DemoClient): Readonly<Record<string, unknown>> {
  const service = client.secret !== undefined;
  return {
    client_id: client.clientId,
    client_name: client.clientId,
    application_type: 'native',
    redirect_uris: client.redirectUris ?? ['http://127.0.0.1/callback', 'http://localhost/callback'],
    response_types: ['code'],
    grant_types: [
      'authorization_code',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:device_code',
      demoGrantType,
      ...(service ? ['client_credentials'] : []),
    ],
    token_endpoint_auth_method: service ? 'client_secret_basic' : 'none',
    ...(service ? { client_secret: client.secret } : {}),
  };
}

function deviceFlow(): Readonly<Record<string, unknown>> {
  return {
    enabled: true,
    userCodeInputSource: (context: Context, form: string) => {
      context.body = htmlPage('Sign in on a device', '', `${form}<button form="op.deviceInputForm">Continue</button>`);
    },
    userCodeConfirmSource: (context: Context, form: string, client: { clientId: string }, _device: unknown, userCode: string) => {
      const question = `<p>${escapedHtml(client.clientId)} shows the code ${escapedHtml(userCode)}?</p>`;
      context.body = htmlPage('Confirm the code', '', `${question}${form}<button form="op.deviceConfirmForm">Continue</button>`);
    },
    successSource: (context: Context) => {
      context.body = htmlPage('Signed in', '', '<p>Back to the device. This page can be closed.</p>');
    },
  };
}
