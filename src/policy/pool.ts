import type { Entrypoint, PolicyFault } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import type { Evaluation, PolicyEngine } from '../model/ports.ts';
import type { WorkerBuiltins } from './protocol.ts';
import { faulted, WorkerSlot, type Job } from './worker-slot.ts';

export interface EngineOptions {
  readonly module: WebAssembly.Module;
  /** The release's data document; `{}` when absent. */
  readonly dataJson?: string;
  /** OPA's own builtins; a release that needs one is refused without. */
  readonly builtins?: WorkerBuiltins;
  /** Worker threads that evaluate; 1 when absent. */
  readonly workers?: number;
  /** Worker threads that wait to replace one that was ended; 1 when absent. They are up while evaluations come: each costs some 20 MB. */
  readonly spares?: number;
  /** No spare is started in the first 2,000 ms, when absent, of an engine's life: that is when a release is tried. */
  readonly sparesAfterMs?: number;
  /** Memory of one instance; 64 MiB when absent. */
  readonly maxMemoryBytes?: number;
  /** A worker whose memory has grown by more than this is replaced between two evaluations; 16 MiB when absent. */
  readonly recycleGrowthBytes?: number;
  /** Evaluations that may wait or run at a time; 2,000 when absent. Beyond it, `overload`. */
  readonly maxOutstanding?: number;
  /** How long an evaluation may wait for its turn; 1,000 when absent. Beyond it, `overload`. */
  readonly maxWaitMs?: number;
  /** Told of each worker that was ended or lost: for the log and a metric. */
  readonly onWorkerEnd?: (end: { readonly reason: 'timeout' | 'recycled' | 'lost' | 'unstartable'; readonly message: string }) => void;
}

/** How far an evaluation may overrun its deadline before it is noticed. */
const watchMs = 10;
/** Evaluations in one message; answers of a batch come back together. */
const maxBatch = 32;
/** Given to one worker at a time: enough to keep it busy, few to hand to another when it is ended. */
const maxGiven = 64;
const loadLimitMs = 10_000;
const maxRespawnDelayMs = 5_000;
/** Without an evaluation for so long, spares are ended. */
const spareRestMs = 60_000;

/**
 * A {@link PolicyEngine} over worker threads. All evaluations asked for in one turn of the event loop go to a worker in one message. The
 * deadline counts from the moment the worker begins an evaluation; one that misses it is cut off by ending the worker, and what was queued
 * behind it goes to a spare that is already up.
 * @throws GatewayError `policy.invalid` when the module cannot be loaded
 */
export async function createPolicyEngine(options: EngineOptions): Promise<PolicyEngine> {
  const pool = new Pool(options);
  await pool.start();
  return pool;
}

