import type { RegoFault } from './rego-error.ts';

/** The files and flags that the stock `opa` command would read from disk. Documents are texts, so that no number is rounded on the way. */
export interface Program {
  /** Path with forward slashes, relative to the working folder, to text. */
  readonly files: Readonly<Record<string, string>>;
  /** The path arguments of the stock command; everything when absent. */
  readonly paths?: readonly string[];
  /** `-b`: each path is a bundle: only `data.json` and `data.yaml` are data, mounted by folder. `build` always works so. */
  readonly bundle?: boolean;
  /** `--ignore`: patterns over base names, such as `*_test.rego`. */
  readonly ignore?: readonly string[];
  /** Text of a capabilities file; absent: everything this OPA has. */
  readonly capabilities?: string;
  /** Path inside the folder of schemas to the text of a JSON Schema, as `--schema <folder>`. */
  readonly schemas?: Readonly<Record<string, string>>;
  /** Text of a JSON object laid over the data of the files, key by key at the top. */
  readonly data?: string;
  readonly strict?: boolean;
  /** Keep `print` calls; else they are erased. `check` and `test` keep them. */
  readonly prints?: boolean;
  /** 100 when absent; 0 is no limit. */
  readonly maxErrors?: number;
}

/** A path of object keys under `input`. */
export type InputPath = readonly string[];

/** The annotations of a METADATA comment, in OPA's own shape. */
export interface Annotations {
  readonly scope: string;
  readonly title?: string;
  readonly description?: string;
  readonly entrypoint?: boolean;
  readonly organizations?: readonly string[];
  readonly authors?: readonly { readonly name: string; readonly email?: string }[];
  readonly related_resources?: readonly { readonly ref: string; readonly description?: string }[];
  readonly schemas?: readonly unknown[];
  readonly custom?: Readonly<Record<string, unknown>>;
}

export interface RulePlace {
  /** As entrypoints are written: `rules/billing/large_refund/deny`. */
  readonly path: string;
  readonly file: string;
  readonly row: number;
}

export interface RuleInfo {
  readonly name: string;
  readonly kind: 'set' | 'object' | 'value' | 'function';
  readonly default: boolean;
  readonly places: readonly RulePlace[];
  readonly annotations: readonly Annotations[];
}

export interface PackageInfo {
  readonly path: string;
  readonly files: readonly string[];
  readonly annotations: readonly Annotations[];
  readonly rules: readonly RuleInfo[];
}

export interface EntrypointInfo {
  /** Shortest paths that cover all that the entrypoint can read of `input`, sorted; null when it can read everything. */
  readonly reads: readonly InputPath[] | null;
  readonly builtins: readonly string[];
  /** Number of rules within reach. */
  readonly rules: number;
  /** Packages with a rule within reach. */
  readonly packages: readonly string[];
  readonly annotations: readonly Annotations[];
}

export interface BuildQuery extends Program {
  /** Such as `gateway/call`. */
  readonly entrypoints: readonly string[];
  readonly revision?: string;
}

/** What is known about a release without its WASM. */
export interface Analysis {
  /** Text of the JSON object `data`. */
  readonly data: string;
  readonly revision: string;
  readonly roots: readonly string[];
  readonly entrypoints: Readonly<Record<string, EntrypointInfo>>;
  /** The union over the entrypoints. */
  readonly reads: readonly InputPath[] | null;
  /** Every builtin within reach, also those that the WASM engine has itself. */
  readonly builtins: readonly string[];
  readonly packages: readonly PackageInfo[];
  /** Rules that no entrypoint reaches. */
  readonly unreached: readonly RulePlace[];
}

export interface Build extends Analysis {
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** Builtins that the module asks its host for, as the module itself says. */
  readonly hostBuiltins: readonly string[];
}

export interface CheckAnswer {
  readonly errors: readonly RegoFault[];
  /** Modules compiled; 0 when there are errors. */
  readonly files: number;
}

export interface FormattedFile {
  readonly file: string;
  readonly changed: boolean;
  /** The formatted text, where it differs. */
  readonly text?: string;
  readonly errors?: readonly RegoFault[];
}

export interface TestQuery extends Program {
  /** `--run`: regular expression (RE2) over `data.<package>.<name>`. */
  readonly run?: string;
  /** For each test; 30,000 when absent (stock: 5,000; WebAssembly is several times slower). With coverage a looping test is only ended by the timeout of the call. */
  readonly timeoutMs?: number;
  readonly coverage?: boolean;
  /** Percent; turns coverage on. */
  readonly threshold?: number;
  readonly explain?: Explain;
  readonly varValues?: boolean;
  readonly verbose?: boolean;
  readonly failOnEmpty?: boolean;
  readonly exitZeroOnSkipped?: boolean;
}

