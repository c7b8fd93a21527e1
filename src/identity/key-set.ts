import { admitKey, type SigningKey } from './signing-key.ts';

/** One published key set, as it was when it was fetched. Never changes. */
export interface KeySet {
  readonly size: number;
  /** Keys that were published and not admitted, with the reason. */
  readonly refused: readonly { readonly kid: string; readonly reason: string }[];
  /** The key for a key id and an algorithm; without a key id only where exactly one key serves that algorithm. */
  find(kid: string | undefined, algorithm: string): SigningKey | undefined;
  /** Whether a key is still published. */
  has(thumbprint: string): boolean;
}

const maxKeys = 100;

/**
 * Reads a JWK Set. An empty set is one: the issuer withdrew every key.
 * @throws Error when the document is not a JWK Set or holds more than 100 keys
 * @see RFC 7517 section 5
 */
export function readKeySet(document: Readonly<Record<string, unknown>>): KeySet {
  const published = document['keys'];
  if (!Array.isArray(published)) throw new Error('the key set has no list `keys`');
  if (published.length > maxKeys) throw new Error(`the key set has more than ${maxKeys} keys`);
  const keys: SigningKey[] = [];
  const refused: { kid: string; reason: string }[] = [];
  for (const jwk of published as unknown[]) {
    if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) throw new Error('the key set holds something that is not a key');
    const admitted = admitKey(jwk as Record<string, unknown>);
    if (admitted.ok) {
      const { kid, thumbprint } = admitted.key;
      if (!keys.some((key) => key.kid === kid && key.thumbprint === thumbprint)) keys.push(admitted.key);
    } else refused.push({ kid: kidOf(jwk), reason: admitted.reason });
  }
  // A Map takes any key id as it is: no path, no prototype, no query is behind it (RFC 8725 section 3.10).
  const byKid = new Map<string | undefined, SigningKey[]>();
  for (const key of keys) byKid.set(key.kid, [...(byKid.get(key.kid) ?? []), key]);
  const thumbprints = new Set(keys.map((key) => key.thumbprint));
  return {
    size: keys.length,
    refused,
    find(kid, algorithm) {
      const fitting = (kid === undefined ? keys : (byKid.get(kid) ?? [])).filter((key) => key.algorithms.includes(algorithm));
      return fitting.length === 1 ? fitting[0] : undefined;
    },
    has: (thumbprint) => thumbprints.has(thumbprint),
  };
}

function kidOf(jwk: { readonly kid?: unknown }): string {
  return typeof jwk.kid === 'string' ? jwk.kid.slice(0, 64) : '';
}
