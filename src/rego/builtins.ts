import { GatewayError } from '../model/errors.ts';
import { compileOpaModule } from './opa-artefact.ts';
import { OpaInstance } from './opa-instance.ts';

/**
 * Evaluates one builtin at once: the name, the arguments as texts, and the time in ns that `time.now_ns` and the JWT checks see.
 * Answers raw text (so that integers beyond 2^53 survive), or undefined where the call is undefined in Rego: as in OPA, a builtin that
 * fails on its arguments is undefined.
 * @throws GatewayError `policy.fault` when the builtin is not served, an argument is no value, or the module died; the next call starts anew
 */
export type BuiltinCaller = (name: string, args: readonly string[], nowNs: bigint) => string | undefined;

export interface BuiltinOptions {
  /**
   * - `json` (default): answers are JSON; sets come back as arrays, as `opa_json_dump` writes them
   * - `rego`: sets stay sets (`{1,2}`, `set()`) and keys keep their type, as `opa_value_parse` reads them
   *
   * Arguments may be in either notation always.
   */
  readonly notation?: 'json' | 'rego';
  /** Start the module now and not at the first call, which would take about 0.15 s. */
  readonly eager?: boolean;
  /** An instance that has grown beyond this is replaced before the next call; 256 MiB when absent. */
  readonly recycleMemoryBytes?: number;
}

/** Bound of an instance's memory where the module is compiled here. */
const maxMemoryBytes = 1024 * 1024 * 1024;

const statusUndefined = 0;
const statusDefined = 1;

/**
 * OPA's own builtins for a policy that runs in another engine, synchronously and in this thread; the module comes from `Opa.module()`, or is
 * compiled here when it is first needed (0.3 s). Served are 195 of OPA's 206. Not served: `assign`, `eq`, `print` and `walk`, which belong to the engine; and the
 * seven that do I/O or are not deterministic: `http.send`, `net.lookup_ip_addr`, `opa.runtime`, `rand.intn`, `uuid.rfc4122`,
 * `io.jwt.encode_sign`, `io.jwt.encode_sign_raw`. An instance costs 0.1–0.15 s once and 25 MB; a call 6 µs (`time.now_ns`) to 25 µs
 * (`sprintf`) once warm, a few ms the first time, and more with large arguments.
 */
export function createBuiltinCaller(module: WebAssembly.Module | undefined, options: BuiltinOptions = {}): BuiltinCaller {
  let compiled = module;
  const start = (): OpaInstance => new OpaInstance((compiled ??= compileOpaModule(maxMemoryBytes)));
  const notation = options.notation ?? 'json';
  const recycleMemoryBytes = options.recycleMemoryBytes ?? 256 * 1024 * 1024;
  let instance = options.eager === true ? start() : undefined;
  return (name, args, nowNs) => {
    if (instance !== undefined && instance.memoryBytes > recycleMemoryBytes) instance = undefined;
    instance ??= start();
    let answer: Uint8Array;
    try {
      answer = instance.callBuiltin(writeFrame([notation, name, ...args], nowNs));
    } catch (error) {
      instance = undefined;
      throw new GatewayError('policy.fault', `builtin \`${name}\` ended its module`, { cause: error });
    }
    const text = Buffer.from(answer.buffer, answer.byteOffset + 1, answer.byteLength - 1).toString();
    if (answer[0] === statusUndefined) return undefined;
    if (answer[0] === statusDefined) return text;
    throw new GatewayError('policy.fault', text);
  };
}

/** The frame that src/rego/opa/builtin.go reads: time, count, then each text with its length. */
function writeFrame(texts: readonly string[], nowNs: bigint): Uint8Array {
  const parts = texts.map((text) => Buffer.from(text));
  const frame = Buffer.alloc(12 + parts.reduce((size, part) => size + 4 + part.length, 0));
  frame.writeBigInt64LE(BigInt.asIntN(64, nowNs), 0);
  frame.writeUInt32LE(parts.length, 8);
  let at = 12;
  for (const part of parts) {
    frame.writeUInt32LE(part.length, at);
    part.copy(frame, at + 4);
    at += 4 + part.length;
  }
  return frame;
}
