import { randomBytes, timingSafeEqual, type JsonWebKey } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Provider from 'oidc-provider';
import type { Context } from 'oidc-provider';
import {
  demoGrantType,
  newSigningKey,
  providerConfiguration,
  resourceServer,
  type DemoClient,
  type DemoUser,
} from './identity-provider-config.ts';
import { serveInteraction } from './identity-provider-pages.ts';
import { createProviderStore } from './identity-provider-store.ts';

export type { DemoClient, DemoUser } from './identity-provider-config.ts';

export interface IdentityProviderOptions {
  /** Default: a free one. */
  readonly port?: number;
  readonly users: readonly DemoUser[];
  /** Default: a public client `castellan` and a public client `demo-agent`. */
  readonly clients?: readonly DemoClient[];
  /** What tokens can be for, each by its exact URL. */
  readonly resources: readonly string[];
  /** The scopes of every resource. Default: `mcp:tools`. */
  readonly scopes?: readonly string[];
}

export interface TokenRequest {
  readonly resource: string;
  /** Default: every scope of the resources. */
  readonly scope?: string;
  /** Default 3600. */
  readonly expiresInS?: number;
  /** Default: the first client without a secret. */
  readonly clientId?: string;
}

/** A running OpenID provider on loopback. */
export interface IdentityProvider {
  readonly issuer: string;
  /** An access token for `subject`, from the token endpoint. */
  tokenFor(subject: string, request: TokenRequest): Promise<string>;
  /** Signs with a new key from now on; with `keepOld` the old ones stay published. Sign-ins and refresh tokens survive. */
  rotateKeys(options?: { readonly keepOld?: boolean }): Promise<void>;
  /** How often a path was asked for. */
  requests(path: string): number;
  /** From now on every connection is cut, as if the machine were gone. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

/**
 * Starts a real OpenID provider (oidc-provider) on 127.0.0.1: discovery, code + PKCE with a sign-in page that lists the users, device
 * authorization, refresh, client credentials, client registration. For the demo and for tests: users have no passwords. The package is a
 * development dependency and is loaded here only.
 */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const { default: ProviderClass, errors } = await import('oidc-provider');
  const clients = options.clients ?? [{ clientId: 'castellan' }, { clientId: 'demo-agent' }];
  const scopes = options.scopes ?? ['mcp:tools'];
  const store = createProviderStore();
  const cookieKeys = [randomBytes(32).toString('hex')];
  const grantSecret = randomBytes(32).toString('hex');
  const requests = new Map<string, number>();
  let keys: JsonWebKey[] = [newSigningKey()];
  let paused = false;
  let provider: Provider | undefined;

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
    requests.set(pathname, (requests.get(pathname) ?? 0) + 1);
    if (paused || provider === undefined) request.socket.destroy();
    else serve(provider, pathname, request, response);
  });
  const serve = (active: Provider, pathname: string, request: IncomingMessage, response: ServerResponse): void => {
    if (!pathname.startsWith('/interaction/')) active.callback()(request, response);
    else serveInteraction(active, options.users, request, response).catch((error: unknown) => failed(response, error));
  };
  await new Promise<void>((listening, fail) => server.once('error', fail).listen(options.port ?? 0, '127.0.0.1', listening));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const resourceServerOf = (resource: string): ReturnType<typeof resourceServer> => {
    if (!options.resources.includes(resource)) throw new errors.InvalidTarget();
    return resourceServer(resource, scopes);
  };
  const start = (): Provider => {
    const started = new ProviderClass(
      issuer,
      providerConfiguration({ users: options.users, clients, keys, cookieKeys, store, resourceServerOf }),
    );
    const names = ['subject', 'resource', 'scope', 'expires_in', 'grant_secret'];
    started.registerGrantType(demoGrantType, (context) => grantSubject(started, context), names);
    return started;
  };

  const grantSubject = async (active: Provider, context: Context): Promise<void> => {
    const { params, client } = context.oidc;
    const { subject = '', resource = '', scope = '', expires_in: expiresIn, grant_secret: secret = '' } = params;
    // Only this process knows the secret: another program on the machine cannot ask for anybody's token.
    if (!sameText(secret, grantSecret)) throw new errors.InvalidGrant('this grant is for the demo itself');
    if (!options.users.some((user) => user.subject === subject)) throw new errors.InvalidGrant('there is no such user');
    const info = resourceServerOf(resource);
    const grant = new active.Grant({ accountId: subject, clientId: client.clientId });
    grant.addResourceScope(resource, scope);
    const token = new active.AccessToken({
      accountId: subject,
      client,
      grantId: await grant.save(),
      gty: demoGrantType,
      scope,
      resourceServer: new active.ResourceServer(resource, info),
      ...(expiresIn === undefined ? {} : { expiresIn: Number(expiresIn) }),
    });
    context.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration, scope };
  };

  provider = start();
  return {
    issuer,
    async tokenFor(subject, request) {
      const clientId = request.clientId ?? clients.find((client) => client.secret === undefined)?.clientId ?? clients[0]?.clientId ?? '';
      const secret = clients.find((client) => client.clientId === clientId)?.secret;
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: secret === undefined ? {} : { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` },
        body: new URLSearchParams({
          grant_type: demoGrantType,
          grant_secret: grantSecret,
          subject,
          resource: request.resource,
          scope: request.scope ?? scopes.join(' '),
          ...(request.expiresInS === undefined ? {} : { expires_in: String(request.expiresInS) }),
          ...(secret === undefined ? { client_id: clientId } : {}),
        }),
      });
      const answer = (await response.json()) as { access_token?: string };
      if (answer.access_token === undefined) throw new Error(`no token for \`${subject}\`: ${JSON.stringify(answer)}`);
      return answer.access_token;
    },
    rotateKeys({ keepOld = false } = {}) {
      keys = [newSigningKey(), ...(keepOld ? keys : [])];
      provider = start();
      return Promise.resolve();
    },
    requests: (path) => requests.get(path) ?? 0,
    pause: () => {
      paused = true;
      server.closeAllConnections();
    },
    resume: () => {
      paused = false;
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function failed(response: ServerResponse, error: unknown): void {
  if (!response.headersSent) response.writeHead(400, { 'content-type': 'text/plain' });
  response.end(`sign-in failed: ${error instanceof Error ? error.message : 'unknown fault'}\n`);
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
