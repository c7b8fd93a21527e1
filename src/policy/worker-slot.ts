import { Worker } from 'node:worker_threads';
import { entrypoints, type Entrypoint } from '../model/decision.ts';
import type { Json } from '../model/json.ts';
import type { Evaluation } from '../model/ports.ts';
import { workerUrl } from '../model/worker-url.ts';
import {
  sharedClock,
  stateAt,
  stateBytes,
  type Batch,
  type EvalWorkerData,
  type Hello,
  type Outcome,
  type Reply,
  type WireFault,
} from './protocol.ts';

/** One evaluation that somebody waits for. `settle` is called once. */
export interface Job {
  readonly entry: Entrypoint;
  readonly inputJson: string;
  readonly deadlineMs: number;
  readonly askedAtMs: number;
  readonly settle: (evaluation: Evaluation<unknown>) => void;
}

/** The evaluation that a worker is at, and for how long already. */
export interface Running {
  readonly job: Job;
  readonly forMs: number;
  /** OPA itself is being started for it: its deadline does not run. */
  readonly isLoading: boolean;
}

export interface SlotEvents {
  /** A batch came back. */
  readonly answered: (slot: WorkerSlot) => void;
  /** The worker is gone, and not because {@link WorkerSlot.end} was called. */
  readonly lost: (slot: WorkerSlot, why: unknown) => void;
}

/** Far beyond what a loaded machine takes to start a worker and load 64 MiB of data; a module that loops while it is loaded ends here. */
const startLimitMs = 30_000;
const maxYoungGenerationMb = 8;
const maxOldGenerationMb = 64;

/** One worker thread and the evaluations that it was given. */
export class WorkerSlot {
  /** Settles when the worker can evaluate; rejects with the reason when the module cannot be loaded. */
  readonly ready: Promise<void>;
  isReady = false;
  memoryBytes = 0;
  readonly #worker: Worker;
  readonly #state: Int32Array;
  readonly #clock = sharedClock();
  readonly #clockBaseMs: number;
  readonly #batches: { readonly jobs: readonly Job[]; readonly first: number }[] = [];
  readonly #answers: unknown[] = [];
  readonly #events: SlotEvents;
  #given = 0;
  #ended = false;

  constructor(data: Omit<EvalWorkerData, 'state' | 'clockBaseMs'>, events: SlotEvents) {
    this.#events = events;
    this.#clockBaseMs = this.#clock();
    const state = new SharedArrayBuffer(stateBytes);
    this.#state = new Int32Array(state);
    this.#worker = new Worker(workerUrl(import.meta.url, './eval-worker'), {
      name: 'policy',
      workerData: { ...data, state, clockBaseMs: this.#clockBaseMs } satisfies EvalWorkerData,
      resourceLimits: { maxYoungGenerationSizeMb: maxYoungGenerationMb, maxOldGenerationSizeMb: maxOldGenerationMb },
      env: {},
      stdin: false,
    });
    this.ready = this.#start();
    // Whoever awaits it hears of a failure; a spare that nobody awaits yet must not end the process.
    this.ready.catch(() => undefined);
  }

  /** Evaluations that were given and have not come back. */
  get outstanding(): number {
    return this.#batches.reduce((sum, batch) => sum + batch.jobs.length, 0);
  }

  /** Hands `jobs` over in one message. */
  give(jobs: readonly Job[]): void {
    const batch: Batch = [];
    for (const job of jobs) batch.push(entrypoints.indexOf(job.entry), job.inputJson);
    this.#batches.push({ jobs, first: this.#given + 1 });
    this.#given += jobs.length;
    this.#worker.postMessage(batch);
  }

  /** What the worker is at now, if anything. */
  running(): Running | undefined {
    const begun = Atomics.load(this.#state, stateAt.begun);
    if (begun === Atomics.load(this.#state, stateAt.ended)) return undefined;
    const forMs = this.#clock() - this.#clockBaseMs - Atomics.load(this.#state, stateAt.beganMs);
    const isLoading = Atomics.load(this.#state, stateAt.loading) === 1;
    // It may have begun another one between the reads; then what was read belongs to two evaluations.
    if (begun !== Atomics.load(this.#state, stateAt.begun)) return undefined;
    for (const { jobs, first } of this.#batches) {
      const job = jobs[begun - first];
      if (job !== undefined) return { job, forMs, isLoading };
    }
    return undefined;
  }

  /** Takes back what has not come back, oldest first: after this the slot is empty and what still arrives is ignored. */
  takeBack(): Job[] {
    return this.#batches.splice(0).flatMap((batch) => batch.jobs);
  }

  /** Ends the thread, whatever it is doing. Resolves when it has ended. */
  async end(): Promise<void> {
    this.#ended = true;
    this.isReady = false;
    await this.#worker.terminate();
  }

  async #start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => {
        reject(new Error(`the module was not loaded within ${startLimitMs} ms`));
        void this.end();
      }, startLimitMs);
      this.#worker.once('message', (hello: Hello) => {
        clearTimeout(limit);
        if (hello.kind === 'broken') {
          reject(new Error(hello.message));
          return;
        }
        // An idle worker does not keep the process alive; an evaluation under way does, by the pool's timer.
        this.#worker.unref();
        this.isReady = true;
        this.memoryBytes = hello.memoryBytes;
        this.#worker.on('message', (reply: Reply) => this.#take(reply));
        resolve();
      });
      const lose = (why: unknown): void => {
        clearTimeout(limit);
        reject(why instanceof Error ? why : new Error(`the policy worker ended with code ${String(why)}`));
        if (this.#ended) return;
        this.#ended = true;
        const wasReady = this.isReady;
        this.isReady = false;
        if (wasReady) this.#events.lost(this, why);
      };
      this.#worker.once('error', lose);
      this.#worker.once('exit', lose);
    });
  }

  #take(reply: Reply): void {
    const batch = this.#batches.shift();
    if (batch === undefined || this.#ended) return;
    this.memoryBytes = reply.at(-1) as number;
    batch.jobs.forEach((job, index) => {
      job.settle(this.#evaluation(reply[2 * index] as Outcome, reply[2 * index + 1] as number));
    });
    this.#events.answered(this);
  }

  #evaluation(outcome: Outcome, tookMs: number): Evaluation<unknown> {
    if (typeof outcome === 'number') return { ok: true, answer: this.#answers[outcome], tookMs };
    if ('fault' in outcome) return faulted(outcome, tookMs);
    const answer = freeze(JSON.parse(outcome.json) as Json);
    if (outcome.key >= 0) this.#answers[outcome.key] = answer;
    return { ok: true, answer, tookMs };
  }
}

/** A fault as an evaluation. */
export function faulted({ fault, message, rule }: WireFault, tookMs: number): Evaluation<never> {
  return { ok: false, fault, message, ...(rule === undefined ? {} : { rule }), tookMs };
}

/** An answer is shared by all calls that got it. */
function freeze(value: Json): Json {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach((item) => item !== undefined && freeze(item as Json));
  return Object.freeze(value);
}
