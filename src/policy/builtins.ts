import { EvaluationFault } from './fault.ts';
import { topLevelInteger } from './input-time.ts';
import { quickBuiltins } from './quick-builtins.ts';

/**
 * OPA's own builtins: arguments and answer are Rego terms as text (JSON, and sets), time is in nanoseconds; `undefined` where the call is
 * undefined, as a builtin that fails on its arguments is in OPA. Synchronous. Throws when the builtin is not served or OPA itself ended.
 */
export type BuiltinCaller = (name: string, args: readonly string[], nowNs: bigint) => string | undefined;

/** Where the builtins that the module lacks come from. */
export interface BuiltinSource {
  /** What {@link BuiltinSource.caller} serves. */
  readonly names: ReadonlySet<string>;
  /** Called once, when a builtin is first needed, or before where it surely will be: OPA itself takes a third of a second to start. */
  readonly caller: () => BuiltinCaller;
}

/** One call: the arguments' texts, and the evaluation that it belongs to. */
export type BuiltinCall = (args: readonly string[], evaluation: { readonly inputJson: string }) => string | undefined;

/** Answers that differ from run to run or reach outside: never served, whatever the source says. */
const refused: ReadonlySet<string> = new Set([
  'http.send',
  'net.lookup_ip_addr',
  'opa.runtime',
  'rand.intn',
  'uuid.rfc4122',
  'io.jwt.encode_sign',
  'io.jwt.encode_sign_raw',
]);

/**
 * The calls for the builtins that a module asks for, in the order of `needs`. Without a source those are served that JavaScript answers, and
 * a call that it leaves to OPA fails the evaluation.
 * @throws EvaluationFault `error` that names each builtin that nobody serves
 */
export function bindBuiltins(needs: readonly string[], source: BuiltinSource | undefined): BuiltinCall[] {
  const missing = needs.filter((name) => refused.has(name) || !(Object.hasOwn(quickBuiltins, name) || source?.names.has(name)));
  if (missing.length > 0) {
    const names = missing.map((name) => `\`${name}\``).join(', ');
    throw new EvaluationFault('error', `the release needs builtins that are not served here: ${names}; write the rule without them`);
  }
  // A policy that will call OPA has it at hand before it decides: a call that waited for its start would hold up the others behind it.
  let opa = needs.some((name) => !Object.hasOwn(quickBuiltins, name)) ? source?.caller() : undefined;
  return needs.map((name) => {
    const first = quickBuiltins[name];
    return (args, evaluation) => {
      const answer = first?.(args, evaluation);
      if (answer !== undefined) return answer ?? undefined;
      opa ??= source?.caller();
      if (opa === undefined) throw new EvaluationFault('error', `builtin \`${name}\` is not served here`);
      return opa(name, args, BigInt(topLevelInteger(evaluation.inputJson, 'at_ns') ?? 0));
    };
  });
}