class Pool implements PolicyEngine {
  readonly #options: EngineOptions;
  readonly #active: WorkerSlot[] = [];
  readonly #spares: WorkerSlot[] = [];
  readonly #retiring = new Set<WorkerSlot>();
  readonly #wanted: number;
  readonly #maxOutstanding: number;
  readonly #maxWaitMs: number;
  #queue: Job[] = [];
  #outstanding = 0;
  #flush: NodeJS.Immediate | undefined;
  #watch: NodeJS.Timeout | undefined;
  #respawn: NodeJS.Timeout | undefined;
  #failedStarts = 0;
  #asked = 0;
  readonly #sparesFromMs: number;
  /** Runs while spares are kept. */
  #rest: NodeJS.Timeout | undefined;
  #baseMemoryBytes = 0;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#wanted = options.workers ?? 1;
    this.#maxOutstanding = options.maxOutstanding ?? 2_000;
    this.#maxWaitMs = options.maxWaitMs ?? 1_000;
    this.#sparesFromMs = performance.now() + (options.sparesAfterMs ?? 2_000);
  }

  async start(): Promise<void> {
    const slots = Array.from({ length: this.#wanted }, () => this.#slot());
    try {
      await Promise.all(slots.map(async (slot) => slot.ready));
    } catch (cause) {
      await Promise.all(slots.map(async (slot) => slot.end()));
      throw new GatewayError('policy.invalid', `the release cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
    this.#active.push(...slots);
    this.#baseMemoryBytes = slots[0]?.memoryBytes ?? 0;
    this.#fill();
  }

  evaluate<Answer>(entry: Entrypoint, inputJson: string, deadlineMs: number): Promise<Evaluation<Answer>> {
    return new Promise<Evaluation<Answer>>((resolve) => {
      if (this.#closing !== undefined) {
        resolve(faulted({ fault: 'no_release', message: 'this release is no longer in force; take the current one' }, 0));
      } else if (this.#outstanding >= this.#maxOutstanding) {
        resolve(faulted({ fault: 'overload', message: `${this.#outstanding} evaluations are waiting already` }, 0));
      } else {
        const settle = (evaluation: Evaluation<unknown>): void => {
          this.#outstanding--;
          resolve(evaluation as Evaluation<Answer>);
        };
        this.#outstanding++;
        this.#asked++;
        if (this.#rest === undefined && performance.now() > this.#sparesFromMs) this.#keepSpares();
        this.#queue.push({ entry, inputJson, deadlineMs, askedAtMs: performance.now(), settle });
        this.#flush ??= setImmediate(() => this.#dispatch());
        this.#watch ??= setTimeout(() => this.#look(), watchMs);
      }
    });
  }

  /** Waits for what was asked for, then ends the workers. */
  async close(): Promise<void> {
    this.#closing ??= this.#shut();
    await this.#closing;
  }

  async #shut(): Promise<void> {
    if (this.#outstanding > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    clearTimeout(this.#watch);
    clearTimeout(this.#respawn);
    clearInterval(this.#rest);
    clearImmediate(this.#flush);
    const slots = [...this.#active.splice(0), ...this.#spares.splice(0), ...this.#retiring];
    await Promise.all(slots.map(async (slot) => slot.end()));
  }

  #dispatch(): void {
    this.#flush = undefined;
    while (this.#queue.length > 0) {
      const slot = this.#leastBusy();
      if (slot === undefined) return;
      slot.give(this.#queue.splice(0, maxBatch));
    }
  }

  #leastBusy(): WorkerSlot | undefined {
    let best: WorkerSlot | undefined;
    let least = maxGiven;
    for (const slot of this.#active) {
      const busy = slot.outstanding;
      if (slot.isReady && busy < least) [best, least] = [slot, busy];
    }
    return best;
  }

  #answered(slot: WorkerSlot): void {
    if (this.#retiring.has(slot)) {
      if (slot.outstanding === 0) this.#drop(slot);
    } else if (slot.memoryBytes > this.#baseMemoryBytes + (this.#options.recycleGrowthBytes ?? 16 * 1_048_576)) {
      this.#recycle(slot);
    }
    if (this.#queue.length > 0) this.#flush ??= setImmediate(() => this.#dispatch());
    this.#checkDrained();
  }

  #recycle(slot: WorkerSlot): void {
    if (this.#spares[0]?.isReady === true) {
      this.#options.onWorkerEnd?.({ reason: 'recycled', message: `a policy worker had grown to ${slot.memoryBytes} bytes` });
      this.#replace(slot);
      if (slot.outstanding > 0) this.#retiring.add(slot);
      else this.#drop(slot);
    }
  }

  /** From now on spares are kept ready, until nothing was asked for a while. */
  #keepSpares(): void {
    let before = -1;
    this.#rest = setInterval(() => {
      if (before !== this.#asked || this.#outstanding > 0 || this.#active.length < this.#wanted) {
        before = this.#asked;
        return;
      }
      clearInterval(this.#rest);
      this.#rest = undefined;
      for (const slot of this.#spares.splice(0)) void slot.end();
    }, spareRestMs).unref();
    this.#fill();
  }

  /** Looks for what has overrun. The timer rests while nothing is outstanding. */
  #look(): void {
    this.#watch = undefined;
    for (const slot of [...this.#active, ...this.#retiring]) {
      const running = slot.running();
      if (running === undefined) continue;
      const { job, forMs, isLoading } = running;
      if (forMs > (isLoading ? loadLimitMs : job.deadlineMs)) {
        const message = `policy took longer than ${job.deadlineMs} ms on \`${job.entry}\` and was cut off`;
        this.#abandon(slot, job, 'timeout', message, forMs);
        this.#options.onWorkerEnd?.({ reason: 'timeout', message });
      }
    }
    const oldest = performance.now() - this.#maxWaitMs;
    const late = this.#queue.filter((job) => job.askedAtMs < oldest);
    if (late.length > 0) {
      this.#queue = this.#queue.filter((job) => job.askedAtMs >= oldest);
      for (const job of late) job.settle(faulted({ fault: 'overload', message: `no worker was free for ${this.#maxWaitMs} ms` }, 0));
    }
    this.#checkDrained();
    if (this.#outstanding > 0) this.#watch ??= setTimeout(() => this.#look(), watchMs);
  }

  #lost(slot: WorkerSlot, why: unknown): void {
    const isMemory = why instanceof Error && 'code' in why && why.code === 'ERR_WORKER_OUT_OF_MEMORY';
    const message = `the policy worker ended: ${why instanceof Error ? why.message : `code ${String(why)}`}`;
    this.#options.onWorkerEnd?.({ reason: 'lost', message });
    const running = slot.running();
    this.#abandon(slot, running?.job, isMemory ? 'memory' : 'error', message, running?.forMs ?? 0);
    this.#checkDrained();
  }

  /** Ends `slot`; `culprit` gets the fault, the others go to the front of the queue: an evaluation that has once been at fault never runs again. */
  #abandon(slot: WorkerSlot, culprit: Job | undefined, fault: PolicyFault, message: string, tookMs: number): void {
    const others = slot.takeBack().filter((job) => job !== culprit);
    this.#retiring.delete(slot);
    this.#replace(slot);
    void slot.end();
    culprit?.settle(faulted({ fault, message }, tookMs));
    this.#queue.unshift(...others);
    if (this.#queue.length > 0) this.#dispatch();
  }

  /** Puts a spare in the place of `slot`, where one is up, and sees to the next spare. */
  #replace(slot: WorkerSlot): void {
    const spareAt = this.#spares.indexOf(slot);
    if (spareAt >= 0) this.#spares.splice(spareAt, 1);
    const at = this.#active.indexOf(slot);
    if (at >= 0) {
      this.#active.splice(at, 1);
      const ready = this.#spares.findIndex((spare) => spare.isReady);
      if (ready >= 0) this.#active.push(...this.#spares.splice(ready, 1));
    }
    this.#fill();
  }

  #drop(slot: WorkerSlot): void {
    this.#retiring.delete(slot);
    void slot.end();
  }

  /** Starts workers until as many are up or coming up as are wanted. */
  #fill(): void {
    if (this.#respawn !== undefined) return;
    const total = this.#wanted + (this.#rest === undefined ? 0 : (this.#options.spares ?? 1));
    while (this.#active.length + this.#spares.length < total) {
      const slot = this.#slot();
      this.#spares.push(slot);
      slot.ready.then(
        () => this.#came(slot),
        (why: unknown) => this.#failed(slot, why),
      );
    }
  }

  #came(slot: WorkerSlot): void {
    this.#failedStarts = 0;
    if (this.#active.length >= this.#wanted || !this.#spares.includes(slot)) return;
    this.#spares.splice(this.#spares.indexOf(slot), 1);
    this.#active.push(slot);
    if (this.#queue.length > 0) this.#dispatch();
  }

  #failed(slot: WorkerSlot, why: unknown): void {
    const at = this.#spares.indexOf(slot);
    if (at < 0) return;
    this.#spares.splice(at, 1);
    this.#options.onWorkerEnd?.({ reason: 'unstartable', message: why instanceof Error ? why.message : String(why) });
    if (this.#closing !== undefined) return;
    this.#respawn ??= setTimeout(
      () => {
        this.#respawn = undefined;
        this.#fill();
      },
      Math.min(100 * 2 ** this.#failedStarts++, maxRespawnDelayMs),
    ).unref();
  }

  #slot(): WorkerSlot {
    const { module, dataJson = '{}', maxMemoryBytes = 64 * 1_048_576, builtins } = this.#options;
    return new WorkerSlot(
      { module, dataJson, maxMemoryBytes, builtins },
      { answered: (slot) => this.#answered(slot), lost: (slot, why) => this.#lost(slot, why) },
    );
  }

  #checkDrained(): void {
    if (this.#outstanding === 0) this.#drained?.();
  }
}
