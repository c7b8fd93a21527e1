import type { Configuration } from 'openid-client';
import { isPrivateAddress } from './private-network.ts';
import { fault } from './faults.ts';
import type { UpstreamOptions } from './types.ts';

/** The credential of one upstream, as header names and values in turn. */
export interface CredentialSource {
  /** What is at hand and fresh; the same array for as long as it does not change. */
  peek(): readonly string[] | undefined;
  /** Single-flight. @throws GatewayError `upstream.credential` */
  fetch(): Promise<readonly string[]>;
  /** Tells that the upstream refused it; true when a fresh one can be had. */
  refused(used: readonly string[]): boolean;
}

/** A token is renewed this long before it ends, or at half its life where that is sooner. */
const renewBeforeMs = 60_000;
/** The life of a token whose answer names none. */
const defaultLifeMs = 300_000;

export function credentialSource(options: UpstreamOptions): CredentialSource {
  const { credential } = options;
  switch (credential.kind) {
    case 'none':
      return fixed([]);
    case 'static':
      return fixed([credential.header.toLowerCase(), credential.value]);
    case 'client_credentials':
      return new ClientCredentials(options.name, credential, options.timeoutMs);
    default:
      return credential satisfies never;
  }
}

function fixed(headers: readonly string[]): CredentialSource {
  return { peek: () => headers, fetch: () => Promise.resolve(headers), refused: () => false };
}

type ClientCredentialsOptions = Extract<UpstreamOptions['credential'], { kind: 'client_credentials' }>;

/**
 * Access tokens by the client credentials grant. openid-client checks that the metadata names the configured issuer; plain http is accepted
 * only from a loopback issuer. @see RFC 6749 section 4.4, RFC 8414 section 3.3, RFC 8707
 */
class ClientCredentials implements CredentialSource {
  readonly #upstream: string;
  readonly #options: ClientCredentialsOptions;
  readonly #timeoutMs: number;
  #issuer: Promise<Configuration> | undefined;
  #fetching: Promise<readonly string[]> | undefined;
  #headers: readonly string[] | undefined;
  #renewAtMs = 0;

  constructor(upstream: string, options: ClientCredentialsOptions, timeoutMs: number) {
    this.#upstream = upstream;
    this.#options = options;
    this.#timeoutMs = timeoutMs;
  }

  peek(): readonly string[] | undefined {
    return Date.now() < this.#renewAtMs ? this.#headers : undefined;
  }

  fetch(): Promise<readonly string[]> {
    const fresh = this.peek();
    if (fresh !== undefined) return Promise.resolve(fresh);
    this.#fetching ??= this.#grant().finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  refused(used: readonly string[]): boolean {
    // Another call may have fetched a new token meanwhile: only the refused one is thrown away.
    if (used === this.#headers) this.#headers = undefined;
    return true;
  }

  async #grant(): Promise<readonly string[]> {
    const { scope, resource } = this.#options;
    try {
      const { clientCredentialsGrant } = await openIdClient();
      const issuer = await this.#discover();
      const sentAtMs = Date.now();
      const tokens = await clientCredentialsGrant(issuer, {
        ...(scope === undefined ? {} : { scope }),
        ...(resource === undefined ? {} : { resource }),
      });
      if (tokens.token_type.toLowerCase() !== 'bearer') throw new Error(`the token type is \`${tokens.token_type}\`, not bearer`);
      const lifeMs = tokens.expires_in === undefined ? defaultLifeMs : tokens.expires_in * 1_000;
      this.#headers = ['authorization', `Bearer ${tokens.access_token}`];
      this.#renewAtMs = sentAtMs + Math.max(lifeMs - renewBeforeMs, lifeMs / 2);
      return this.#headers;
    } catch (error) {
      throw fault('upstream.credential', this.#upstream, 'no access token', error);
    }
  }

  #discover(): Promise<Configuration> {
    this.#issuer ??= this.#discoverAs('oidc')
      .catch(() => this.#discoverAs('oauth2'))
      .catch((error: unknown) => {
        this.#issuer = undefined;
        throw error;
      });
    return this.#issuer;
  }

  async #discoverAs(algorithm: 'oidc' | 'oauth2'): Promise<Configuration> {
    const client = await openIdClient();
    const { issuer, clientId, clientSecret } = this.#options;
    const url = new URL(issuer);
    const isLoopback = url.protocol === 'http:' && isPrivateAddress(url.hostname.replace(/^\[|\]$/g, ''));
    return client.discovery(url, clientId, undefined, client.ClientSecretBasic(clientSecret), {
      algorithm,
      timeout: Math.ceil(this.#timeoutMs / 1_000),
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so that it stands out; it is for loopback only
      execute: isLoopback ? [client.allowInsecureRequests] : [],
    });
  }
}

/** Loaded for those who use it: it brings an HTTP client of its own. */
function openIdClient(): Promise<typeof import('openid-client')> {
  return import('openid-client');
}
