import type { PolicyFault, PolicyFolders } from './application.ts';

/** What the commands for authors of policy do; `app/authoring.ts` has it. */
export interface AuthoringTools {
  /** Every lint there is, by id. */
  lints(): Promise<readonly LintAbout[]>;
  check(options: CheckOptions): Promise<CheckReport>;
  /** @throws GatewayError `policy.invalid` where the files do not compile */
  test(options: TestOptions): Promise<TestReport>;
  /** The golden cases that the two engines do not answer alike, or not as the case says. */
  compareCases(folders: PolicyFolders): Promise<readonly Difference[]>;
  format(folders: PolicyFolders): Promise<FormatReport>;
  write(path: string, text: string): Promise<void>;
  evaluate(options: EvalOptions): Promise<EvalReport>;
  /** The catalogue of the rules, as Markdown. */
  catalogue(folders: PolicyFolders): Promise<string>;
  bench(options: BenchOptions): Promise<BenchReport>;
  /** Resolves when `signal` aborts. `changed` is called one at a time, first at once and then after each change of a file. */
  watch(folders: PolicyFolders, signal: AbortSignal, changed: () => Promise<void>): Promise<void>;
  /** @throws GatewayError `request.invalid` where the folder is there and not empty */
  startRepository(folder: string): Promise<readonly string[]>;
}

export interface LintAbout {
  readonly lint: string;
  readonly title: string;
  readonly description: string;
  readonly cure: string;
}

export interface CheckOptions extends PolicyFolders {
  /** Ids of lints to switch off. */
  readonly disable: readonly string[];
  /** A lint file; absent: `.castellan-lint.yaml` in the policy folder or beside it. */
  readonly lintFile?: string;
}

export interface CheckReport {
  readonly files: number;
  readonly errors: readonly PolicyFault[];
  /** Empty where there are errors: lints run over what compiles. */
  readonly findings: readonly LintFinding[];
}

export interface LintFinding {
  readonly lint: string;
  readonly level: 'error' | 'warning';
  readonly file: string;
  readonly row: number;
  readonly col: number;
  readonly message: string;
  readonly cure: string;
}

export interface TestOptions extends PolicyFolders {
  readonly run?: string;
  readonly coverage?: boolean;
  readonly threshold?: number;
  readonly verbose?: boolean;
  readonly failOnEmpty?: boolean;
  /** Ask OPA's interpreter alone. */
  readonly oneEngine?: boolean;
}

export interface TestReport {
  /** OPA's own; 2 also where the two engines differ. */
  readonly exit_code: number;
  /** Why, where no test says it: coverage below the threshold, no test at all. */
  readonly message?: string;
  /** The report of `opa test`. */
  readonly text: string;
  readonly results: readonly TestResult[];
  readonly coverage?: object;
  readonly engines: EngineReport;
}

export interface TestResult {
  readonly package: string;
  readonly name: string;
  readonly file: string;
  readonly row: number;
  readonly pass: boolean;
  readonly fail: boolean;
  readonly skip: boolean;
  readonly error?: string;
  readonly duration_ns: number;
  readonly output?: string;
  readonly cases?: Readonly<Record<string, { readonly fail?: boolean }>>;
}

export interface EngineReport {
  /** Golden cases and tests that were asked of both engines. */
  readonly cases: number;
  readonly tests: number;
  readonly differences: readonly Difference[];
  /** Why tests were not compared, where they were not. */
  readonly note?: string;
}

export interface Difference {
  readonly kind: 'case' | 'test';
  readonly name: string;
  readonly file: string;
  readonly interpreter: string;
  readonly wasm: string;
  readonly expected?: string;
}

export interface FormatReport {
  readonly files: readonly { readonly path: string; readonly before: string; readonly after: string; readonly diff: string }[];
  readonly errors: readonly PolicyFault[];
}

export interface EvalOptions extends PolicyFolders {
  readonly query: string;
  readonly inputFile?: string;
  /** A JSON object laid over the data of the files. */
  readonly dataFile?: string;
  readonly explain?: 'notes' | 'fails' | 'full';
}

export interface EvalReport {
  /** OPA's result set. */
  readonly result: readonly {
    readonly expressions: readonly { readonly value: unknown; readonly text: string }[];
    readonly bindings?: Readonly<Record<string, unknown>>;
  }[];
  readonly trace: readonly string[];
  readonly prints: string;
}

export interface BenchOptions extends PolicyFolders {
  /** Evaluations of each golden case. */
  readonly count: number;
}

export interface BenchReport {
  readonly wasm_bytes: number;
  readonly sets: readonly BenchRow[];
}

/** Times of the golden cases of one file, through a worker of the engine, in microseconds. */
export interface BenchRow {
  readonly set: string;
  readonly cases: number;
  readonly input_bytes: number;
  readonly p50_us: number;
  readonly p99_us: number;
}
