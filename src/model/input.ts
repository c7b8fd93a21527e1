import type { Phase } from './decision.ts';
import type { Json, JsonObject } from './json.ts';

export type TargetKind =
  | 'tool'
  | 'resource'
  | 'prompt'
  | 'completion'
  | 'sampling'
  | 'elicitation'
  | 'roots'
  | 'logging'
  | 'task'
  | 'notification'
  | 'protocol'
  | 'unknown';

/** What a call is about. `server` is the upstream's configured name, or `null` where the gateway itself answers. */
export interface Target {
  readonly kind: TargetKind;
  readonly server: string | null;
  readonly name: string;
}

/** The facts on a tool that policy sees. Annotations are the upstream's claim; labels and pin are the configuration's. */
export interface ToolFacts {
  readonly server: string;
  readonly name: string;
  readonly exposed_name: string;
  readonly title?: string;
  readonly annotations: JsonObject;
  readonly labels: readonly string[];
  readonly definition_digest: string;
  readonly pinned: boolean;
  /** What a scan of its definition found; pointers are from the definition's root. The gateway always sends it. */
  readonly findings?: readonly Finding[];
}

/** The facts on a listed resource, template or prompt that policy sees. */
export interface ItemFacts {
  readonly kind: 'resource' | 'prompt';
  readonly server: string;
  /** The resource's URI, the template, or the prompt's name at its server. */
  readonly name: string;
  /** Of a prompt: the name under which agents list it. */
  readonly exposed_name?: string;
  /** What a scan of its definition found; pointers are from the definition's root. Absent where nothing was found. */
  readonly findings?: readonly Finding[];
}

/** Something a detector found, never the value itself. `pointer` is from the input's root. */
export interface Finding {
  readonly detector: string;
  readonly pointer: string;
  readonly count: number;
}

/** One earlier call of the same identity; `effect: null` and `outcome: "pending"` while it is in flight. */
export interface HistoryEntry {
  readonly at: string;
  readonly method: string;
  readonly server: string | null;
  readonly tool: string;
  readonly effect: string;
  readonly outcome: 'ok' | 'error' | 'denied' | 'pending' | 'unknown';
  readonly labels: readonly string[];
  readonly arguments_digest: string;
  readonly same_session: boolean;
}

/** The one document that policy sees; `policies/schemas/input.json` is its schema. */
export interface Input {
  readonly version: 1;
  readonly phase: Phase;
  readonly at: string;
  /** Nanoseconds since the epoch; serialised as an exact integer. */
  readonly at_ns: Json;
  readonly request: {
    readonly id: string;
    readonly method: string;
    readonly endpoint: string;
    readonly protocol_version: string;
    readonly trace_id?: string;
    readonly ip: string;
    readonly user_agent: string;
    /** Where the agent asked that the call goes on as a task (2025-11-25). */
    readonly task?: { readonly ttl?: number };
  };
  readonly identity: {
    readonly issuer: string;
    readonly subject: string;
    readonly client: string;
    readonly kind: 'user' | 'service';
    readonly tenant: string;
    readonly groups: readonly string[];
    readonly scopes: readonly string[];
    readonly claims: JsonObject;
    readonly auth: { readonly method: string; readonly age_s: number };
    readonly on_behalf_of: { readonly issuer: string; readonly subject: string } | null;
  };
  readonly target: Target;
  readonly tool?: ToolFacts;
  /** The listed resource, template or prompt that the call is about. */
  readonly item?: ItemFacts;
  readonly arguments?: Json;
  readonly findings: readonly Finding[];
  readonly history: readonly HistoryEntry[];
  readonly session: {
    readonly id: string;
    readonly started_at: string;
    readonly calls: number;
    readonly denied: number;
    readonly labels: readonly string[];
  };
  readonly usage: { readonly calls_1m: number; readonly calls_1h: number; readonly same_call_1m: number };
  readonly approval: ApprovalFact | null;
  readonly result?: Json;
  /** Phase list: what could be listed. */
  readonly tools?: readonly ToolFacts[];
  readonly items?: readonly ItemFacts[];
  readonly environment: { readonly name: string; readonly labels: JsonObject };
}

/** On the second pass: who approved what, when. */
export interface ApprovalFact {
  readonly id: string;
  readonly state: 'approved';
  readonly rules: readonly string[];
  readonly approved_by: readonly string[];
  readonly approved_at: string;
}
