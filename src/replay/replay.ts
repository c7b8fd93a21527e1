import { availableParallelism } from 'node:os';
import { entrypoints } from '../model/decision.ts';
import type { RecordedDecision, RecordedFilter, RecordedDecisions } from '../model/recorded.ts';
import type { WorkerBuiltins } from '../policy/protocol.ts';
import { describe } from './describe.ts';
import type { FaithfulAnswer } from './faithful-protocol.ts';
import { Grouping } from './groups.ts';
import { quantileUs, timeBucket, type ReplayAnswer, type ReplayPolicy } from './protocol.ts';
import { noTimes, ReplayPool } from './replay-pool.ts';
import type { Day, NotReplayable, Quantiles, ReplayReport } from './report.ts';
import { kinds, recordedVerdict, type Kind, type Verdict } from './verdict.ts';

/** A release to replay against: compiled, with a name for the report. */
export interface ReplayRelease extends ReplayPolicy {
  readonly name: string;
  readonly digest: string;
}

export interface ReplayOptions {
  readonly recorded: RecordedDecisions;
  readonly filter: RecordedFilter;
  readonly candidate: ReplayRelease;
  /** Compared by speed alone. */
  readonly base?: ReplayRelease | undefined;
  readonly builtins?: WorkerBuiltins | undefined;
  /** All cores when absent. */
  readonly workers?: number | undefined;
  /** 5,000 when absent. */
  readonly deadlineMs?: number | undefined;
  readonly maxMemoryBytes?: number | undefined;
  /** Told now and then; `share` is of the window's time, from 0 to 1. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Progress {
  readonly read: number;
  readonly changed: number;
  readonly share: number;
  readonly tookMs: number;
}

const batchSize = 256;
const progressEveryMs = 100;

/**
 * Evaluates what is on record against a candidate, on all cores and with the gateway's own engine, and says what would have been otherwise.
 * @throws GatewayError what the reader throws; `policy.invalid` when the candidate cannot be loaded
 */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const { candidate, base, builtins, filter } = options;
  const workers = options.workers ?? availableParallelism();
  const pool = await ReplayPool.start({
    candidate: policyOf(candidate),
    base: base && policyOf(base),
    builtins,
    maxMemoryBytes: options.maxMemoryBytes ?? 256 * 1_048_576,
    workers,
    deadlineMs: options.deadlineMs ?? 5_000,
  });
  const tally = new Tally(options);
  try {
    const under: Promise<void>[] = [];
    let pending: { one: RecordedDecision; json: string; was: Verdict }[] = [];
    const send = async (): Promise<void> => {
      const items = pending;
      pending = [];
      if (items.length === 0) return;
      await pool.room();
      const batch = items.flatMap(({ one, json, was }) => [entrypoints.indexOf(one.entry), json, JSON.stringify(was)]);
      const answered = pool.evaluate(batch).then((answer) => tally.answered(answer, items));
      // A failure is told by the `all` below, which comes later.
      answered.catch(() => undefined);
      under.push(answered);
    };
    for await (const one of options.recorded.read(filter)) {
      const item = tally.read(one);
      if (item === undefined) continue;
      pending.push(item);
      if (pending.length === batchSize) await send();
    }
    await send();
    await Promise.all(under);
    return tally.report(workers);
  } finally {
    await pool.close();
  }
}

/** One decision that can be replayed. */
export interface Item {
  readonly one: RecordedDecision;
  readonly json: string;
  readonly was: Verdict;
}

/** Counts what is read and what comes back. */
export class Tally {
  readonly grouping = new Grouping();
  readonly #options: Pick<ReplayOptions, 'candidate' | 'base' | 'filter' | 'onProgress'>;
  readonly #mode: ReplayReport['mode'];
  readonly #beganMs = performance.now();
  readonly #not: Record<NotReplayable, number> = { masked: 0, erased: 0, expired: 0, too_large: 0, not_kept: 0 };
  readonly #days = new Map<string, { decisions: number; kinds: Partial<Record<Kind, number>> }>();
  readonly #times = { candidate: noTimes(), sampled: noTimes(), base: noTimes(), recorded: noTimes() };
  #decisions = 0;
  #gatewayDecided = 0;
  #undecidable = 0;
  #unknowable = 0;
  #moot = 0;
  #replayed = 0;
  #changed = 0;
  #evaluated = 0;
  #first: string | undefined;
  #last: string | undefined;
  #toldMs = 0;

  constructor(options: Pick<ReplayOptions, 'candidate' | 'base' | 'filter' | 'onProgress'>, mode: ReplayReport['mode'] = 'recorded') {
    this.#options = options;
    this.#mode = mode;
  }

  /** What is to be evaluated, or nothing where the decision cannot be replayed: then it is counted by why. */
  read(one: RecordedDecision): Item | undefined {
    const { record, input, entry } = one;
    this.#decisions++;
    this.#first ??= record.at;
    this.#last = record.at;
    const day = this.#day(record.at);
    day.decisions++;
    this.#tell();
    const { decision } = record;
    if (decision === undefined) {
      this.#gatewayDecided++;
      return undefined;
    }
    if (input.state !== 'kept') {
      this.#not[input.state === 'masked' ? 'masked' : input.why]++;
      return undefined;
    }
    const was = recordedVerdict(entry, decision);
    if (was === undefined) {
      this.#gatewayDecided++;
      return undefined;
    }
    const bucket = timeBucket(decision.took_ms * 1000);
    this.#times.recorded[bucket] = (this.#times.recorded[bucket] ?? 0) + 1;
    return { one, json: input.json, was };
  }

