import type { JsonObject } from '../model/json.ts';

/** One fault with its place, as OPA gives it. */
export interface Fault {
  readonly file?: string;
  /** From 1. */
  readonly row?: number;
  /** In bytes, from 1. */
  readonly col?: number;
  readonly code: string;
  readonly message: string;
  readonly details?: readonly string[];
  readonly hint?: string;
}

/** Files by path, and how they are to be read: what {@link OpaTools} take. */
export interface OpaProgram {
  readonly files: Readonly<Record<string, string>>;
  readonly paths?: readonly string[];
  readonly bundle?: boolean;
  readonly ignore?: readonly string[];
  readonly capabilities?: string;
  readonly schemas?: Readonly<Record<string, string>>;
  readonly data?: string;
  readonly strict?: boolean;
}

export interface RulePlace {
  readonly path: string;
  readonly file: string;
  readonly row: number;
}

/** METADATA of a package or a rule. */
export interface Annotation {
  readonly scope: string;
  readonly title?: string;
  readonly description?: string;
  readonly entrypoint?: boolean;
  readonly custom?: Readonly<Record<string, unknown>>;
}

export interface PackageFacts {
  /** `rules/billing/large_refund`. */
  readonly path: string;
  readonly files: readonly string[];
  readonly annotations: readonly Annotation[];
  readonly rules: readonly { readonly name: string; readonly kind: string; readonly places: readonly RulePlace[] }[];
}

export interface ProgramFacts {
  /** Text of the JSON object `data`. */
  readonly data: string;
  readonly builtins: readonly string[];
  readonly packages: readonly PackageFacts[];
  readonly unreached: readonly RulePlace[];
}

export interface PartialOutcome {
  readonly outcome: 'never' | 'always' | 'residual' | 'error';
  readonly residual?: readonly { readonly ast?: unknown }[];
}

/** OPA's tools, as far as the workshop uses them; `Opa` of the room `rego` has them all. Each throws a GatewayError that names the places. */
export interface OpaTools {
  analyse(query: OpaProgram & { readonly entrypoints: readonly string[] }): Promise<ProgramFacts>;
  parse(file: string, text: string, query?: { readonly locations?: boolean }): Promise<unknown>;
  partial(
    query: OpaProgram & {
      readonly unknowns: readonly string[];
      readonly cases: readonly { readonly queries: readonly string[] }[];
      readonly ast?: boolean;
    },
  ): Promise<readonly (readonly PartialOutcome[])[]>;
  eval(
    query: OpaProgram & { readonly query: string; readonly input?: string; readonly nowNs?: bigint },
  ): Promise<{ readonly result: string }>;
  builtin(query: { readonly name: string; readonly args: readonly string[] }): Promise<string | undefined>;
}

/** The text of a policy repository, under the names that messages show. */
export interface PolicyRepository {
  /** As shown, with forward slashes: `policies`. */
  readonly policyFolder: string;
  readonly testsFolder: string;
  /** Paths inside the policy folder: Rego and data. */
  readonly files: Readonly<Record<string, string>>;
  /** Paths inside the folder of tests: Rego and data. */
  readonly tests: Readonly<Record<string, string>>;
  /** Golden cases, inside the folder of tests. */
  readonly cases: Readonly<Record<string, string>>;
  readonly schemas: Readonly<Record<string, string>>;
  readonly capabilities: string | undefined;
}

/** What a rule file or a golden case says, parsed. */
export type Document = JsonObject;
