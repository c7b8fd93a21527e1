import type { PolicyFault } from '../model/decision.ts';

/** What a worker is started with. */
export interface EvalWorkerData {
  readonly module: WebAssembly.Module;
  readonly dataJson: string;
  readonly maxMemoryBytes: number;
  readonly state: SharedArrayBuffer;
  readonly clockBaseMs: number;
  readonly builtins: WorkerBuiltins | undefined;
}

/** OPA's own builtins, as something that can cross into a worker: a module to import there and what to call its export with. */
export interface WorkerBuiltins {
  readonly names: readonly string[];
  /** Address of an ES module whose export `createBuiltinCaller(module, {notation: 'rego', eager})` gives a BuiltinCaller. */
  readonly callerUrl: string;
  /** OPA's module, where it is compiled already; else a worker compiles it when it first needs it. */
  readonly module?: WebAssembly.Module;
}

/** The first message of a worker. */
export type Hello =
  | { readonly kind: 'ready'; readonly memoryBytes: number; readonly entrypoints: readonly string[] }
  | { readonly kind: 'broken'; readonly message: string };

/** To the worker: entrypoint's index and input, by turns. Flat arrays, because they cost the least to copy. */
export type Batch = (number | string)[];

/** One evaluation's outcome: the key of an answer sent before, a new answer under a key (−1: not kept), or a fault. */
export type Outcome = number | NewAnswer | WireFault;
export interface NewAnswer {
  readonly key: number;
  readonly json: string;
}
export interface WireFault {
  readonly fault: PolicyFault;
  readonly message: string;
  readonly rule?: string | undefined;
}

/** From the worker, one for each batch, in order: outcome and milliseconds by turns, then the bytes of memory in use. */
export type Reply = (Outcome | number)[];

/** Places in the shared state, 32-bit integers. */
export const stateAt = {
  /** Number of evaluations that were begun; the one that runs is the last of them. */
  begun: 0,
  /** Number of evaluations that ended. */
  ended: 1,
  /** When the running one began, in ms on the shared clock. */
  beganMs: 2,
  /** 1 while the worker starts OPA itself for a builtin: the evaluation's clock stands still. */
  loading: 3,
} as const;
export const stateBytes = 16;

/** Answers that one worker and the main thread both hold, by key. */
export const maxInternedAnswers = 512;
export const maxInternedChars = 4_096;

/** A clock that threads share, in ms: `performance.now()` of each thread counts from that thread's own start. */
export function sharedClock(): () => number {
  const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  return () => performance.now() + offsetMs;
}
