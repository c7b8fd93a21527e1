import { parentPort, workerData } from 'node:worker_threads';
import { entrypoints, type Entrypoint } from '../model/decision.ts';
import { checkAnswer } from './answer.ts';
import type { BuiltinCaller, BuiltinSource } from './builtins.ts';
import { asFault } from './fault.ts';
import {
  maxInternedAnswers,
  maxInternedChars,
  sharedClock,
  stateAt,
  type Batch,
  type EvalWorkerData,
  type Hello,
  type Outcome,
  type Reply,
  type WorkerBuiltins,
} from './protocol.ts';
import { loadWasmPolicy, type WasmPolicy } from './wasm.ts';

async function start(port: NonNullable<typeof parentPort>): Promise<void> {
  const data = workerData as EvalWorkerData;
  const clock = sharedClock();
  const state = new Int32Array(data.state);
  const nowMs = (): number => Math.trunc(clock() - data.clockBaseMs);
  let policy: WasmPolicy;
  try {
    policy = loadWasmPolicy({
      module: data.module,
      dataJson: data.dataJson,
      entrypoints: [],
      maxMemoryBytes: data.maxMemoryBytes,
      builtins: data.builtins && (await builtinSource(data.builtins, state, nowMs)),
    });
  } catch (thrown) {
    port.postMessage({ kind: 'broken', message: asFault(thrown).message } satisfies Hello);
    return;
  }

  const answers = new AnswerKeys();
  const evaluateOne = (entry: Entrypoint, inputJson: string): Outcome => {
    try {
      if (!policy.entrypoints.includes(entry)) return { fault: 'undefined', message: `the release has no entrypoint \`${entry}\`` };
      const json = policy.evaluate(entry, inputJson);
      if (json === undefined) return { fault: 'undefined', message: `\`${entry}\` is undefined for this input` };
      return answers.outcome(entry, json);
    } catch (thrown) {
      const { fault, message, rule } = asFault(thrown);
      return { fault, message, rule };
    }
  };

  port.on('message', (batch: Batch) => {
    const reply: Reply = [];
    for (let index = 0; index < batch.length; index += 2) {
      Atomics.store(state, stateAt.beganMs, nowMs());
      Atomics.add(state, stateAt.begun, 1);
      const beganMs = performance.now();
      const outcome = evaluateOne(entrypoints[batch[index] as number] as Entrypoint, batch[index + 1] as string);
      reply.push(outcome, performance.now() - beganMs);
      Atomics.add(state, stateAt.ended, 1);
      // Here nobody's deadline runs.
      if (typeof outcome === 'object' && 'fault' in outcome) policy.renew();
    }
    reply.push(policy.memoryBytes());
    port.postMessage(reply);
  });
  port.postMessage({ kind: 'ready', memoryBytes: policy.memoryBytes(), entrypoints: policy.entrypoints } satisfies Hello);
}

/** Policies answer the same few documents over and over: each is checked once and crosses to the main thread once. */
class AnswerKeys {
  readonly #keys = {
    decision: new Map<string, number>(),
    'gateway/list': new Map<string, number>(),
    'gateway/mask': new Map<string, number>(),
  };
  readonly #texts: { map: Map<string, number>; json: string }[] = [];
  #next = 0;

  outcome(entry: Entrypoint, json: string): Outcome {
    // By shape: a text that was checked as a list is no checked decision.
    const map = this.#keys[entry === 'gateway/list' || entry === 'gateway/mask' ? entry : 'decision'];
    const known = map.get(json);
    if (known !== undefined) return known;
    const wrong = checkAnswer(entry, JSON.parse(json));
    if (wrong !== undefined) return { fault: 'malformed', message: `\`${entry}\` gave a malformed answer: \`${wrong.trimStart()}\`` };
    if (json.length > maxInternedChars) return { key: -1, json };
    const key = this.#next;
    this.#next = (key + 1) % maxInternedAnswers;
    const evicted = this.#texts[key];
    evicted?.map.delete(evicted.json);
    this.#texts[key] = { map, json };
    map.set(json, key);
    return { key, json };
  }
}

/** What the module at {@link WorkerBuiltins.callerUrl} exports. */
interface BuiltinModule {
  readonly createBuiltinCaller: (module: WebAssembly.Module | undefined, options: { notation: 'rego'; eager: boolean }) => BuiltinCaller;
}

async function builtinSource(builtins: WorkerBuiltins, state: Int32Array, nowMs: () => number): Promise<BuiltinSource> {
  const { createBuiltinCaller } = (await import(builtins.callerUrl)) as BuiltinModule;
  return {
    names: new Set(builtins.names),
    caller: () => {
      Atomics.store(state, stateAt.loading, 1);
      try {
        const call = createBuiltinCaller(builtins.module, { notation: 'rego', eager: true });
        // The first call of a fresh module takes some 40 ms: not on the time of an evaluation.
        call('crypto.sha256', ['""'], 0n);
        return call;
      } finally {
        Atomics.store(state, stateAt.beganMs, nowMs());
        Atomics.store(state, stateAt.loading, 0);
      }
    },
  };
}

if (parentPort !== null) await start(parentPort);
