import { createPublicKey, hash, type JsonWebKey, type KeyObject } from 'node:crypto';
import { signatureAlgorithms } from './algorithms.ts';
import { hasRocaFingerprint } from './roca.ts';

/** A published key that passed hygiene. */
export interface SigningKey {
  readonly kid: string | undefined;
  /** RFC 7638 thumbprint: the same key keeps it, whatever its key id. */
  readonly thumbprint: string;
  readonly algorithms: readonly string[];
  readonly key: KeyObject;
}

export type AdmittedKey = { readonly ok: true; readonly key: SigningKey } | { readonly ok: false; readonly reason: string };

const minRsaBits = 2048;
const maxRsaBits = 16_384;
const minExponent = 65_537n;
const maxExponent = 1n << 32n;

/**
 * Admits a JWK as a key that signatures may be checked with, or says why not: asymmetric, public, meant for signatures, RSA of at least
 * 2048 bits with an odd exponent of at least 65537 and no ROCA fingerprint, a curve that a listed algorithm uses.
 * @see RFC 7517 section 4, RFC 8725 section 3.5
 */
export function admitKey(jwk: Readonly<Record<string, unknown>>): AdmittedKey {
  const refused = (reason: string): AdmittedKey => ({ ok: false, reason });
  const { kty, crv, use, alg, kid, key_ops: operations } = jwk;
  if (kid !== undefined && typeof kid !== 'string') return refused('its key id is not a string');
  if (Object.hasOwn(jwk, 'd') || Object.hasOwn(jwk, 'k')) return refused('it is a private or symmetric key, published');
  if (use !== undefined && use !== 'sig') return refused('it is not for signatures');
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return refused('it may not verify');
  const algorithms = [...signatureAlgorithms]
    .filter(([name, kind]) => kind.kty === kty && (kind.crv === undefined || kind.crv === crv) && (alg === undefined || alg === name))
    .map(([name]) => name);
  if (algorithms.length === 0) return refused('it fits no supported signature algorithm');
  const weakness = kty === 'RSA' ? weaknessOfRsa(jwk) : undefined;
  if (weakness !== undefined) return refused(weakness);
  try {
    const key = createPublicKey({ key: publicMembers(jwk), format: 'jwk' });
    return { ok: true, key: { kid, thumbprint: hash('sha256', JSON.stringify(publicMembers(jwk)), 'base64url'), algorithms, key } };
  } catch {
    return refused('it is not a well-formed key'); // The reason is reported; the key is not used.
  }
}

/** The members that a thumbprint covers, in its order. */
function publicMembers(jwk: Readonly<Record<string, unknown>>): JsonWebKey {
  const { kty, crv, x, y, n, e } = jwk as JsonWebKey;
  const members = kty === 'RSA' ? { e, kty, n } : kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x };
  return members as JsonWebKey;
}

function weaknessOfRsa(jwk: Readonly<Record<string, unknown>>): string | undefined {
  const modulus = integerOf(jwk['n']);
  const exponent = integerOf(jwk['e']);
  if (modulus === undefined || exponent === undefined) return 'it is not a well-formed key';
  const bits = modulus.toString(2).length;
  if (bits < minRsaBits || bits > maxRsaBits) return `its modulus has ${bits} bits, not ${minRsaBits} to ${maxRsaBits}`;
  if (exponent < minExponent || exponent >= maxExponent || exponent % 2n === 0n) return 'its exponent is not an odd number from 65537 on';
  if (modulus % 2n === 0n || hasRocaFingerprint(modulus)) return 'its modulus is weak (ROCA)';
  return undefined;
}

function integerOf(text: unknown): bigint | undefined {
  if (typeof text !== 'string' || text.length > 4096 || !/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  return BigInt(`0x0${Buffer.from(text, 'base64url').toString('hex')}`);
}
