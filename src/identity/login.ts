import * as oidc from 'openid-client';
import { GatewayError } from '../model/errors.ts';
import {
  audienceParameters,
  defaultLoginTimeoutMs,
  discoverLogin,
  loginFailure,
  loginTokens,
  scopeParameters,
  type LoginOptions,
  type LoginTokens,
} from './login-client.ts';
import { listenForRedirect } from './login-redirect.ts';

export type { LoginOptions, LoginTokens } from './login-client.ts';

/** A sign-in that waits for the person. */
export interface CodeLogin {
  /** To be opened in a browser on this machine. */
  readonly url: string;
  /** @throws GatewayError `auth.invalid_token` when it fails, takes too long or is cancelled */
  readonly tokens: Promise<LoginTokens>;
  cancel(): void;
}

/** A sign-in on another device. */
export interface DeviceLogin {
  readonly verificationUri: string;
  /** The same with the code in it, where the issuer gives one. */
  readonly verificationUriComplete?: string;
  readonly userCode: string;
  /** @throws GatewayError `auth.invalid_token` when it fails, takes too long or is cancelled */
  readonly tokens: Promise<LoginTokens>;
  cancel(): void;
}

/**
 * Starts a sign-in in the browser: authorization code with PKCE (S256), the response on a free loopback port. The issuer must say that it
 * does PKCE; `iss` of the response and `state`, `nonce` and ID token are checked before anything is believed.
 * @throws GatewayError `auth.issuer_down`, `request.invalid`
 * @see RFC 8252, RFC 7636, RFC 8707, RFC 9207
 */
export async function startCodeLogin(options: LoginOptions): Promise<CodeLogin> {
  const config = await discoverLogin(options);
  if (!config.serverMetadata().supportsPKCE('S256'))
    throw new GatewayError(
      'request.invalid',
      `\`${options.issuer}\` does not advertise PKCE with S256; sign in with a device code instead`,
    );
  const cancelled = new AbortController();
  const signal = AbortSignal.any([cancelled.signal, AbortSignal.timeout(options.timeoutMs ?? defaultLoginTimeoutMs)]);
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const scope = scopeParameters(options);
  const nonce = scope['scope']?.split(' ').includes('openid') === true ? oidc.randomNonce() : undefined;
  const listener = await listenForRedirect(state, signal);
  const url = oidc.buildAuthorizationUrl(config, {
    ...scope,
    ...audienceParameters(options),
    redirect_uri: listener.redirectUri,
    state,
    ...(nonce === undefined ? {} : { nonce }),
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const checks = { expectedState: state, pkceCodeVerifier: verifier, ...(nonce === undefined ? {} : { expectedNonce: nonce }) };
  const tokens = listener.response
    .then((response) => oidc.authorizationCodeGrant(config, response, checks, audienceParameters(options)))
    .then((response) => loginTokens(options, response, Date.now()))
    .catch((error: unknown) => {
      throw loginFailure(error);
    });
  return { url: url.href, tokens: handled(tokens), cancel: () => cancelled.abort(new Error('cancelled')) };
}

/**
 * Starts a sign-in on another device: the person types the code there, this side asks the issuer until it is done.
 * @throws GatewayError `auth.issuer_down`, `request.invalid`, `auth.invalid_token`
 * @see RFC 8628
 */
export async function startDeviceLogin(options: LoginOptions): Promise<DeviceLogin> {
  const config = await discoverLogin(options);
  if (config.serverMetadata().device_authorization_endpoint === undefined)
    throw new GatewayError('request.invalid', `\`${options.issuer}\` has no device authorization; sign in with the browser instead`);
  const cancelled = new AbortController();
  const signal = AbortSignal.any([cancelled.signal, AbortSignal.timeout(options.timeoutMs ?? defaultLoginTimeoutMs)]);
  const start = await oidc
    .initiateDeviceAuthorization(config, { ...scopeParameters(options), ...audienceParameters(options) })
    .catch((error: unknown) => {
      throw loginFailure(error);
    });
  const poll = oidc.pollDeviceAuthorizationGrant(config, start, audienceParameters(options), { signal });
  // The poll looks at the signal only between its waits, which are seconds long.
  const tokens = Promise.race([poll, aborted(signal)])
    .then((response) => loginTokens(options, response, Date.now()))
    .catch((error: unknown) => {
      throw loginFailure(error);
    });
  return {
    verificationUri: start.verification_uri,
    ...(start.verification_uri_complete === undefined ? {} : { verificationUriComplete: start.verification_uri_complete }),
    userCode: start.user_code,
    tokens: handled(tokens),
    cancel: () => cancelled.abort(new Error('cancelled')),
  };
}

/**
 * New tokens for a refresh token. Where the issuer rotates it the answer holds the next one; else the old one goes on.
 * @throws GatewayError `auth.issuer_down`, `auth.invalid_token` when the person must sign in again
 */
export async function refreshLogin(options: LoginOptions, refreshToken: string): Promise<LoginTokens> {
  const config = await discoverLogin(options);
  try {
    const response = await oidc.refreshTokenGrant(config, refreshToken, audienceParameters(options));
    return { refreshToken, ...loginTokens(options, response, Date.now()) };
  } catch (error) {
    throw loginFailure(error);
  }
}

/** The caller may look at the promise later, or cancel and never: neither is an unhandled rejection. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
}
