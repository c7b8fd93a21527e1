import type { Redaction } from '../model/decision.ts';
import type { Identity } from '../model/identity.ts';
import type { Digest } from '../model/ids.ts';
import type { Finding, ToolFacts } from '../model/input.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { ActiveRelease, ApprovalBook, AuditLog } from '../model/ports.ts';
import type { EndpointView } from '../upstream/endpoint.ts';
import type { Upstreams } from '../upstream/types.ts';
import type { History } from './history.ts';
import type { InputPlans } from './input-plan.ts';
import type { LimitCounter } from './limits.ts';
import type { ListAnswers } from './list-answers.ts';
import type { Strays } from './strays.ts';
import type { TaskBook } from './task-book.ts';

/** A document after its redactions; `pointers` are the places that are not what they were. */
export interface Redacted {
  readonly document: JsonObject;
  readonly changed: number;
  readonly pointers: readonly string[];
}

/** Finds and changes what must not go on; supplied by the content room. */
export interface Content {
  scan(value: Json, rootPointer: string): readonly Finding[];
  /**
   * The document with the redactions applied and no copy of what they removed left anywhere in it; the document itself is not changed.
   * @throws Error when a redaction cannot be applied safely: the caller then refuses or withholds
   */
  redact(document: JsonObject, redactions: readonly Redaction[]): Redacted;
}

/** What the stages tell the outside: counters and timings, never contents. */
export interface Observer {
  decided(method: string, effect: string, upstream: string, decisionMs: number): void;
  /** A decision was made that is not enforced. */
  observed?(effect: string): void;
  fault(fault: string, release: string, rule: string | undefined): void;
  refused(code: string): void;
  finished(method: string, upstream: string, totalMs: number, upstreamMs: number): void;
  /** @param step what was done in it, for a stage that does several things or none */
  stage(name: Stage, elapsedMs: number, step?: ActStep): void;
  auditFailed(error: unknown): void;
  /** A fault whose cause only the log may hold. */
  failed(callId: string, error: unknown): void;
}

/** The stages of a call whose time is kept apart. */
export type Stage =
  | 'receive'
  | 'authenticate'
  | 'resolve'
  | 'build-input'
  | 'decide'
  | 'record-decision'
  | 'act'
  | 'send'
  | 'inspect'
  | 'record-finish'
  | 'reply';

/** What stage 7 may have to do: change arguments, file a held call, wait for people, spend their approval. Most calls need none of it. */
export type ActStep = 'redact' | 'hold' | 'wait' | 'spend';

/** Settings of the calls, from the configuration; a reload swaps the whole object. */
export interface CallSettings {
  /** Endpoints whose decisions are recorded and not enforced; absent: none. */
  readonly observedEndpoints?: ReadonlySet<string> | undefined;
  readonly environmentJson: string;
  /** Inputs up to this size are kept, sealed, beside their records; 0: none. */
  readonly keepInputBytes: number;
  readonly decisionDeadlineMs: number;
  readonly callTimeoutMs: number;
  readonly approvalWaitMs: number;
  readonly maxCallsInFlight: number;
  /** How long an agent may take to answer what an upstream asks it. */
  readonly questionTimeoutMs: number;
  /** What the gateway calls itself toward agents: `serverInfo` of the initialize result. */
  readonly serverInfo: JsonObject;
}

/** Everything that the stages need from other rooms; `app.ts` joins them. */
export interface Parts {
  readonly release: () => ActiveRelease | undefined;
  readonly endpoint: (name: string) => EndpointView | undefined;
  readonly upstreams: Pick<Upstreams, 'session' | 'release' | 'isStill'>;
  readonly audit: AuditLog;
  /** A digest as records and history show it: nobody without the key can try out what it was made of. */
  readonly keyedDigest: (digest: Digest) => string;
  readonly approvals: ApprovalBook;
  readonly content: () => Content;
  readonly history: History;
  readonly plans: InputPlans;
  readonly limits: LimitCounter;
  readonly lists: ListAnswers;
  readonly tasks: TaskBook;
  readonly strays: Pick<Strays, 'take'>;
  /**
   * Gives the definitions as one list shows them: narrowed to arguments that policy does not refuse anyhow. It never waits: what is not
   * known yet is shown as it is. Absent: nothing is narrowed. Calls are judged all the same.
   */
  readonly narrow?: (listing: {
    readonly release: ActiveRelease;
    readonly identity: Identity;
    readonly environmentJson: string;
  }) => ((facts: ToolFacts, definition: JsonObject) => JsonObject) | undefined;
  readonly observer: Observer;
  readonly settings: () => CallSettings;
  readonly now: () => number;
}