export interface TestCase {
  readonly name?: string;
  readonly fail?: boolean;
  readonly sub_results?: Readonly<Record<string, TestCase>>;
}

export interface TestResult {
  /** Such as `data.rules.billing.large_refund_test`. */
  readonly package: string;
  readonly name: string;
  readonly file: string;
  readonly row: number;
  readonly col: number;
  readonly pass: boolean;
  readonly fail: boolean;
  readonly skip: boolean;
  readonly error?: string;
  readonly duration_ns: number;
  /** What `print` wrote. */
  readonly output?: string;
  readonly trace?: readonly string[];
  /** Cases of a table test (`test_x[name] if …`). */
  readonly cases?: Readonly<Record<string, TestCase>>;
}

interface CoverageRange {
  readonly start: { readonly row: number };
  readonly end: { readonly row: number };
}

export interface CoverageReport {
  /** Percent. */
  readonly coverage: number;
  readonly covered_lines: number;
  readonly not_covered_lines: number;
  readonly files: Readonly<
    Record<
      string,
      { readonly coverage?: number; readonly covered?: readonly CoverageRange[]; readonly not_covered?: readonly CoverageRange[] }
    >
  >;
}

export interface TestAnswer {
  /** By file and line. */
  readonly results: readonly TestResult[];
  /** What `opa test` would exit with: 0; 1 could not run, or failed under coverage; 2 a test failed, or coverage below the threshold. */
  readonly exit_code: number;
  readonly message?: string;
  /** The report of `opa test` itself. */
  readonly text: string;
  readonly coverage?: CoverageReport;
}

export type Explain = 'notes' | 'fails' | 'full' | 'debug';

export interface EvalQuery extends Program {
  /** A Rego query, such as `data.gateway.call`. */
  readonly query: string;
  /** JSON text; absent: no input document. */
  readonly input?: string;
  /** What `time.now_ns` answers; absent: the clock. */
  readonly nowNs?: bigint;
  readonly explain?: Explain;
  /** With `explain`: the trace as data too. */
  readonly events?: boolean;
  readonly strictBuiltinErrors?: boolean;
  /** Evaluate every definition of every rule asked for, also what the rule index knows to be false: for a trace that leaves nothing out. */
  readonly allRules?: boolean;
}

export interface TraceEvent {
  readonly op: string;
  readonly query: number;
  readonly parent: number;
  readonly file?: string;
  readonly row?: number;
  readonly col?: number;
  readonly kind: 'rule' | 'body' | 'expr' | '';
  readonly node: string;
  readonly text?: string;
  /** Variable to value, as Rego text. */
  readonly locals?: Readonly<Record<string, string>>;
}

export interface EvalAnswer {
  /** JSON text of OPA's result set: `[{"expressions": [{"value": …}], "bindings": {…}}]`. */
  readonly result: string;
  readonly undefined: boolean;
  readonly prints?: string;
  readonly trace?: readonly string[];
  readonly events?: readonly TraceEvent[];
}

export interface PartialCase {
  /** JSON text of what is known of the input. */
  readonly input?: string;
  /** Such as `data.rules.billing.large_refund.require_approval[_]`. */
  readonly queries: readonly string[];
}

export interface PartialQuery extends Program {
  /** Such as `input.arguments`. */
  readonly unknowns: readonly string[];
  readonly cases: readonly PartialCase[];
  readonly disableInlining?: readonly string[];
  readonly nowNs?: bigint;
  /** Also OPA's syntax tree of what remains. */
  readonly ast?: boolean;
}

export interface Fragment {
  readonly text: string;
  /** The conjunction, expression by expression; absent where nothing is left to ask. */
  readonly expressions?: readonly string[];
  /** Variables of the query whose value is known, as Rego text; `_` is the member that `set[_]` would find. */
  readonly bindings?: Readonly<Record<string, string>>;
  readonly ast?: unknown;
}

export interface Residue {
  readonly query: string;
  /** `never`: no unknown can make it true; `always`: none can prevent it; `error`: treat as unknown. */
  readonly outcome: 'never' | 'always' | 'residual' | 'error';
  /** Alternatives: any of them suffices. With `always`, at least one of them has no expressions. */
  readonly residual?: readonly Fragment[];
  /** Rules that the alternatives refer to (negation and `every` leave such). */
  readonly support?: readonly Fragment[];
  readonly errors?: readonly RegoFault[];
}

export interface OpaVersion {
  readonly opa: string;
  readonly go: string;
  /** Builtins that `builtin` serves, sorted. */
  readonly builtins: readonly string[];
  /** Number of builtins that this OPA knows. */
  readonly total: number;
}

export interface CapabilitiesAnswer {
  /** The file, indented, with a newline at its end. */
  readonly text: string;
  readonly builtins: number;
  readonly removed: readonly string[];
}
