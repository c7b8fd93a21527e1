import type { HistoryEntry } from '../model/input.ts';
import { topLevel } from './input-slice.ts';

/** What a call became under the candidate, where that is not what was recorded. */
export type Became =
  /** It would not have been sent: it earned no label. */
  | { readonly kind: 'refused'; readonly effect: string }
  /** It would have been sent as it was, with other labels. */
  | { readonly kind: 'relabelled'; readonly effect: string; readonly outcome?: HistoryEntry['outcome'] }
  /** It would have been sent, or sent with other arguments, or held: what came of it nobody knows. */
  | { readonly kind: 'unknown'; readonly effect: string };

/** One call of an identity, as far as later calls depend on it. */
interface Remembered {
  readonly atMs: number;
  /** Labels that it earned, as recorded and under the candidate. */
  recorded: readonly string[];
  derived: readonly string[];
  became: Became | undefined;
}

interface Trail {
  readonly calls: Map<string, Remembered>;
  /** Labels that were there before the first call that is on record, and when that call was. */
  readonly seed: ReadonlySet<string>;
  readonly firstMs: number;
  /** Session to how many more calls of it the candidate denies than the record. */
  readonly denied: Map<string, number>;
  /** When something last became otherwise: before the first of them, and a window later, every input stands as it was recorded. */
  changedMs: number;
}

/** Facts of a call that its input and its record give. */
export interface CallFacts {
  readonly identity: string;
  readonly session: string;
  /** As its history entry will name it: time, arguments, target. */
  readonly key: string;
  readonly atMs: number;
  readonly toolLabels: readonly string[];
}

/** An input as it would have been, or the reason why nobody can say. */
export type Derived = { readonly known: true; readonly json: string } | { readonly known: false };

/** How often old calls are forgotten. */
const sweepEvery = 256;
/** How long a call may take, at most: its labels count from its end. */
const slackMs = 600_000;

/**
 * What each identity's history, labels and denials would have been under a candidate. It starts from what was recorded and applies what became
 * otherwise, call by call in order: where nothing did, an input stands exactly as it was evaluated.
 */
export class DerivedHistory {
  readonly #trails = new Map<string, Trail>();
  readonly #windowMs: number;
  readonly #reads: (part: 'history' | 'labels') => boolean;
  #sweepIn = sweepEvery;

  /** `reads` says whether the candidate can read that part of an input: what it cannot read need not be known. */
  constructor(windowMs: number, reads: (part: 'history' | 'labels') => boolean) {
    this.#windowMs = windowMs;
    this.#reads = reads;
  }

  /** The input of a call under the candidate. `isIndependent`: its answer depends on neither history nor labels, so what is not known of them does not matter. */
  input(call: CallFacts, json: string, isIndependent: boolean): Derived {
    const trail = this.#trail(call, json);
    const since = call.atMs - this.#windowMs;
    const denied = trail.denied.get(call.session) ?? 0;
    if (trail.changedMs < since - slackMs && denied === 0) return { known: true, json };
    const members = topLevel(json);
    if (members === undefined) return { known: true, json };
    const entries = JSON.parse(members.get('history') ?? '[]') as HistoryEntry[];
    const session = JSON.parse(members.get('session') ?? '{}') as { labels?: readonly string[]; denied?: number };
    this.#learn(trail, entries);
    const recorded = session.labels ?? [];
    const derived = this.#entries(trail, entries) ?? (isIndependent ? entries : undefined);
    const labels = this.#labels(trail, recorded, since, call.key) ?? (isIndependent ? recorded : undefined);
    if (derived === undefined || labels === undefined) return { known: false };
    const text = new Map(members);
    if (members.has('history')) text.set('history', JSON.stringify(derived));
    if (members.has('session')) {
      const changed = { ...session, labels, ...(session.denied === undefined ? {} : { denied: Math.max(0, session.denied + denied) }) };
      text.set('session', JSON.stringify(changed));
    }
    return { known: true, json: `{${[...text].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}` };
  }

