import { hash } from 'node:crypto';
import { digestText } from './digest.ts';
import type { Digest } from './ids.ts';

/**
 * The digest of a compiled policy: SHA-256 over the hex digits of its module's SHA-256, a line feed, and those of its data document's. The
 * audit log has it of each release that came into force, so that a module can be shown to be the one that decided.
 */
export function buildDigest(wasm: Uint8Array, dataJson: string): Digest {
  return digestText(`${hash('sha256', wasm)}\n${hash('sha256', dataJson)}`);
}
