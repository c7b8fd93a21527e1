import type { Limit, Reason } from '../model/decision.ts';

interface Window {
  startMs: number;
  count: number;
  previous: number;
  usedMs: number;
}

/** Counts calls under the keys that policy names, in sliding windows (two fixed windows, the older one weighted by its overlap). */
export class LimitCounter {
  readonly #windows = new Map<string, Window>();
  readonly #maxKeys: number;

  constructor(maxKeys = 50_000) {
    this.#maxKeys = maxKeys;
  }

  /** Counts the call under each limit, or counts it under none and says which limit it would exceed. */
  take(tenant: string, limits: readonly Limit[], nowMs: number): Reason | undefined {
    for (const limit of limits) {
      const window = this.#window(tenant, limit, nowMs);
      const overlap = 1 - (nowMs - window.startMs) / (limit.per_s * 1000);
      if (window.count + window.previous * overlap >= limit.max) {
        return {
          rule: limit.rule,
          effect: 'deny',
          message: `the limit of ${limit.max} calls in ${limit.per_s} s is reached`,
          hint: `wait up to ${limit.per_s} s, then try again`,
        };
      }
    }
    for (const limit of limits) this.#window(tenant, limit, nowMs).count++;
    return undefined;
  }

  #window(tenant: string, limit: Limit, nowMs: number): Window {
    const key = JSON.stringify([tenant, limit.rule, limit.key, limit.per_s]);
    const lengthMs = limit.per_s * 1000;
    const startMs = Math.floor(nowMs / lengthMs) * lengthMs;
    let window = this.#windows.get(key);
    if (window === undefined) {
      window = { startMs, count: 0, previous: 0, usedMs: nowMs };
      this.#windows.set(key, window);
      if (this.#windows.size > this.#maxKeys) this.#evict(nowMs);
    } else if (window.startMs !== startMs) {
      window.previous = startMs - window.startMs === lengthMs ? window.count : 0;
      window.count = 0;
      window.startMs = startMs;
    }
    window.usedMs = nowMs;
    return window;
  }

  /** Drops windows unused for an hour; if that is not enough, the ones that were made first. */
  #evict(nowMs: number): void {
    for (const [key, window] of this.#windows) if (nowMs - window.usedMs > 3_600_000) this.#windows.delete(key);
    for (const key of this.#windows.keys()) {
      if (this.#windows.size <= this.#maxKeys) break;
      this.#windows.delete(key);
    }
  }
}
