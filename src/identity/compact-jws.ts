import { compactVerify } from 'jose';
import { rawNumber } from '../model/json.ts';
import type { Awaitable } from '../model/ports.ts';
import { isCanonicalBase64url } from './base64url.ts';
import type { SigningKey } from './signing-key.ts';
import { tokenRefusal } from './token-refusal.ts';

/** A compact JWS taken apart, nothing of it verified. */
export interface CompactJws {
  readonly text: string;
  readonly header: JwsHeader;
  readonly payload: Uint8Array;
}

export interface JwsHeader {
  readonly alg: string;
  readonly kid: string | undefined;
  readonly typ: string | undefined;
}

/** The keys that a signature may be checked with. `undefined` means that no such key is known. */
export type FindKey = (kid: string | undefined, algorithm: string) => Awaitable<Pick<SigningKey, 'key'> | undefined>;

const maxTokenChars = 16_384;
const maxKidChars = 256;

/**
 * Takes a token apart, strictly: three canonical base64url parts, a JSON header with `alg`, and nothing in it that changes how the
 * signature is made (`crit`, `b64`, encryption). `jwk`, `jku`, `x5u` and `x5c` are never read: keys come from the issuer alone.
 * @throws GatewayError `auth.invalid_token`
 * @see RFC 7515 section 5.2, RFC 8725 section 3
 */
export function readCompactJws(token: string): CompactJws {
  if (token.length > maxTokenChars) throw tokenRefusal('malformed', `the token is longer than ${maxTokenChars} characters`);
  const [head, payload, signature, ...more] = token.split('.');
  if (head === undefined || payload === undefined || signature === undefined || more.length > 0)
    throw tokenRefusal('malformed', 'the token is not a signed JWT; send an access token of a configured issuer');
  if (!isCanonicalBase64url(head) || !isCanonicalBase64url(payload) || !isCanonicalBase64url(signature) || head === '' || signature === '')
    throw tokenRefusal('malformed', 'the token is not canonical base64url');
  return { text: token, header: readHeader(head), payload: Buffer.from(payload, 'base64url') };
}

function readHeader(part: string): JwsHeader {
  const header = parseJsonObject(Buffer.from(part, 'base64url'));
  const { alg, kid, typ } = header ?? {};
  if (header === undefined || typeof alg !== 'string') throw tokenRefusal('header', 'the token has no readable header');
  for (const name of ['crit', 'b64', 'enc', 'zip'])
    if (Object.hasOwn(header, name))
      throw tokenRefusal('header', `the token uses the header parameter \`${name}\`, which is not supported`);
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > maxKidChars))
    throw tokenRefusal('header', `the key id is not a string of at most ${maxKidChars} characters`);
  if (typ !== undefined && typeof typ !== 'string') throw tokenRefusal('header', 'the token type is not a string');
  return { alg, kid, typ };
}

/** A JSON object from UTF-8 bytes, integers beyond 2^53 exact, or `undefined` for anything else. */
export function parseJsonObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), exactNumber);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // Not UTF-8 or not JSON: each caller refuses `undefined`.
  }
}

/** Two long employee numbers must not become one because a double cannot tell them apart. */
function exactNumber(this: unknown, _key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const inexact = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
  return inexact && context?.source !== undefined ? rawNumber(context.source) : value;
}

/**
 * Checks the signature: the algorithm is on the list, the key is one that `findKey` knows for this key id and algorithm.
 * @throws GatewayError `auth.invalid_token`; what `findKey` throws passes through
 */
export async function verifySignature(jws: CompactJws, algorithms: readonly string[], findKey: FindKey): Promise<void> {
  const { alg, kid } = jws.header;
  // `none` in any spelling is on no list: the options refuse it, see algorithms.ts.
  if (!algorithms.includes(alg)) throw tokenRefusal('algorithm', 'the token is signed with an algorithm that its issuer is not allowed');
  const found = await findKey(kid, alg);
  if (found === undefined) throw tokenRefusal('key', 'the token is signed with a key that its issuer does not publish');
  try {
    await compactVerify(jws.text, found.key, { algorithms: [alg] });
  } catch (cause) {
    throw tokenRefusal('signature', 'the signature of the token is wrong', cause);
  }
}
