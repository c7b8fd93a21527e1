import * as sdk from '@open-policy-agent/opa-wasm';
import { bindBuiltins, type BuiltinCall, type BuiltinSource } from './builtins.ts';
import { asFault, EvaluationFault } from './fault.ts';
import { ResultTexts } from './result-text.ts';

const pageBytes = 65_536;

export interface WasmPolicyOptions {
  readonly module: WebAssembly.Module;
  /** The release's data document. */
  readonly dataJson: string;
  /** Entrypoints that the module must have. */
  readonly entrypoints: readonly string[];
  /** The memory that one instance may grow to, in bytes. */
  readonly maxMemoryBytes: number;
  readonly builtins?: BuiltinSource | undefined;
}

/**
 * One compiled policy, ready to evaluate on this thread.
 *
 * The SDK loads data and knows the ABI. Two things are done here and not by it, because a gateway needs them right: builtins (the SDK's
 * `sprintf`, `regex.split` and `yaml.*` differ from OPA's and cannot be overridden; its arguments lose sets and integers beyond 2^53),
 * and the call itself (input that is no JSON counts as no input there; the result is parsed with its integers rounded).
 */
export interface WasmPolicy {
  /**
   * The result's JSON text, or `undefined` where the entrypoint is undefined. `inputJson` is one JSON value, passed as it stands.
   * @throws EvaluationFault `error` or `memory`
   */
  evaluate(entrypoint: string, inputJson: string): string | undefined;
  /** Replaces an instance that threw. `evaluate` does it too, but then it takes the next evaluation's time. */
  renew(): void;
  /** What the instance's memory has grown to; it never shrinks. */
  memoryBytes(): number;
  readonly entrypoints: readonly string[];
}

/** The functions of OPA's WebAssembly ABI that are used here. @see https://www.openpolicyagent.org/docs/wasm#abi */
interface Abi {
  opa_malloc(size: number): number;
  opa_json_parse(address: number, size: number): number;
  opa_json_dump(value: number): number;
  opa_value_parse(address: number, size: number): number;
  opa_value_dump(value: number): number;
  opa_heap_ptr_set(address: number): void;
  opa_eval_ctx_new(): number;
  opa_eval_ctx_set_input(context: number, value: number): void;
  opa_eval_ctx_set_data(context: number, value: number): void;
  opa_eval_ctx_set_entrypoint(context: number, id: number): void;
  opa_eval_ctx_get_result(context: number): number;
  eval(context: number): number;
  builtins(): number;
  readonly opa_wasm_abi_version: { readonly value: number };
  readonly opa_wasm_abi_minor_version: { readonly value: number };
}

// The SDK's ES module has its classes on the default export alone, which its types do not say.
const { LoadedPolicy } = (sdk as unknown as { default: typeof sdk }).default;

/**
 * Instantiates `module` with its data.
 * @throws EvaluationFault when the ABI is not 1.2 or later, an entrypoint is missing, a builtin is not served or the data does not fit
 */
