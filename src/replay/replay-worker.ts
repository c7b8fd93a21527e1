import { parentPort, workerData } from 'node:worker_threads';
import { entrypoints, type Entrypoint, type PolicyAnswer } from '../model/decision.ts';
import type { ListAnswer } from '../model/ports.ts';
import { checkAnswer } from '../policy/answer.ts';
import type { BuiltinCaller, BuiltinSource } from '../policy/builtins.ts';
import { asFault } from '../policy/fault.ts';
import { loadWasmPolicy, type WasmPolicy } from '../policy/wasm.ts';
import { inputSlice } from './input-slice.ts';
import {
  stateAt,
  timeBucket,
  timeBuckets,
  type Changed,
  type ReplayAnswer,
  type ReplayBatch,
  type ReplayHello,
  type ReplayPolicy,
  type ReplayWorkerData,
} from './protocol.ts';
import { difference, faultVerdict, verdictOf, type Kind, type Verdict } from './verdict.ts';

/** Every so many evaluations the release in force is asked too, for its speed. */
const sampleEvery = 8;
/** Bounds of what is remembered; beyond them it is forgotten whole. */
const maxKnownChars = 12 * 1_048_576;
const maxPairs = 100_000;

interface Known {
  readonly id: number;
  readonly verdict: Verdict;
}

/** Texts that come again and again, each worked on once, and with a number of its own. */
class Interned {
  readonly #known = new Map<string, Known>();
  readonly #make: (text: string) => Verdict;
  #next = 0;
  #chars = 0;

  constructor(make: (text: string) => Verdict) {
    this.#make = make;
  }

  get(text: string): Known {
    const found = this.#known.get(text);
    if (found !== undefined) return found;
    const made = { id: this.#next++, verdict: this.#make(text) };
    this.#chars += text.length;
    if (this.#chars > maxKnownChars) {
      this.#known.clear();
      this.#chars = text.length;
    }
    this.#known.set(text, made);
    return made;
  }
}

/** A policy and what it answered before: the same policy says the same of the same input. */
class Replayed {
  readonly #policy: WasmPolicy;
  readonly #reads: ReplayPolicy['reads'];
  readonly #seen = new Map<string, Known>();
  readonly #answers = new Map<Entrypoint, Interned>();
  #faults = -1;
  #seenChars = 0;

  constructor(policy: ReplayPolicy, builtins: BuiltinSource | undefined, maxMemoryBytes: number) {
    const { module, dataJson, reads } = policy;
    this.#policy = loadWasmPolicy({ module, dataJson, entrypoints: [], maxMemoryBytes, builtins });
    this.#reads = reads;
  }

  has(entry: Entrypoint): boolean {
    return this.#policy.entrypoints.includes(entry);
  }

  slice(entry: Entrypoint, inputJson: string): string {
    return inputSlice(inputJson, this.#reads.get(entry) ?? null);
  }

  seen(entry: Entrypoint, sliced: string): Known | undefined {
    return this.#seen.get(`${entry} ${sliced}`);
  }

  keep(entry: Entrypoint, sliced: string, known: Known): void {
    const key = `${entry} ${sliced}`;
    this.#seenChars += key.length;
    if (this.#seenChars > maxKnownChars) {
      this.#seen.clear();
      this.#seenChars = key.length;
    }
    this.#seen.set(key, known);
  }

  evaluate(entry: Entrypoint, sliced: string): Known {
    try {
      const json = this.#policy.evaluate(entry, sliced);
      return json === undefined ? this.#fault(faultVerdict('undefined')) : this.#interned(entry).get(json);
    } catch (thrown) {
      const { fault, rule } = asFault(thrown);
      this.#policy.renew();
      return this.#fault(faultVerdict(fault, rule));
    }
  }

  #interned(entry: Entrypoint): Interned {
    let answers = this.#answers.get(entry);
    if (answers === undefined) {
      answers = new Interned((json) => {
        const answer = JSON.parse(json) as PolicyAnswer | ListAnswer;
        return checkAnswer(entry, answer) === undefined ? verdictOf(answer) : faultVerdict('malformed');
      });
      this.#answers.set(entry, answers);
    }
    return answers;
  }

