import { createCipheriv, createDecipheriv, hash, randomBytes, type KeyObject } from 'node:crypto';
import { GatewayError } from '../model/errors.ts';

/** A key that seals other keys, as the configuration has it, with the name that is stored beside what it sealed. */
export interface SealingKey {
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** The key that seals from now on, and the earlier ones that still open. Plain values, so that a worker can be given them. */
export interface KeyRing {
  readonly current: SealingKey;
  readonly earlier: readonly SealingKey[];
}

export const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const algorithm = 'aes-256-gcm';

/**
 * A sealing key from its text: 64 hex digits, or base64 (also base64url) of 32 bytes. Its id is made of a hash, and says nothing about it.
 * @throws GatewayError `config.invalid`, where `source` names the place
 */
export function sealingKey(text: string, source: string): SealingKey {
  const trimmed = text.trim();
  const bytes = /^[0-9a-fA-F]{64}$/.test(trimmed) ? Buffer.from(trimmed, 'hex') : Buffer.from(trimmed, 'base64');
  if (bytes.length !== keyBytes || (!/^[0-9a-fA-F]{64}$/.test(trimmed) && !/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)))
    throw new GatewayError(
      'config.invalid',
      `${source} is no sealing key: it must be 32 random bytes as hex or base64; make one with \`openssl rand -base64 32\``,
    );
  return { id: hash('sha256', Buffer.concat([Buffer.from('castellan sealing key\n'), bytes])).slice(0, 16), bytes: Uint8Array.from(bytes) };
}

/** A fresh key as text for a file. */
export function newKeyText(): string {
  return randomBytes(keyBytes).toString('base64');
}

/** Seals `plain` so that it opens only with the same key and the same `bound` text: nonce, cipher text, tag. */
export function sealBytes(key: Uint8Array | KeyObject, plain: Uint8Array, bound: string): Uint8Array {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce);
  cipher.setAAD(Buffer.from(bound));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Opens what {@link sealBytes} made; `undefined` where key, bound text or bytes are not the ones it was sealed with. */
export function openBytes(key: Uint8Array, sealed: Uint8Array, bound: string): Buffer | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined;
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes));
  decipher.setAAD(Buffer.from(bound));
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const plain = decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes));
  try {
    decipher.final();
  } catch {
    return undefined; // not authentic: the caller says what that means where it stands
  }
  return plain;
}

/** The day's key sealed under the current key. */
export function wrapKey(ring: KeyRing, key: Uint8Array, bound: string): { readonly kek: string; readonly wrapped: Uint8Array } {
  return { kek: ring.current.id, wrapped: sealBytes(ring.current.bytes, key, `key ${ring.current.id} ${bound}`) };
}

/** @throws GatewayError `request.invalid` when none of the keys at hand opens it */
export function unwrapKey(ring: KeyRing | undefined, kek: string, wrapped: Uint8Array, bound: string): Uint8Array {
  const found = (ring === undefined ? [] : [ring.current, ...ring.earlier]).find(({ id }) => id === kek);
  const key = found && openBytes(found.bytes, wrapped, `key ${kek} ${bound}`);
  if (key !== undefined) return key;
  throw new GatewayError(
    'request.invalid',
    found === undefined
      ? `the key \`${kek}\` that sealed these inputs is not configured; name it under \`audit.inputs.earlier_keys\``
      : `the key \`${kek}\` does not open what it sealed: the stored key was changed`,
  );
}
