import type { UpstreamTiming } from './types.ts';

/** The waits that are used where the app names none. */
export const defaultTiming: UpstreamTiming = {
  retryMinMs: 500,
  retryMaxMs: 30_000,
  refreshMs: 300_000,
  debounceMs: 100,
  killGraceMs: 2_000,
  drainMs: 30_000,
};

/** How long an era that was found by asking counts before it is asked for again. */
export const eraLifeMs = 3_600_000;

/**
 * When lists are read again: as often as is set, or as the upstream's hint says within a fifth and twelve times of that. The hint is spread
 * by up to a quarter, so that many gateways do not come at once.
 */
export function refreshWaitMs(refreshMs: number, freshForMs: number | undefined): number {
  if (freshForMs === undefined || freshForMs === 0) return refreshMs;
  return Math.min(Math.max(freshForMs * (1 + Math.random() / 4), refreshMs / 5), refreshMs * 12);
}

/** Doubling waits between two bounds, each shortened by up to a quarter so that many retries do not come at once. */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  #nextMs: number;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#nextMs = minMs;
  }

  /** The next wait. */
  nextMs(): number {
    const waitMs = this.#nextMs;
    this.#nextMs = Math.min(this.#maxMs, waitMs * 2);
    return Math.round(waitMs * (1 - Math.random() / 4));
  }

  reset(): void {
    this.#nextMs = this.#minMs;
  }
}
