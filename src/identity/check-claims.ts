import type { IssuerSettings } from './options.ts';
import { tokenRefusal } from './token-refusal.ts';

/** Claims of a token, verified or not. */
export type Claims = Readonly<Record<string, unknown>>;

/** What a token that passed {@link checkClaims} says on itself. Times in milliseconds since the epoch. */
export interface TokenFacts {
  readonly audiences: readonly string[];
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** From here on the token is refused: expiry or greatest age, with the leeway. */
  readonly refusedFromMs: number;
}

const latestS = 253_402_300_799; // The end of year 9999: what is later was written in milliseconds.

/**
 * Checks what a token says on itself against what its issuer is allowed: type, audience, times, and that it is an access token that a
 * bearer may use.
 * @throws GatewayError `auth.invalid_token`
 * @see RFC 9068 section 4, RFC 7519 section 4.1, RFC 8725 section 3
 */
export function checkClaims(typ: string | undefined, claims: Claims, issuer: IssuerSettings, nowMs: number): TokenFacts {
  if (!issuer.types.includes((typ ?? '').toLowerCase()))
    throw tokenRefusal('type', 'the token is not an access token of the expected type');
  refuseOtherTokens(claims);
  const audiences = audiencesOf(claims['aud']);
  if (!audiences.some((audience) => issuer.audiences.includes(audience)))
    throw tokenRefusal('audience', 'the token is for another audience; ask for one with this resource as its audience');
  const leewayMs = issuer.leewayS * 1000;
  const expiresAtMs = timeOf(claims, 'exp');
  const issuedAtMs = timeOf(claims, 'iat');
  const validFromMs = claims['nbf'] === undefined ? issuedAtMs : timeOf(claims, 'nbf');
  const refusedFromMs = Math.min(expiresAtMs, issuedAtMs + issuer.maxTokenAgeS * 1000) + leewayMs;
  if (nowMs >= expiresAtMs + leewayMs) throw tokenRefusal('expired', 'the token has expired; get a new one');
  if (Math.max(validFromMs, issuedAtMs) > nowMs + leewayMs) throw tokenRefusal('not_yet_valid', 'the token is not valid yet');
  if (nowMs >= refusedFromMs) throw tokenRefusal('too_old', 'the token was issued too long ago; get a new one');
  return { audiences, issuedAtMs, expiresAtMs, refusedFromMs };
}

/** Where `typ` may be `JWT`, an ID or refresh token of the same issuer looks like an access token: these members give it away. */
function refuseOtherTokens(claims: Claims): void {
  const identityToken = ['nonce', 'at_hash', 'c_hash', 's_hash'].some((name) => claims[name] !== undefined);
  const otherUse = claims['token_use'] === 'id' || claims['typ'] === 'ID' || claims['typ'] === 'Refresh';
  if (identityToken || otherUse) throw tokenRefusal('type', 'this is not an access token');
  // A token bound to a key (DPoP, mTLS) that anybody could bring as a bearer token would have lost what it was bound for.
  if (claims['cnf'] !== undefined) throw tokenRefusal('bound', 'the token is bound to a key, and proof of it is not supported here');
}

function audiencesOf(aud: unknown): string[] {
  const list: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!list.every((item) => typeof item === 'string')) throw tokenRefusal('audience', 'the token has no readable audience');
  return list;
}

function timeOf(claims: Claims, name: 'exp' | 'iat' | 'nbf'): number {
  const seconds = claims[name];
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= latestS))
    throw tokenRefusal('claims', `the token's \`${name}\` is missing or no time in seconds`);
  return seconds * 1000;
}