export function loadWasmPolicy(options: WasmPolicyOptions): WasmPolicy {
  const memory = new WebAssembly.Memory(memorySize(options));
  let bytes = Buffer.from(memory.buffer);
  let abi: Abi;
  let policy: InstanceType<typeof LoadedPolicy>;
  let ids: Readonly<Record<string, number>>;
  let calls: Map<number, BuiltinCall> | undefined;
  let evaluation = { inputJson: '' };
  let spoilt = false;
  const results = new ResultTexts();

  /** The memory as it is now: growing detaches every earlier view. */
  const view = (): Buffer => (bytes.buffer === memory.buffer ? bytes : (bytes = Buffer.from(memory.buffer)));
  const text = (address: number): string => view().toString('utf8', address, view().indexOf(0, address));

  const builtin = (id: number, _context: number, ...args: number[]): number => {
    const call = calls?.get(id);
    if (call === undefined) throw new EvaluationFault('error', `the module calls builtin ${id}, which it does not declare`);
    const answer = call(
      args.map((address) => text(abi.opa_value_dump(address))),
      evaluation,
    );
    if (answer === undefined) return 0;
    const size = Buffer.byteLength(answer);
    const address = abi.opa_malloc(size);
    view().write(answer, address);
    const value = abi.opa_value_parse(address, size);
    if (value === 0) throw new EvaluationFault('error', 'a builtin gave an answer that is no Rego value');
    return value;
  };

  const imports = {
    env: {
      memory,
      opa_abort: (address: number) => {
        throw new Error(text(address));
      },
      opa_println: () => undefined,
      ...Object.fromEntries([0, 1, 2, 3, 4].map((arity) => [`opa_builtin${arity}`, builtin])),
    },
  };

  const instantiate = (): void => {
    const instance = new WebAssembly.Instance(options.module, imports);
    abi = instance.exports as unknown as Abi;
    const [major, minor] = [abi.opa_wasm_abi_version.value, abi.opa_wasm_abi_minor_version.value];
    if (major !== 1 || minor < 2) throw new EvaluationFault('error', `the module has ABI ${major}.${minor}; 1.2 or a later 1.x is needed`);
    policy = new LoadedPolicy(instance, memory, minor);
    ids = policy.entrypoints as Record<string, number>;
    const missing = options.entrypoints.filter((name) => !Object.hasOwn(ids, name));
    if (missing.length > 0)
      throw new EvaluationFault('error', `the module has no entrypoint ${missing.map((name) => `\`${name}\``).join(', ')}`);
    calls ??= bound(JSON.parse(text(abi.opa_json_dump(abi.builtins()))) as Record<string, number>, options.builtins);
    const data = new TextEncoder().encode(options.dataJson);
    policy.setData(data.buffer);
    spoilt = false;
  };

  try {
    instantiate();
  } catch (thrown) {
    throw asFault(thrown);
  }

  /**
   * What is thrown leaves the module's stack pointer where it was: 511 rule conflicts later each call would trap. So an instance that
   * threw is not used again; its memory is, wiped.
   */
  const renew = (): void => {
    if (!spoilt) return;
    view().fill(0);
    instantiate();
  };

  return {
    renew,
    get entrypoints() {
      return Object.keys(ids);
    },
    memoryBytes: () => memory.buffer.byteLength,
    evaluate(entrypoint, inputJson) {
      try {
        renew();
        const id = ids[entrypoint];
        if (id === undefined) throw new EvaluationFault('error', `the release has no entrypoint \`${entrypoint}\``);
        evaluation = { inputJson };
        const at = policy.dataHeapPtr as number;
        const most = inputJson.length * 3;
        if (at + most > memory.buffer.byteLength) memory.grow(Math.ceil((at + most - memory.buffer.byteLength) / pageBytes));
        const size = view().write(inputJson, at);
        spoilt = true;
        abi.opa_heap_ptr_set(at + size);
        const input = abi.opa_json_parse(at, size);
        if (input === 0) throw new EvaluationFault('error', 'the input is not one JSON value');
        const context = abi.opa_eval_ctx_new();
        abi.opa_eval_ctx_set_input(context, input);
        abi.opa_eval_ctx_set_data(context, policy.dataAddr);
        abi.opa_eval_ctx_set_entrypoint(context, id);
        abi.eval(context);
        const result = results.json(text(abi.opa_value_dump(abi.opa_eval_ctx_get_result(context))));
        spoilt = false;
        return result;
      } catch (thrown) {
        throw asFault(thrown);
      }
    },
  };
}

function bound(idByName: Readonly<Record<string, number>>, source: BuiltinSource | undefined): Map<number, BuiltinCall> {
  const names = Object.keys(idByName);
  const calls = bindBuiltins(names, source);
  return new Map(calls.map((call, index) => [idByName[names[index] ?? ''] ?? -1, call]));
}

/** Data becomes some 22 times its size in OPA's memory, and growing bit by bit takes minutes for large data: so it is laid out at once. */
function memorySize(options: WasmPolicyOptions): { initial: number; maximum: number } {
  const dataPages = Math.ceil((25 * options.dataJson.length) / pageBytes);
  const maximum = Math.floor(options.maxMemoryBytes / pageBytes);
  const initial = 16 + dataPages;
  if (initial > maximum) {
    throw new EvaluationFault(
      'memory',
      `the release's data needs about ${initial * pageBytes} bytes and the limit is ${options.maxMemoryBytes}`,
    );
  }
  return { initial, maximum };
}
