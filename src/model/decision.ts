import type { Digest, ReleaseId } from './ids.ts';

/** What policy answers, strongest first. */
export type Effect = 'deny' | 'require_approval' | 'redact' | 'allow';
export const effects: readonly Effect[] = ['deny', 'require_approval', 'redact', 'allow'];

/** Which document policy is asked about. */
export type Phase = 'call' | 'result' | 'list' | 'message';

/** A policy entrypoint, as it is named in the compiled module. */
export type Entrypoint = 'gateway/call' | 'gateway/result' | 'gateway/message' | 'gateway/list' | 'gateway/mask';
export const entrypoints: readonly Entrypoint[] = ['gateway/call', 'gateway/result', 'gateway/message', 'gateway/list', 'gateway/mask'];

/** Why: one rule's contribution. `rule` is `topic/rule`, or `gateway/<fault>` where the gateway itself decided. */
export interface Reason {
  readonly rule: string;
  readonly effect: Effect;
  readonly message: string;
  readonly hint?: string;
  readonly severity?: string;
  readonly owner?: string;
}

/** What to change in a value before it goes on. Exactly one of `pointer` and `detector` is there. */
export interface Redaction {
  readonly rule: string;
  /** JSON Pointer from the document's root (`/arguments/…`, `/result/…`); a `*` step matches any one key or index. */
  readonly pointer?: string;
  /** A detector's name or a prefix of it that ends in `*`. */
  readonly detector?: string;
  readonly as: 'mask' | 'hash' | 'drop' | 'replace';
  readonly with?: string;
}

/**
 * What an approval needs. All of `rules` are satisfied by it. `groups` are those that satisfy every rule: where several rules ask and share
 * no group it is empty, which never means anybody; `terms` says what each rule asks, and votes are counted by it.
 */
export interface ApprovalTerms {
  readonly groups: readonly string[];
  readonly quorum: number;
  readonly expires_s: number;
  readonly allow_self?: boolean;
  readonly rules?: readonly string[];
  readonly terms?: readonly RuleTerms[];
}

/** What one rule asks of an approval: `quorum` different principals, each in one of `groups` when they vote. */
export interface RuleTerms {
  readonly rule: string;
  readonly groups: readonly string[];
  readonly quorum: number;
  readonly expires_s: number;
  readonly allow_self: boolean;
}

/** A counted limit that policy named. */
export interface Limit {
  readonly rule: string;
  readonly key: string;
  readonly max: number;
  readonly per_s: number;
}

/** The document that policy returns for call, result and message, as `policies/schemas/decision.json` has it. */
export interface PolicyAnswer {
  readonly version: 1;
  readonly effect: Effect;
  readonly reasons: readonly Reason[];
  readonly redactions: readonly Redaction[];
  readonly approval?: ApprovalTerms | null;
  readonly labels: readonly string[];
  readonly limits: readonly Limit[];
  readonly dry_run: readonly Reason[];
}

/** What was decided, by which release, on which input. */
export interface Decision {
  readonly effect: Effect;
  readonly reasons: readonly Reason[];
  readonly redactions: readonly Redaction[];
  readonly approval?: ApprovalTerms;
  readonly labels: readonly string[];
  readonly limits: readonly Limit[];
  readonly dryRun: readonly Reason[];
  readonly release: ReleaseId;
  readonly inputDigest: Digest;
  readonly tookMs: number;
  /** Present where the gateway decided because policy could not: the fault's code, for audit and metrics. */
  readonly fault?: PolicyFault;
  /** `false` where the endpoint only observes: this is what would have been done, and the call went on as it came. */
  readonly enforced?: false;
}

/** How an evaluation can fail. Each ends in a deny. */
export type PolicyFault = 'undefined' | 'malformed' | 'error' | 'timeout' | 'memory' | 'overload' | 'no_release';
