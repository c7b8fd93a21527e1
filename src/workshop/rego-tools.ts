/** What the workshop asks of OPA; `Opa` of `src/rego` does it. Files and documents are texts, so that no number is rounded on the way. */
export interface RegoTools {
  eval(query: {
    readonly files: RegoFiles;
    readonly bundle: boolean;
    readonly query: string;
    readonly input: string;
    readonly nowNs?: bigint;
    readonly explain?: 'full';
    readonly events?: boolean;
    readonly allRules?: boolean;
  }): Promise<{ readonly result: string; readonly undefined: boolean; readonly events?: readonly TraceStep[] }>;
  partial(
    query: {
      readonly files: RegoFiles;
      readonly bundle: boolean;
      readonly unknowns: readonly string[];
      readonly ast: boolean;
      readonly cases: readonly { readonly input: string; readonly queries: readonly string[] }[];
    },
    options?: { readonly timeoutMs?: number },
  ): Promise<readonly (readonly RuleResidue[])[]>;
  analyse(query: { readonly files: RegoFiles; readonly entrypoints: readonly string[] }): Promise<ReleaseFacts>;
}

/** Path inside the policy folder to text: Rego and data. */
export type RegoFiles = Readonly<Record<string, string>>;

/** What compiling tells about a release. */
export interface ReleaseFacts {
  /** The data document's JSON text. */
  readonly data: string;
  readonly packages: readonly {
    readonly path: string;
    readonly annotations: readonly { readonly scope?: string; readonly title?: string }[];
    readonly rules: readonly {
      readonly name: string;
      readonly places: readonly { readonly file: string; readonly row: number }[];
    }[];
  }[];
}

/** One step of a traced evaluation. */
export interface TraceStep {
  readonly op: string;
  readonly query: number;
  readonly parent: number;
  readonly file?: string;
  readonly row?: number;
  readonly kind: 'rule' | 'body' | 'expr' | '';
  readonly node: string;
  readonly text?: string;
  readonly locals?: Readonly<Record<string, string>>;
}

/** What partial evaluation leaves of one rule set: alternatives, any of which suffices, and the rules that they refer to. */
export interface RuleResidue {
  readonly query: string;
  readonly outcome: 'never' | 'always' | 'residual' | 'error';
  readonly residual?: readonly { readonly text: string; readonly ast?: unknown }[];
  readonly support?: readonly { readonly text: string; readonly ast?: unknown }[];
  readonly errors?: readonly { readonly message: string }[];
}
