import { LimitCounter } from '../call/limits.ts';
import type { Limit } from '../model/decision.ts';

/** What counting says of a call under the candidate. */
export type Counted = { readonly known: true; readonly rule: string | undefined } | { readonly known: false };

/**
 * Counts calls under the candidate's limits beside what was recorded. Where the limits are the same and the same calls were counted under them,
 * what was recorded holds, exactly. Else the calls on record are counted anew; in the first window of a limit nobody knows what came before.
 */
export class DerivedLimits {
  readonly #counter = new LimitCounter(Number.POSITIVE_INFINITY);
  readonly #differs = new Set<string>();
  #firstMs = Number.POSITIVE_INFINITY;

  /** Notes when the first call was that is on record, with or without a limit. */
  began(atMs: number): void {
    this.#firstMs = Math.min(this.#firstMs, atMs);
  }

  /** `recorded`: limits that were named, the rule whose limit was reached, and whether the call was counted. */
  take(
    tenant: string,
    limits: readonly Limit[],
    recorded: { readonly limits: readonly Limit[]; readonly limited: string | undefined },
    isSent: boolean,
    nowMs: number,
  ): Counted {
    const same = keys(limits) === keys(recorded.limits);
    const taken = isSent ? this.#counter.take(tenant, limits, nowMs) : undefined;
    const holds = isSent && same && !limits.some((limit) => this.#differs.has(keyOf(limit)));
    if (holds) return { known: true, rule: recorded.limited };
    const wasCounted = recorded.limited === undefined;
    const isCounted = isSent && taken === undefined;
    for (const limit of [...limits, ...recorded.limits]) {
      const [before, now] = [has(recorded.limits, limit) && wasCounted, has(limits, limit) && isCounted];
      if (before !== now) this.#differs.add(keyOf(limit));
    }
    if (limits.some(({ per_s: perS }) => nowMs - this.#firstMs < perS * 1000)) return { known: false };
    return { known: true, rule: taken?.rule };
  }
}

function has(limits: readonly Limit[], one: Limit): boolean {
  return limits.some((limit) => keyOf(limit) === keyOf(one));
}

function keyOf({ rule, key, per_s: perS }: Limit): string {
  return `${rule} ${key} ${perS}`;
}

function keys(limits: readonly Limit[]): string {
  return limits
    .map((limit) => `${keyOf(limit)} ${limit.max}`)
    .sort()
    .join('\n');
}
