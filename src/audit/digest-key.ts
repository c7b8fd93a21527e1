import { randomBytes } from 'node:crypto';
import type { Digest } from '../model/ids.ts';
import type { Db } from '../model/ports.ts';
import { hmacSha256 } from './hmac.ts';
import { keyBytes, unwrapKey, wrapKey, type KeyRing } from './sealed-keys.ts';

const purpose = 'arguments-digest';
/** Calls that are decided at a time, and some. */
const maxKept = 256;
const digestChars = 'sha256:'.length + 64;

interface KeyRow {
  readonly kek: string | null;
  readonly key_bytes: Uint8Array;
}

/** What a stored key of the gateway's own is bound to. */
export function boundStoreKey(tenant: string, name: string): string {
  return JSON.stringify(['castellan own key', tenant, name]);
}

/**
 * The key of a tenant's argument digests, made at its first use and the same in every replica and after every start: history compares digests
 * across both. Sealed in the store where there is a key to seal it with.
 * @throws GatewayError `store.unavailable`; `request.invalid` when it is sealed and the key for it is not at hand
 */
export async function openDigestKey(db: Db, tenant: string, ring: KeyRing | undefined): Promise<Uint8Array> {
  const bound = boundStoreKey(tenant, purpose);
  const read = async (): Promise<KeyRow | undefined> =>
    (await db.query<KeyRow>('SELECT kek, key_bytes FROM store_key WHERE tenant = $1 AND name = $2', [tenant, purpose]))[0];
  let row = await read();
  if (row === undefined) {
    const key = randomBytes(keyBytes);
    const { kek, wrapped } = ring === undefined ? { kek: null, wrapped: Uint8Array.from(key) } : wrapKey(ring, key, bound);
    await db.query('INSERT INTO store_key (tenant, name, kek, key_bytes) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, name) DO NOTHING', [
      tenant,
      purpose,
      kek,
      wrapped,
    ]);
    // Asked again: another process may have been first.
    row = await read();
  }
  if (row === undefined) throw new TypeError('a key that was just stored is not there');
  return row.kek === null ? row.key_bytes : unwrapKey(ring, row.kek, row.key_bytes, bound);
}

/**
 * Gives digests as records and history show them: `hmac-sha256:` over the digest of the arguments. Equal arguments have equal digests, and
 * nobody without the key can try out which arguments a digest belongs to.
 */
export function keyedDigests(key: Uint8Array): (digest: Digest) => string {
  const hmac = hmacSha256(key, digestChars);
  const kept = new Map<string, string>();
  return (digest) => {
    let keyed = kept.get(digest);
    if (keyed === undefined) {
      // A call asks twice, for its history and for its record, and agents repeat themselves.
      if (kept.size >= maxKept) kept.clear();
      keyed = `hmac-sha256:${hmac(digest)}`;
      kept.set(digest, keyed);
    }
    return keyed;
  };
}
