import * as oidc from 'openid-client';
import { GatewayError } from '../model/errors.ts';
import { isLoopback, trustedUrl } from './fetch-document.ts';

/** Where and as what somebody signs in. */
export interface LoginOptions {
  readonly issuer: string;
  /** A public client of the issuer. */
  readonly clientId: string;
  /** Default: `openid offline_access`. */
  readonly scopes?: readonly string[] | undefined;
  /** The admin audience, for issuers that take it as `resource` (RFC 8707). */
  readonly resource?: string | undefined;
  /** The admin audience, for issuers that take it as `audience` (Auth0 and others). */
  readonly audience?: string | undefined;
  /** How long people may take. Default 300000. */
  readonly timeoutMs?: number | undefined;
}

/** What signing in gave. Nothing of it is stored here. */
export interface LoginTokens {
  readonly issuer: string;
  readonly clientId: string;
  readonly accessToken: string;
  readonly expiresAtMs: number;
  readonly refreshToken?: string;
  readonly scopes: readonly string[];
  /** Who signed in, where the issuer gave an ID token. */
  readonly subject?: string;
}

export const defaultLoginTimeoutMs = 300_000;

/**
 * The issuer's metadata as openid-client wants it: OpenID discovery, else OAuth's.
 * @throws GatewayError `request.invalid` for an address that is not to be trusted, `auth.issuer_down` when the issuer does not answer
 */
export async function discoverLogin(options: LoginOptions): Promise<oidc.Configuration> {
  const issuer = trustedUrl(options.issuer);
  if (issuer === undefined) throw new GatewayError('request.invalid', `\`${options.issuer}\` is no https issuer (http only on loopback)`);
  const execute = [oidc.enableNonRepudiationChecks];
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so that it stands out: plain HTTP to this very machine only
  if (isLoopback(issuer)) execute.push(oidc.allowInsecureRequests);
  let failure: unknown;
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    try {
      const found = await oidc.discovery(issuer, options.clientId, undefined, oidc.None(), { algorithm, execute, timeout: 10 });
      if (found.serverMetadata().issuer === options.issuer) return found;
      failure ??= new Error('the metadata is of another issuer');
    } catch (error) {
      failure ??= error; // The other place may have it.
    }
  }
  throw new GatewayError('auth.issuer_down', `no sign-in metadata from \`${options.issuer}\`; check the address and that it is up`, {
    cause: failure,
  });
}

/** The parameters that ask for the admin audience. */
export function audienceParameters(options: LoginOptions): Record<string, string> {
  return {
    ...(options.resource === undefined ? {} : { resource: options.resource }),
    ...(options.audience === undefined ? {} : { audience: options.audience }),
  };
}

/** The scopes to ask for, and what asking for a refresh token needs. */
export function scopeParameters(options: LoginOptions): Record<string, string> {
  const scopes = options.scopes ?? ['openid', 'offline_access'];
  // OpenID Connect Core section 11: without a prompt for consent `offline_access` is ignored.
  return { scope: scopes.join(' '), ...(scopes.includes('offline_access') ? { prompt: 'consent' } : {}) };
}

/** A token response as {@link LoginTokens}. */
export function loginTokens(
  options: LoginOptions,
  response: oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers,
  nowMs: number,
): LoginTokens {
  const subject = response.claims()?.sub;
  return {
    issuer: options.issuer,
    clientId: options.clientId,
    accessToken: response.access_token,
    // Without `expires_in` the token is treated as gone soon, so that it is refreshed rather than trusted.
    expiresAtMs: nowMs + (response.expires_in ?? 60) * 1000,
    scopes: (response.scope ?? '').split(' ').filter((scope) => scope !== ''),
    ...(response.refresh_token === undefined ? {} : { refreshToken: response.refresh_token }),
    ...(subject === undefined ? {} : { subject }),
  };
}

/** Whatever openid-client threw, as words for the person at the terminal; the issuer's own code is kept. */
export function loginFailure(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const code = (error as { error?: unknown } | undefined)?.error;
  const why = typeof code === 'string' ? `the issuer answered \`${code}\`` : error instanceof Error ? error.message : 'an unknown fault';
  return new GatewayError('auth.invalid_token', `sign-in failed: ${why}; start it again`, { cause: error });
}