  #fault(verdict: Verdict): Known {
    return { id: this.#faults--, verdict };
  }
}

function start(port: NonNullable<typeof parentPort>, data: ReplayWorkerData, builtins: BuiltinSource | undefined): void {
  const state = new Int32Array(data.state);
  let candidate: Replayed;
  let base: Replayed | undefined;
  try {
    candidate = new Replayed(data.candidate, builtins, data.maxMemoryBytes);
    base = data.base && new Replayed(data.base, builtins, data.maxMemoryBytes);
  } catch (thrown) {
    port.postMessage({ kind: 'broken', message: asFault(thrown).message } satisfies ReplayHello);
    return;
  }

  const recorded = new Interned((text) => JSON.parse(text) as Verdict);
  let pairs = new Map<string, Kind | null>();
  const compare = (was: Known, now: Known, entry: Entrypoint): Kind | undefined => {
    if (now.id < 0) return difference(was.verdict, now.verdict);
    const key = `${entry} ${was.id} ${now.id}`;
    const known = pairs.get(key);
    if (known !== undefined) return known ?? undefined;
    const kind = difference(was.verdict, now.verdict);
    if (pairs.size > maxPairs) pairs = new Map();
    pairs.set(key, kind ?? null);
    return kind;
  };

  let evaluations = 0;
  port.on('message', (batch: ReplayBatch) => {
    const changed: Changed[] = [];
    const times = new Uint32Array(timeBuckets);
    const sampled = { candidate: new Uint32Array(timeBuckets), base: new Uint32Array(timeBuckets) };
    let evaluated = 0;
    let undecidable = 0;
    const timed = (policy: Replayed, entry: Entrypoint, sliced: string): { known: Known; bucket: number } => {
      const beganMs = performance.now();
      const known = policy.evaluate(entry, sliced);
      return { known, bucket: timeBucket((performance.now() - beganMs) * 1000) };
    };
    for (let at = 0; at < batch.length; at += 3) {
      const index = at / 3;
      const entry = entrypoints[batch[at] as number] as Entrypoint;
      const inputJson = batch[at + 1] as string;
      if (!candidate.has(entry)) {
        undecidable++;
        continue;
      }
      Atomics.store(state, stateAt.index, index);
      Atomics.add(state, stateAt.begun, 1);
      const sliced = candidate.slice(entry, inputJson);
      let now = candidate.seen(entry, sliced);
      if (now === undefined) {
        const { known, bucket } = timed(candidate, entry, sliced);
        now = known;
        candidate.keep(entry, sliced, now);
        times[bucket] = (times[bucket] ?? 0) + 1;
        evaluated++;
        if (base?.has(entry) === true && ++evaluations % sampleEvery === 0) {
          sampled.candidate[bucket] = (sampled.candidate[bucket] ?? 0) + 1;
          const { bucket: baseBucket } = timed(base, entry, base.slice(entry, inputJson));
          sampled.base[baseBucket] = (sampled.base[baseBucket] ?? 0) + 1;
        }
      }
      const kind = compare(recorded.get(batch[at + 2] as string), now, entry);
      if (kind !== undefined) changed.push({ index, kind, now: now.verdict });
    }
    Atomics.store(state, stateAt.index, -1);
    port.postMessage({ changed, evaluated, undecidable, times, sampled } satisfies ReplayAnswer);
  });
  port.postMessage({ kind: 'ready' } satisfies ReplayHello);
}

/** What the module at `callerUrl` exports. */
interface BuiltinModule {
  readonly createBuiltinCaller: (module: WebAssembly.Module | undefined, options: { notation: 'rego'; eager: boolean }) => BuiltinCaller;
}

async function builtinSource({ builtins, state }: ReplayWorkerData): Promise<BuiltinSource | undefined> {
  if (builtins === undefined) return undefined;
  const { createBuiltinCaller } = (await import(builtins.callerUrl)) as BuiltinModule;
  const flags = new Int32Array(state);
  let caller: BuiltinCaller | undefined;
  return {
    names: new Set(builtins.names),
    caller: () => {
      if (caller !== undefined) return caller;
      Atomics.store(flags, stateAt.loading, 1);
      try {
        return (caller = createBuiltinCaller(builtins.module, { notation: 'rego', eager: true }));
      } finally {
        Atomics.store(flags, stateAt.loading, 0);
      }
    },
  };
}

if (parentPort !== null) {
  const data = workerData as ReplayWorkerData;
  start(parentPort, data, await builtinSource(data));
}
