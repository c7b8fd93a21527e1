import type { JsonObject } from '../model/json.ts';
import type { OpaProgram, PolicyRepository } from './ports.ts';

/** One question that did not get one answer. */
export interface Difference {
  readonly kind: 'case' | 'test';
  readonly name: string;
  readonly file: string;
  /** Canonical JSON, `undefined`, or `fault: …`. */
  readonly interpreter: string;
  readonly wasm: string;
  /** What a golden case says; absent for a test. */
  readonly expected?: string;
}

/** A compiled policy that answers in this thread. Throws where the evaluation fails. */
export interface LoadedEngine {
  evaluate(entrypoint: string, inputJson: string): string | undefined;
}

/** The engine that the gateway evaluates with, and the compiler that makes what it takes. */
export interface EngineTools {
  load(wasm: Uint8Array<ArrayBuffer>, dataJson: string, entrypoints: readonly string[]): Promise<LoadedEngine>;
  build(
    query: OpaProgram & { readonly entrypoints: readonly string[] },
  ): Promise<{ readonly wasm: Uint8Array<ArrayBuffer>; readonly data: string; readonly builtins: readonly string[] }>;
}

/** What OPA's test runner said of one test. */
export interface InterpretedTest {
  /** `data.rules.billing.large_refund_test`. */
  readonly package: string;
  readonly name: string;
  readonly file: string;
  readonly pass: boolean;
  readonly skip: boolean;
  readonly error?: string;
  /** Of a table test, by name. */
  readonly cases?: Readonly<Record<string, { readonly fail?: boolean }>>;
}

/**
 * Runs the tests themselves as WASM, each an entrypoint of one module, and gives those that end otherwise there. A test that could not run in
 * the interpreter is left out.
 * @throws GatewayError where the tests do not compile to WASM (a builtin that is replaced by `with`)
 */
export async function compareTests(
  engines: EngineTools,
  repository: PolicyRepository,
  results: readonly InterpretedTest[],
): Promise<{ readonly compared: number; readonly differences: readonly Difference[] }> {
  const tests = results.filter((result) => !result.skip && result.error === undefined && /^data(\.\w+)+$/.test(result.package));
  if (tests.length === 0) return { compared: 0, differences: [] };
  const entrypoints = [...new Set(tests.map(entrypointOf))];
  const built = await engines.build({ files: together(repository), entrypoints });
  const engine = await engines.load(built.wasm, withCases(built.data, repository.cases), entrypoints);
  const differences: Difference[] = [];
  for (const result of tests) {
    const interpreter = interpreted(result);
    const wasm = outcome(() => engine.evaluate(entrypointOf(result), '{}'), result.cases !== undefined);
    if (wasm !== interpreter)
      differences.push({ kind: 'test', name: `${result.package}.${result.name}`, file: result.file, interpreter, wasm });
  }
  return { compared: tests.length, differences };
}

function entrypointOf({ package: name, name: test }: InterpretedTest): string {
  return `${name.slice('data.'.length).replaceAll('.', '/')}/${test}`;
}

/** Policy and tests as one bundle: where a Rego file lies makes no difference, and data lies where its folder is. */
function together({ files, tests }: PolicyRepository): Record<string, string> {
  return {
    ...files,
    ...Object.fromEntries(Object.entries(tests).map(([name, text]) => [name.endsWith('.rego') ? `~tests/${name}` : name, text])),
  };
}

/** Data with the golden cases where `opa test policies policy-tests` puts them: at the path of their folder. */
function withCases(data: string, cases: Readonly<Record<string, string>>): string {
  const root = JSON.parse(data) as Record<string, unknown>;
  for (const [name, text] of Object.entries(cases)) {
    let at = root;
    for (const step of name.split('/').slice(0, -1)) at = (at[step] ??= {}) as Record<string, unknown>;
    Object.assign(at, JSON.parse(text));
  }
  return JSON.stringify(root);
}

function interpreted({ pass, cases }: InterpretedTest): string {
  if (cases === undefined) return pass ? 'true' : 'not true';
  return passing(Object.keys(cases).filter((name) => cases[name]?.fail !== true));
}

function outcome(work: () => string | undefined, isTable: boolean): string {
  let text: string | undefined;
  try {
    text = work();
  } catch (thrown) {
    return `fault: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
  if (!isTable) return text === 'true' || /^\{.+\}$|^\{\}$/s.test(text ?? '') ? 'true' : 'not true';
  const value = JSON.parse(text ?? '{}') as JsonObject;
  return passing(Object.keys(value).filter((name) => value[name] !== false));
}

function passing(names: readonly string[]): string {
  return `passing: ${JSON.stringify([...names].sort())}`;
}