  /** The outcome of a whole batch. */
  answered(answer: ReplayAnswer, items: readonly Item[]): void {
    this.#replayed += items.length - answer.undecidable;
    this.#undecidable += answer.undecidable;
    this.#evaluated += answer.evaluated;
    add(this.#times.candidate, answer.times);
    add(this.#times.sampled, answer.sampled.candidate);
    add(this.#times.base, answer.sampled.base);
    for (const { index, kind, now } of answer.changed) {
      const item = items[index];
      if (item !== undefined) this.changed(item, kind, now);
    }
  }

  changed({ one, json, was }: Item, kind: Kind, now: Verdict): void {
    this.#changed++;
    const day = this.#day(one.record.at);
    day.kinds[kind] = (day.kinds[kind] ?? 0) + 1;
    this.grouping.add({ ...describe(one, json), kind, was, now });
  }

  /** The outcome of a whole batch, derived. */
  derived(answer: FaithfulAnswer, items: readonly Item[]): void {
    const left = answer.undecidable + answer.unknowable.length + answer.moot;
    this.#replayed += items.length - left;
    this.#undecidable += answer.undecidable;
    this.#unknowable += answer.unknowable.length;
    this.#moot += answer.moot;
    this.#evaluated += answer.evaluated;
    add(this.#times.candidate, answer.times);
    for (const { index, kind, was, now } of answer.changed) {
      const item = items[index];
      if (item !== undefined) this.changed({ ...item, was }, kind, now);
    }
  }

  report(workers: number): ReplayReport {
    const { candidate, base, filter } = this.#options;
    const tookMs = performance.now() - this.#beganMs;
    const sampled = this.#times.base.some((count) => count > 0);
    return {
      mode: this.#mode,
      candidate: { name: candidate.name, digest: candidate.digest },
      base: base === undefined ? null : { name: base.name, digest: base.digest },
      since: iso(filter.sinceMs),
      until: iso(filter.untilMs),
      first_at: this.#first ?? null,
      last_at: this.#last ?? null,
      decisions: this.#decisions,
      replayed: this.#replayed,
      not_replayable: this.#not,
      gateway_decided: this.#gatewayDecided,
      no_entrypoint: this.#undecidable,
      unknowable: this.#unknowable,
      moot: this.#moot,
      same: this.#replayed - this.#changed,
      changed: this.#changed,
      kinds: Object.fromEntries(kinds.map((kind) => [kind, this.grouping.kinds[kind] ?? 0])) as Record<Kind, number>,
      unserved_rules: [],
      groups: this.grouping.groups(),
      ungrouped: this.grouping.ungrouped,
      by: { rule: this.grouping.shares('rule'), tool: this.grouping.shares('tool'), role: this.grouping.shares('role') },
      days: [...this.#days].sort(([a], [b]) => (a < b ? -1 : 1)).map(([day, counts]): Day => ({ day, ...counts })),
      latency: {
        candidate: quantiles(this.#times.candidate),
        compared: sampled
          ? {
              candidate: quantiles(this.#times.sampled),
              base: quantiles(this.#times.base),
              inputs: this.#times.base.reduce((sum, count) => sum + count, 0),
            }
          : null,
        recorded: quantiles(this.#times.recorded),
        histogram: octaves(sampled ? this.#times.sampled : this.#times.candidate, this.#times.base),
      },
      evaluated: this.#evaluated,
      workers,
      took_ms: Math.round(tookMs),
      per_s: Math.round((this.#replayed / Math.max(1, tookMs)) * 1000),
    };
  }

  #day(at: string): { decisions: number; kinds: Partial<Record<Kind, number>> } {
    const name = at.slice(0, 10);
    let day = this.#days.get(name);
    if (day === undefined) this.#days.set(name, (day = { decisions: 0, kinds: {} }));
    return day;
  }

  #tell(): void {
    const { onProgress, filter } = this.#options;
    if (onProgress === undefined) return;
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < progressEveryMs) return;
    this.#toldMs = nowMs;
    const fromMs = filter.sinceMs ?? Date.parse(this.#first ?? '');
    const toMs = filter.untilMs ?? Date.now();
    const share = Math.min(1, Math.max(0, (Date.parse(this.#last ?? '') - fromMs) / Math.max(1, toMs - fromMs)));
    onProgress({ read: this.#decisions, changed: this.#changed, share, tookMs: nowMs - this.#beganMs });
  }
}

/** What a worker takes of a release. */
export function policyOf({ module, dataJson, reads }: ReplayRelease): ReplayPolicy {
  return { module, dataJson, reads };
}

function add(sum: Uint32Array, more: Uint32Array): void {
  for (let bucket = 0; bucket < sum.length; bucket++) sum[bucket] = (sum[bucket] ?? 0) + (more[bucket] ?? 0);
}

function quantiles(times: Uint32Array): Quantiles {
  return { p50_us: quantileUs(times, 0.5) ?? null, p99_us: quantileUs(times, 0.99) ?? null };
}

/** Buckets of one octave, from the first to the last that holds anything. */
function octaves(candidate: Uint32Array, base: Uint32Array): ReplayReport['latency']['histogram'] {
  const sum = (times: Uint32Array, octave: number): number =>
    times.slice(octave * 8, octave * 8 + 8).reduce((total, count) => total + count, 0);
  const all = Array.from({ length: Math.ceil(candidate.length / 8) }, (_, octave) => ({
    from_us: 2 ** octave,
    candidate: sum(candidate, octave),
    base: sum(base, octave),
  }));
  const used = all.map(({ candidate: a, base: b }) => a + b > 0);
  return all.slice(Math.max(0, used.indexOf(true)), used.lastIndexOf(true) + 1);
}

function iso(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
