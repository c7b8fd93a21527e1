import type { Evaluation } from '../model/ports.ts';

/**
 * Evaluates one document of a policy on its own, in OPA's interpreter, apart from what decides calls: how long it took, or that it took longer
 * than `limitMs` or more memory than there is.
 */
export type TimeRule = (query: {
  readonly files: Readonly<Record<string, string>>;
  /** Such as `rules/billing/large_refund`. */
  readonly path: string;
  readonly inputJson: string;
  readonly limitMs: number;
}) => Promise<number | 'over'>;

const limitMs = 1_000;
const maxSearchMs = 60_000;
const minIntervalMs = 60_000;
/** A rule that takes this share of all the time is named, though none of them was cut off. */
const mainShare = 0.5;

/**
 * Finds out which rule it was that took a call's time or memory: the engine cannot say, it was ended. Each rule is evaluated by itself with the
 * input of that call, behind the calls; one search at a time, one a minute at most, each a minute at most.
 */
export class CulpritSearch {
  readonly #time: TimeRule;
  readonly #now: () => number;
  readonly #named: (rule: string, fault: Evaluation<unknown>) => void;
  #isSearching = false;
  #nextAtMs = -Infinity;

  constructor(time: TimeRule, now: () => number, named: (rule: string, fault: Evaluation<unknown>) => void) {
    this.#time = time;
    this.#now = now;
    this.#named = named;
  }

  /** Begins a search, unless one runs or has just been; resolves when it ends. `policy` is the release that failed with `fault`. */
  async search(policy: CulpritPolicy, inputJson: string, fault: Evaluation<unknown>): Promise<void> {
    if (this.#isSearching || this.#now() < this.#nextAtMs) return;
    this.#isSearching = true;
    try {
      const rule = await this.#slowest(policy, inputJson);
      if (rule !== undefined) this.#named(rule, fault);
    } catch {
      // The search is a help to whoever mends the rule; the call was denied and its fault recorded without it.
    } finally {
      this.#isSearching = false;
      this.#nextAtMs = this.#now() + minIntervalMs;
    }
  }

  async #slowest({ files, packages = [] }: CulpritPolicy, inputJson: string): Promise<string | undefined> {
    const paths = packages.map(({ path }) => path).filter((path) => /^rules\/.+\/.+/.test(path) && !path.endsWith('_test'));
    const endAtMs = this.#now() + maxSearchMs;
    let totalMs = 0;
    let most = { path: '', tookMs: 0 };
    for (const path of paths) {
      if (this.#now() > endAtMs) return undefined;
      const tookMs = await this.#time({ files, path, inputJson, limitMs });
      if (tookMs === 'over') return ruleName(path);
      totalMs += tookMs;
      if (tookMs > most.tookMs) most = { path, tookMs };
    }
    return most.path !== '' && most.tookMs > totalMs * mainShare ? ruleName(most.path) : undefined;
  }
}

export interface CulpritPolicy {
  readonly files: Readonly<Record<string, string>>;
  /** Absent: nothing is known of the rules, and none is named. */
  readonly packages?: readonly { readonly path: string }[] | undefined;
}

/** As decisions name rules: `billing/large_refund`. */
function ruleName(path: string): string {
  return path.slice('rules/'.length);
}
