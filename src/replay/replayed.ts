import { checkAnswer } from '../policy/answer.ts';
import type { BuiltinCaller, BuiltinSource } from '../policy/builtins.ts';
import { asFault } from '../policy/fault.ts';
import type { WorkerBuiltins } from '../policy/protocol.ts';
import { loadWasmPolicy, type WasmPolicy } from '../policy/wasm.ts';
import type { Entrypoint, Limit, PolicyAnswer } from '../model/decision.ts';
import type { ListAnswer } from '../model/ports.ts';
import { inputSlice } from './input-slice.ts';
import { stateAt, type ReplayPolicy } from './protocol.ts';
import { faultVerdict, verdictOf, type Verdict } from './verdict.ts';

/** Bounds of what is remembered; beyond them it is forgotten whole. */
const maxKnownChars = 12 * 1_048_576;

/** An answer, with a number that stands for its text; negative where it is a fault. */
export interface Known {
  readonly id: number;
  readonly verdict: Verdict;
  /** As policy named them. */
  readonly limits: readonly Limit[];
}

/** Texts that come again and again, each worked on once, and with a number of its own. */
export class Interned {
  readonly #known = new Map<string, Known>();
  readonly #make: (text: string) => Omit<Known, 'id'>;
  #next = 0;
  #chars = 0;

  constructor(make: (text: string) => Omit<Known, 'id'>) {
    this.#make = make;
  }

  get(text: string): Known {
    const found = this.#known.get(text);
    if (found !== undefined) return found;
    const made = { id: this.#next++, ...this.#make(text) };
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
export class Replayed {
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
        if (checkAnswer(entry, answer) !== undefined) return { verdict: faultVerdict('malformed'), limits: [] };
        return { verdict: verdictOf(answer), limits: 'limits' in answer ? answer.limits : [] };
      });
      this.#answers.set(entry, answers);
    }
    return answers;
  }

  #fault(verdict: Verdict): Known {
    return { id: this.#faults--, verdict, limits: [] };
  }
}

/** What the module at `callerUrl` exports. */
interface BuiltinModule {
  readonly createBuiltinCaller: (module: WebAssembly.Module | undefined, options: { notation: 'rego'; eager: boolean }) => BuiltinCaller;
}

/** OPA's builtins on this thread; starting OPA is told in the shared state, since it is no evaluation's time. */
export async function builtinSource({
  builtins,
  state,
}: {
  readonly builtins: WorkerBuiltins | undefined;
  readonly state: SharedArrayBuffer;
}): Promise<BuiltinSource | undefined> {
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
