import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { workerUrl } from '../model/worker-url.ts';
import type { OpaWorkerMessage, OpaWorkerRequest } from './opa-worker.ts';
import { RegoError } from './rego-error.ts';

export interface OpaHostOptions {
  /** Time that one call may take before its worker is ended; 60,000 when absent. */
  readonly callTimeoutMs?: number;
  /** The module ends itself beyond this; 1 GiB when absent. */
  readonly maxMemoryBytes?: number;
  /** After a call that left more than this, the worker is replaced; 256 MiB when absent. */
  readonly recycleMemoryBytes?: number;
}

export type OpaAnswer = Extract<OpaWorkerMessage, { kind: 'answer' }>;

interface Job {
  readonly id: number;
  readonly op: string;
  readonly text: string;
  readonly timeoutMs: number;
  readonly resolve: (answer: OpaAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** Time for a worker to come up; far beyond what a loaded machine needs. */
const startTimeoutMs = 60_000;
const mebibyte = 1024 * 1024;

/**
 * Owns the process in which the OPA module runs: starts it when first needed, gives it one call at a time in the order of arrival, ends it
 * when a call takes too long, and starts another. A process and not a thread, because what a thread with a module of this size took of
 * memory (some 200 MB) is not given back when it ends. An idle worker does not keep this process alive; it gets none of its environment.
 */
export class OpaHost {
  readonly #callTimeoutMs: number;
  readonly #maxMemoryBytes: number;
  readonly #recycleMemoryBytes: number;
  readonly #queue: Job[] = [];
  #worker: ChildProcess | undefined;
  #isReady = false;
  #running: Job | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextId = 1;
  #isClosed = false;

  constructor(options: OpaHostOptions = {}) {
    this.#callTimeoutMs = options.callTimeoutMs ?? 60_000;
    this.#maxMemoryBytes = options.maxMemoryBytes ?? 1024 * mebibyte;
    this.#recycleMemoryBytes = options.recycleMemoryBytes ?? 256 * mebibyte;
  }

  /**
   * Sends one request; `timeoutMs` counts from the moment the worker takes it, not while it waits its turn.
   * @throws RegoError of kind `timeout`, `died` or `closed`
   */
  async send(op: string, text: string, timeoutMs = this.#callTimeoutMs): Promise<OpaAnswer> {
    return await new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(closed());
        return;
      }
      this.#queue.push({ id: this.#nextId++, op, text, timeoutMs, resolve, reject });
      this.#pump();
    });
  }

  /** Ends the worker and fails the calls that are still under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const waiting = [...(this.#running === undefined ? [] : [this.#running]), ...this.#queue.splice(0)];
    this.#running = undefined;
    for (const job of waiting) job.reject(closed());
    await this.#drop();
  }

  #pump(): void {
    if (this.#running !== undefined || this.#queue.length === 0 || this.#isClosed) return;
    const worker = this.#worker ?? this.#start();
    hold(worker);
    if (!this.#isReady) return;
    const job = this.#queue.shift();
    if (job === undefined) return;
    this.#running = job;
    this.#arm(job.timeoutMs, () => {
      this.#fail(new RegoError('timeout', `\`${job.op}\` did not finish within ${job.timeoutMs} ms; look for a rule that never ends`));
    });
    worker.send({ id: job.id, text: job.text, isBuild: job.op === 'build' } satisfies OpaWorkerRequest);
  }

  #start(): ChildProcess {
    const worker = fork(fileURLToPath(workerUrl(import.meta.url, './opa-worker')), [String(this.#maxMemoryBytes)], {
      serialization: 'advanced',
      execArgv: [],
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#worker = worker;
    this.#isReady = false;
    this.#arm(startTimeoutMs, () => this.#fail(new RegoError('timeout', 'the OPA worker did not start; the machine may be overloaded')));
    worker.on('message', (message: OpaWorkerMessage) => {
      if (this.#worker === worker) this.#receive(message);
    });
    worker.on('error', (error: unknown) => {
      if (this.#worker === worker)
        this.#fail(new RegoError('died', `the OPA worker failed: ${error instanceof Error ? error.message : String(error)}`, [], error));
    });
    worker.on('exit', (code, signal) => {
      if (this.#worker === worker) this.#fail(new RegoError('died', `the OPA worker exited with ${code ?? signal ?? 'no code'}`));
    });
    return worker;
  }

  #receive(message: OpaWorkerMessage): void {
    switch (message.kind) {
      case 'ready':
        this.#isReady = true;
        this.#disarm();
        break;
      case 'broken':
      case 'died':
        this.#fail(new RegoError('died', message.message));
        return;
      case 'answer':
        this.#disarm();
        this.#running?.resolve(message);
        this.#running = undefined;
        if (message.memoryBytes > this.#recycleMemoryBytes) void this.#drop();
        break;
      default:
        message satisfies never;
    }
    this.#pump();
    if (this.#running === undefined && this.#worker !== undefined) release(this.#worker);
  }

  /** The worker is lost; so is the call that it had, or all waiting ones when it never came up. */
  #fail(error: RegoError): void {
    const lost = this.#running === undefined ? this.#queue.splice(0) : [this.#running];
    this.#running = undefined;
    void this.#drop();
    for (const job of lost) job.reject(error);
    this.#pump();
  }

  async #drop(): Promise<void> {
    this.#disarm();
    const worker = this.#worker;
    this.#worker = undefined;
    this.#isReady = false;
    if (worker === undefined || worker.exitCode !== null || worker.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    hold(worker);
    worker.kill('SIGKILL');
    await ended;
  }

  #arm(timeoutMs: number, fire: () => void): void {
    this.#disarm();
    this.#timer = setTimeout(fire, timeoutMs);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** Keeps this process alive while a call is under way. */
function hold(worker: ChildProcess): void {
  worker.ref();
  worker.channel?.ref();
}

function release(worker: ChildProcess): void {
  worker.unref();
  worker.channel?.unref();
}

function closed(): RegoError {
  return new RegoError('closed', 'OPA was closed');
}
