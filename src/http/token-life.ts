import type { Identity } from '../model/identity.ts';

/** What a timer can wait for. */
const longestMs = 2_147_483_647;

/**
 * Calls `end` when the token or key that opened a stream expires: a stream must not outlive what allowed it, and a client comes back with a fresh
 * one. Gives the way to stop waiting.
 */
export function atTokenEnd({ auth }: Identity, nowMs: number, end: () => void): () => void {
  const leftMs = auth.expiresAtMs - nowMs;
  if (leftMs > longestMs) return () => undefined;
  const timer = setTimeout(end, Math.max(leftMs, 0)).unref();
  return () => clearTimeout(timer);
}
