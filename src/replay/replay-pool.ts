import { Worker } from 'node:worker_threads';
import { GatewayError } from '../model/errors.ts';
import { workerUrl } from '../model/worker-url.ts';
import {
  stateAt,
  stateBytes,
  timeBuckets,
  type Changed,
  type ReplayAnswer,
  type ReplayBatch,
  type ReplayHello,
  type ReplayWorkerData,
} from './protocol.ts';
import { difference, faultVerdict, type Verdict } from './verdict.ts';

export interface ReplayPoolOptions extends Omit<ReplayWorkerData, 'state'> {
  readonly workers: number;
  /** An evaluation that takes longer is cut off, as the gateway does it. */
  readonly deadlineMs: number;
}

/** Batches that one worker may have: one that it works on and those that wait, so that it never waits itself. */
const maxGiven = 3;
const lookEveryMs = 100;
const maxHeapMb = 512;

interface Job {
  readonly batch: ReplayBatch;
  readonly settle: (answer: ReplayAnswer) => void;
  readonly fail: (why: unknown) => void;
  /** Places that were cut off: never evaluated again. */
  readonly cut: Changed[];
  readonly cutAt: Set<number>;
}

/** Worker threads with the real engine, each over whole batches. */
export class ReplayPool {
  readonly #options: ReplayPoolOptions;
  readonly #slots: Slot[] = [];
  readonly #queue: Job[] = [];
  #waiting: (() => void)[] = [];
  #watch: NodeJS.Timeout | undefined;

  private constructor(options: ReplayPoolOptions) {
    this.#options = options;
  }