  /** Notes how a call was decided, on the record and under the candidate. `isCounted` where it counts in its identity's history. */
  decided(
    call: CallFacts,
    outcome: {
      readonly became: Became | undefined;
      readonly recorded: readonly string[];
      readonly derived: readonly string[];
      readonly isCounted: boolean;
      readonly deniedMore: number;
    },
  ): void {
    const trail = this.#trails.get(call.identity);
    if (trail === undefined) return;
    if (outcome.deniedMore !== 0) trail.denied.set(call.session, (trail.denied.get(call.session) ?? 0) + outcome.deniedMore);
    if (outcome.isCounted) {
      const { recorded, derived, became } = outcome;
      trail.calls.set(call.key, { atMs: call.atMs, recorded, derived, became });
      if (became !== undefined) trail.changedMs = Math.max(trail.changedMs, call.atMs);
    }
    if (--this.#sweepIn <= 0) this.#sweep(call.atMs);
  }

  /** Notes how the result of a call was judged: labels and perhaps an outcome more. */
  judged(call: CallFacts, recorded: readonly string[], derived: readonly string[], outcome: HistoryEntry['outcome'] | undefined): void {
    const trail = this.#trails.get(call.identity);
    const known = trail?.calls.get(call.key);
    if (trail === undefined || known === undefined) return;
    known.recorded = union(known.recorded, recorded);
    known.derived = union(known.derived, derived);
    if (outcome === undefined && sameSet(recorded, derived)) return;
    if (known.became === undefined || known.became.kind === 'relabelled') {
      known.became = { kind: 'relabelled', effect: known.became?.effect ?? '', ...(outcome === undefined ? {} : { outcome }) };
      trail.changedMs = Math.max(trail.changedMs, call.atMs);
    }
  }

  /** Whether the call would not have been sent, or nobody knows: then there is no result to judge. */
  hasNoResult(call: CallFacts): boolean {
    const became = this.#trails.get(call.identity)?.calls.get(call.key)?.became;
    return became?.kind === 'refused' || became?.kind === 'unknown';
  }

  #trail(call: CallFacts, json: string): Trail {
    let trail = this.#trails.get(call.identity);
    if (trail === undefined) {
      const members = topLevel(json);
      const session = JSON.parse(members?.get('session') ?? '{}') as { labels?: readonly string[] };
      trail = { calls: new Map(), seed: new Set(session.labels ?? []), firstMs: call.atMs, denied: new Map(), changedMs: -Infinity };
      this.#learn(trail, JSON.parse(members?.get('history') ?? '[]') as HistoryEntry[]);
      this.#trails.set(call.identity, trail);
    }
    return trail;
  }

  /** Calls that an input's history names and that have no decision of their own on record, or earned more labels than is known. */
  #learn(trail: Trail, entries: readonly HistoryEntry[]): void {
    for (const entry of entries) {
      const key = entryKey(entry);
      const known = trail.calls.get(key);
      if (known === undefined) {
        trail.calls.set(key, { atMs: Date.parse(entry.at), recorded: entry.labels, derived: entry.labels, became: undefined });
      } else if (entry.outcome !== 'pending') {
        // What its result earned where policy was not asked on it: the same under both.
        const more = entry.labels.filter((label) => !known.recorded.includes(label));
        known.recorded = union(known.recorded, more);
        if (known.became?.kind !== 'refused') known.derived = union(known.derived, more);
      }
    }
  }

  #entries(trail: Trail, entries: readonly HistoryEntry[]): readonly HistoryEntry[] | undefined {
    const derived: HistoryEntry[] = [];
    for (const entry of entries) {
      const call = trail.calls.get(entryKey(entry));
      if (call?.became === undefined) {
        derived.push(entry);
        continue;
      }
      const { became } = call;
      if (became.kind === 'unknown') {
        if (this.#reads('history')) return undefined;
        derived.push(entry);
      } else if (became.kind === 'refused') {
        derived.push({ ...entry, effect: became.effect, outcome: 'denied', labels: [] });
      } else {
        const effect = entry.outcome === 'pending' || became.effect === '' ? entry.effect : became.effect;
        const outcome = entry.outcome === 'pending' ? entry.outcome : (became.outcome ?? entry.outcome);
        const kept = entry.labels.filter((label) => call.derived.includes(label) || !call.recorded.includes(label));
        derived.push({ ...entry, effect, outcome, labels: union(kept, call.derived) });
      }
    }
    return derived;
  }

  /** The labels of the session; `undefined` where nobody can say and the candidate can read them. */
  #labels(trail: Trail, recorded: readonly string[], since: number, own: string): readonly string[] | undefined {
    const mayRead = this.#reads('labels');
    const [added, lost, sources] = [new Set<string>(), new Set<string>(), new Set<string>()];
    let isUnsure = false;
    for (const [key, call] of trail.calls) {
      // A label counts from when its call ended, which may be a while after it began.
      if (key === own || call.atMs < since - slackMs) continue;
      if (call.became?.kind === 'unknown') isUnsure = true;
      for (const label of call.derived) {
        sources.add(label);
        if (!call.recorded.includes(label) && call.atMs >= since) added.add(label);
      }
      for (const label of call.recorded) if (!call.derived.includes(label)) lost.add(label);
    }
    // What came of an unknown call may have earned any label.
    if (isUnsure && mayRead) return undefined;
    const gone = recorded.filter((label) => lost.has(label) && !sources.has(label));
    // It was there before the first call on record: how long ago, and so whether it still counts, is not on record.
    if (mayRead && gone.some((label) => trail.seed.has(label)) && since < trail.firstMs) return undefined;
    return [...new Set([...recorded.filter((label) => !gone.includes(label)), ...added])].sort();
  }

  #sweep(nowMs: number): void {
    this.#sweepIn = sweepEvery * Math.max(1, this.#trails.size);
    const since = nowMs - this.#windowMs - slackMs;
    for (const trail of this.#trails.values()) for (const [key, call] of trail.calls) if (call.atMs < since) trail.calls.delete(key);
  }
}

/** The key of a call in a history. */
export function entryKey({
  at,
  arguments_digest: digest,
  server,
  tool,
}: Pick<HistoryEntry, 'at' | 'arguments_digest' | 'server' | 'tool'>): string {
  return `${at} ${digest} ${server ?? ''} ${tool}`;
}

function union(a: readonly string[], b: readonly string[]): readonly string[] {
  const missing = b.filter((item) => !a.includes(item));
  return missing.length === 0 ? a : [...a, ...missing];
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item) => b.includes(item));
}
