import { hash } from 'node:crypto';
import { GatewayError } from '../model/errors.ts';
import type { Identity } from '../model/identity.ts';
import type { Awaitable } from '../model/ports.ts';
import { bearerToken } from './bearer.ts';
import { checkClaims } from './check-claims.ts';
import { parseJsonObject, readCompactJws, verifySignature, type CompactJws } from './compact-jws.ts';
import { IssuerKeys, type IssuerStatus } from './issuer-keys.ts';
import { mapClaims } from './map-claims.ts';
import { plainGet } from './plain-get.ts';
import { settleIssuer, settleKeyTimes, type IdentityOptions, type IssuerSettings } from './options.ts';
import { TokenCache } from './token-cache.ts';
import { tokenRefusal } from './token-refusal.ts';

/** One request, as far as identity is concerned. */
export interface AuthenticationRequest {
  readonly authorization: string | undefined;
  /** Narrows the issuer's audiences for this request, where each endpoint is a resource of its own. */
  readonly audiences?: readonly string[] | undefined;
  /** All of these are needed. */
  readonly requiredScopes?: readonly string[] | undefined;
}

export interface Authenticator {
  /**
   * Who calls. Synchronous for a token that was verified before and whose key is still published.
   * @throws GatewayError `auth.required`, `auth.invalid_token`, `auth.insufficient_scope` or `auth.issuer_down`; thrown or as a rejection
   */
  authenticate(request: AuthenticationRequest): Awaitable<Identity>;
  /** Fetches the keys of all issuers, so that the first call need not wait. Never rejects; gives how each issuer stands. */
  warm(): Promise<readonly IssuerStatus[]>;
  /** How each issuer's keys stand. */
  status(): readonly IssuerStatus[];
  /** Forgets verified tokens, all or those of identities that `match` picks; gives their number. They are verified afresh. */
  forget(match?: (identity: Identity) => boolean): number;
}

interface Issuer {
  readonly settings: IssuerSettings;
  readonly keys: IssuerKeys;
}

interface VerifiedToken {
  readonly identity: Identity;
  readonly audiences: readonly string[];
  readonly issuer: Issuer;
  readonly keyThumbprint: string;
  readonly validUntilMs: number;
}

const apiKeyPrefix = 'cst_';

/** @throws GatewayError `config.invalid` */
export function createAuthenticator(options: IdentityOptions): Authenticator {
  const nowMs = options.clock === undefined ? Date.now : () => options.clock?.nowMs() ?? Date.now();
  const issuers = issuersOf(options, nowMs);
  const cache = new TokenCache<VerifiedToken>(options.cache?.maxEntries ?? 10_000);
  const maxAgeMs = (options.cache?.maxAgeS ?? 3600) * 1000;

  const status = (): IssuerStatus[] => [...issuers.values()].map((issuer) => issuer.keys.status(nowMs()));
  const verify = async (token: string, cacheKey: string, request: AuthenticationRequest): Promise<Identity> => {
    const verified = await verifyToken(token, issuers, nowMs(), maxAgeMs);
    cache.set(cacheKey, verified);
    return admit(verified, request);
  };

  return {
    authenticate(request) {
      const token = bearerToken(request.authorization);
      const atMs = nowMs();
      if (token.startsWith(apiKeyPrefix)) return verifyApiKey(token, options, request, atMs);
      // INVARIANT: the cache never holds a token, only its digest.
      const cacheKey = hash('sha256', token, 'base64url');
      const cached = cache.get(cacheKey);
      if (cached === undefined) return verify(token, cacheKey, request);
      if (atMs < cached.validUntilMs && cached.issuer.keys.usable(atMs)?.has(cached.keyThumbprint) === true) return admit(cached, request);
      cache.delete(cacheKey);
      return verify(token, cacheKey, request);
    },
    warm: async () => {
      // A failure is in the status and was reported as an event.
      await Promise.allSettled([...issuers.values()].map(async (issuer) => issuer.keys.load(nowMs())));
      return status();
    },
    status,
    forget: (match = () => true) => cache.forget((entry) => match(entry.identity)),
  };
}

function issuersOf(options: IdentityOptions, nowMs: () => number): ReadonlyMap<string, Issuer> {
  const times = settleKeyTimes(options.keys);
  const issuers = new Map<string, Issuer>();
  for (const settings of options.issuers.map(settleIssuer)) {
    if (issuers.has(settings.issuer)) throw new GatewayError('config.invalid', `issuer \`${settings.issuer}\` is configured twice`);
    const keys = new IssuerKeys({
      issuer: settings,
      times,
      nowMs,
      fetch: options.fetch ?? plainGet,
      onEvent: options.onEvent ?? (() => undefined),
    });
    issuers.set(settings.issuer, { settings, keys });
  }
  return issuers;
}

async function verifyToken(token: string, issuers: ReadonlyMap<string, Issuer>, nowMs: number, maxAgeMs: number): Promise<VerifiedToken> {
  const jws = readCompactJws(token);
  const claims = parseJsonObject(jws.payload);
  if (claims === undefined) throw tokenRefusal('malformed', 'the token holds no claims');
  // The issuer is chosen by exact match before anything is fetched: a token cannot make the gateway call anybody new.
  const issuer = typeof claims['iss'] === 'string' ? issuers.get(claims['iss']) : undefined;
  if (issuer === undefined) throw tokenRefusal('issuer', 'the issuer of the token is not trusted here');
  // Claims before the signature: a hopeless token costs neither a fetch nor a verification.
  const facts = checkClaims(jws.header.typ, claims, issuer.settings, nowMs);
  const keyThumbprint = await verifyWithIssuer(jws, issuer, nowMs);
  const identity = mapClaims(claims, facts, issuer.settings);
  return { identity, audiences: facts.audiences, issuer, keyThumbprint, validUntilMs: Math.min(facts.refusedFromMs, nowMs + maxAgeMs) };
}

async function verifyWithIssuer(jws: CompactJws, issuer: Issuer, nowMs: number): Promise<string> {
  let thumbprint = '';
  await verifySignature(jws, issuer.settings.algorithms, async (kid, algorithm) => {
    const key = await issuer.keys.find(kid, algorithm, nowMs);
    thumbprint = key?.thumbprint ?? '';
    return key;
  });
  return thumbprint;
}

function admit(verified: VerifiedToken, request: AuthenticationRequest): Identity {
  if (request.audiences !== undefined && !verified.audiences.some((audience) => request.audiences?.includes(audience)))
    throw tokenRefusal('audience', 'the token is for another audience; ask for one with this resource as its audience');
  return withScopes(verified.identity, request);
}

function withScopes(identity: Identity, request: AuthenticationRequest): Identity {
  const missing = request.requiredScopes?.filter((scope) => !identity.scopes.includes(scope)) ?? [];
  if (missing.length === 0) return identity;
  throw new GatewayError('auth.insufficient_scope', 'the token lacks a scope that this needs; ask for one with the scopes named', {
    detail: { scopes: request.requiredScopes ?? [] },
  });
}

function verifyApiKey(token: string, options: IdentityOptions, request: AuthenticationRequest, nowMs: number): Awaitable<Identity> {
  const admitKey = (identity: Identity | undefined): Identity => {
    if (identity === undefined) throw tokenRefusal('api_key', 'the API key is unknown, revoked or expired');
    return withScopes(identity, request);
  };
  const found = options.apiKeys?.verify(token, nowMs);
  return found instanceof Promise ? found.then(admitKey) : admitKey(found);
}