  /** @throws GatewayError `policy.invalid` when the candidate cannot be loaded */
  static async start(options: ReplayPoolOptions): Promise<ReplayPool> {
    const pool = new ReplayPool(options);
    try {
      for (let count = 0; count < options.workers; count++) pool.#slots.push(new Slot(options));
      await Promise.all(pool.#slots.map(async (slot) => slot.ready));
    } catch (cause) {
      await pool.close();
      const words = cause instanceof Error ? cause.message : String(cause);
      throw new GatewayError('policy.invalid', `the policy cannot be loaded: ${words}`, { cause });
    }
    pool.#watch = setInterval(() => pool.#look(), lookEveryMs);
    return pool;
  }

  /** Resolves when a worker has room: whoever reads faster than they evaluate waits here. */
  async room(): Promise<void> {
    while (this.#queue.length >= this.#slots.length) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** What a batch gave. */
  async evaluate(batch: ReplayBatch): Promise<ReplayAnswer> {
    return await new Promise((settle, fail) => {
      this.#queue.push({ batch, settle, fail, cut: [], cutAt: new Set() });
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    await Promise.all(this.#slots.splice(0).map(async (slot) => slot.end()));
  }

  #dispatch(): void {
    for (;;) {
      const free = this.#slots.filter((slot) => slot.jobs.length < maxGiven).sort((a, b) => a.jobs.length - b.jobs.length)[0];
      const job = free && this.#queue.shift();
      if (free === undefined || job === undefined) break;
      free.give(job, (answer) => {
        job.settle(withCut(answer, job));
        this.#dispatch();
      });
    }
    if (this.#queue.length < this.#slots.length) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const resume of waiting) resume();
    }
  }

  #look(): void {
    for (const slot of this.#slots) {
      const stuck = slot.stuckAt(this.#options.deadlineMs);
      if (stuck === undefined && !slot.isLost) continue;
      const [job, ...behind] = slot.takeBack();
      if (stuck !== undefined && job !== undefined) cutOff(job, stuck, 'timeout');
      else if (job !== undefined) {
        // It died on what it was at: out of memory, as far as a thread can.
        if (slot.lastIndex < 0) job.fail(new GatewayError('policy.fault', 'a worker that replays ended'));
        else cutOff(job, slot.lastIndex, 'memory');
      }
      this.#slots.splice(this.#slots.indexOf(slot), 1, new Slot(this.#options));
      void slot.end();
      if (job !== undefined) this.#queue.unshift(job, ...behind);
    }
    this.#dispatch();
  }
}

/** Takes the input at `index` out of the job: it has its answer, and is not evaluated again. */
function cutOff(job: Job, index: number, fault: 'timeout' | 'memory'): void {
  // Places count only what is still in the batch; what was cut before lies before or behind it.
  const place = [...job.cutAt].sort((a, b) => a - b).reduce((at, cut) => (cut <= at ? at + 1 : at), index);
  const [removed] = [job.batch.splice(index * 3, 3)];
  job.cutAt.add(place);
  const now = faultVerdict(fault);
  const kind = difference(JSON.parse(removed[2] as string) as Verdict, now);
  if (kind !== undefined) job.cut.push({ index: place, kind, now });
}

/** The answer with places counted as they were before anything was cut out. */
function withCut(answer: ReplayAnswer, job: Job): ReplayAnswer {
  if (job.cutAt.size === 0) return answer;
  const cuts = [...job.cutAt].sort((a, b) => a - b);
  const placed = (index: number): number => cuts.reduce((at, cut) => (cut <= at ? at + 1 : at), index);
  return {
    ...answer,
    changed: [...answer.changed.map((one) => ({ ...one, index: placed(one.index) })), ...job.cut],
    evaluated: answer.evaluated + job.cutAt.size,
  };
}

/** One worker thread and the batches that it was given. */
class Slot {
  readonly ready: Promise<void>;
  readonly jobs: { readonly job: Job; readonly settle: (answer: ReplayAnswer) => void }[] = [];
  isLost = false;
  readonly #worker: Worker;
  readonly #state: Int32Array;
  #isReady = false;
  #isEnded = false;
  #seen = { begun: -1, sinceMs: 0 };

  constructor(options: ReplayPoolOptions) {
    const { workers: _, deadlineMs: __, ...data } = options;
    const state = new SharedArrayBuffer(stateBytes);
    this.#state = new Int32Array(state);
    this.#state[stateAt.index] = -1;
    this.#worker = new Worker(workerUrl(import.meta.url, './replay-worker'), {
      name: 'replay',
      workerData: { ...data, state } satisfies ReplayWorkerData,
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
      env: {},
      stdin: false,
    });
    this.ready = new Promise<void>((resolve, reject) => {
      this.#worker.once('message', (hello: ReplayHello) => {
        if (hello.kind === 'broken') {
          reject(new Error(hello.message));
          return;
        }
        this.#isReady = true;
        this.#worker.on('message', (answer: ReplayAnswer) => this.jobs.shift()?.settle(answer));
        resolve();
      });
      const lose = (why: unknown): void => {
        reject(why instanceof Error ? why : new Error(`the worker ended with code ${String(why)}`));
        this.isLost = !this.#isEnded;
      };
      this.#worker.once('error', lose);
      this.#worker.once('exit', lose);
    });
    // Whoever awaits it hears of a failure; one that replaces another is awaited by nobody, and is seen to be lost.
    this.ready.catch(() => undefined);
  }

  /** Where in its batch the worker was last seen. */
  get lastIndex(): number {
    return Atomics.load(this.#state, stateAt.index);
  }

  give(job: Job, settle: (answer: ReplayAnswer) => void): void {
    this.jobs.push({ job, settle });
    this.#worker.postMessage(job.batch);
  }

  /** The place of the evaluation that runs for longer than `deadlineMs`, in the first batch. */
  stuckAt(deadlineMs: number): number | undefined {
    const begun = Atomics.load(this.#state, stateAt.begun);
    const index = this.lastIndex;
    const isResting = !this.#isReady || index < 0 || Atomics.load(this.#state, stateAt.loading) === 1;
    if (isResting || begun !== this.#seen.begun) {
      this.#seen = { begun, sinceMs: performance.now() };
      return undefined;
    }
    return performance.now() - this.#seen.sinceMs > deadlineMs ? index : undefined;
  }

  /** The batches that have not come back, oldest first. */
  takeBack(): Job[] {
    return this.jobs.splice(0).map(({ job }) => job);
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    await this.#worker.terminate();
  }
}

/** An answer about nothing, to add others to. */
export function noTimes(): Uint32Array {
  return new Uint32Array(timeBuckets);
}
