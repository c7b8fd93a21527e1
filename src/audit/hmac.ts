import { hash } from 'node:crypto';

const blockBytes = 64;
const hashBytes = 32;

/**
 * HMAC-SHA-256 under one key, in hex: two one-shot hashes over buffers that are kept, which take a third of the time of `createHmac` and its
 * native objects. The key has at most 64 bytes.
 * @param messageBytes messages of this many bytes are the fast ones; others are right too
 * @see https://www.rfc-editor.org/rfc/rfc2104#section-2
 */
export function hmacSha256(key: Uint8Array, messageBytes: number): (message: string) => string {
  if (key.length > blockBytes) throw new TypeError('the key of an HMAC has at most 64 bytes here');
  const inner = Buffer.alloc(blockBytes + messageBytes, 0x36);
  const outer = Buffer.alloc(blockBytes + hashBytes, 0x5c);
  key.forEach((byte, index) => {
    inner[index] = byte ^ 0x36;
    outer[index] = byte ^ 0x5c;
  });
  return (message) => {
    const isUsual = Buffer.byteLength(message) === messageBytes;
    if (isUsual) inner.write(message, blockBytes);
    const text = isUsual ? inner : Buffer.concat([inner.subarray(0, blockBytes), Buffer.from(message)]);
    // As characters of one byte each: a buffer would be made for every call.
    outer.write(hash('sha256', text, 'binary'), blockBytes, 'binary');
    return hash('sha256', outer);
  };
}
