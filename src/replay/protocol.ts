import type { WorkerBuiltins } from '../policy/protocol.ts';
import type { Kept } from './input-slice.ts';
import type { Kind, Verdict } from './verdict.ts';

/** A compiled policy as a worker takes it. */
export interface ReplayPolicy {
  readonly module: WebAssembly.Module;
  readonly dataJson: string;
  /** By entrypoint: what of an input it can read; `null` where that is not known. */
  readonly reads: ReadonlyMap<string, Kept | null>;
}

export interface ReplayWorkerData {
  readonly candidate: ReplayPolicy;
  /** The release in force: asked about a part of the inputs, for its speed. */
  readonly base: ReplayPolicy | undefined;
  readonly builtins: WorkerBuiltins | undefined;
  readonly maxMemoryBytes: number;
  readonly state: SharedArrayBuffer;
}

/** To a worker: for each input its entrypoint's index, its JSON text and what was recorded (a {@link Verdict} as JSON), by turns. */
export type ReplayBatch = (number | string)[];

/** One input on which the candidate differs. */
export interface Changed {
  /** Its place in the batch. */
  readonly index: number;
  readonly kind: Kind;
  readonly now: Verdict;
}

/** From a worker, for each batch: only what differs comes back. */
export interface ReplayAnswer {
  readonly changed: readonly Changed[];
  /** Inputs that were evaluated; the others were the same, as far as the candidate reads, as one before. */
  readonly evaluated: number;
  /** Inputs for which the candidate has no entrypoint. */
  readonly undecidable: number;
  /** Evaluation times of the candidate, and on a part of the same inputs of both: counts by {@link timeBucket}. */
  readonly times: Uint32Array;
  readonly sampled: { readonly candidate: Uint32Array; readonly base: Uint32Array };
}

export type ReplayHello = { readonly kind: 'ready' } | { readonly kind: 'broken'; readonly message: string };

/** Places in the shared state, 32-bit integers. */
export const stateAt = {
  /** Evaluations begun, over all batches. */
  begun: 0,
  /** Place in the batch of the one that runs; −1 between batches. */
  index: 1,
  /** 1 while OPA itself is started for a builtin: no evaluation's time. */
  loading: 2,
} as const;
export const stateBytes = 12;

/** Buckets of evaluation times: eight to an octave, from 1 µs to about 1 minute. */
export const timeBuckets = 208;

export function timeBucket(tookUs: number): number {
  return Math.min(timeBuckets - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, tookUs)) * 8)));
}

/** The `share` quantile of what was counted, in µs: the middle of its bucket; `undefined` where nothing was. */
export function quantileUs(times: Uint32Array, share: number): number | undefined {
  const total = times.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let seen = 0;
  for (let bucket = 0; bucket < times.length; bucket++) {
    seen += times[bucket] ?? 0;
    if (seen >= share * total) return Math.round(2 ** ((bucket + 0.5) / 8) * 10) / 10;
  }
  return undefined;
}
