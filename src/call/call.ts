import type { ActiveRelease } from '../model/ports.ts';
import type { Digest, CallId } from '../model/ids.ts';
import type { Identity } from '../model/identity.ts';
import type { ItemFacts, Target, ToolFacts } from '../model/input.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { Phase } from '../model/decision.ts';
import type { EndpointView } from '../upstream/endpoint.ts';
import type { Question } from './question.ts';
import type { Session } from './session.ts';

/** What the transport knows about one message, before anything is looked up. */
export interface Arrival {
  readonly receivedAtMs: number;
  readonly ip: string;
  readonly userAgent: string;
  readonly traceId: string | undefined;
  /** Bytes of the body as it arrived. */
  readonly bytes: number;
  /** Headers `mcp-param-*` in lower case, where the era has them and they must agree with the arguments. */
  readonly paramHeaders?: Readonly<Record<string, string>>;
}

/** State captured once per call: a call never sees half of a change. */
export interface Snapshot {
  readonly release: ActiveRelease | undefined;
  readonly endpoint: EndpointView;
}

/** One governed message: it gains facts at each stage and loses none. */
export interface Call {
  readonly id: CallId;
  readonly arrival: Arrival;
  readonly session: Session;
  readonly identity: Identity;
  readonly snapshot: Snapshot;
  readonly phase: Phase;
  readonly method: string;
  readonly target: Target;
  readonly tool: ToolFacts | undefined;
  /** Of a listed resource, template or prompt. */
  readonly item?: ItemFacts | undefined;
  /** How the agent asked that the call goes on as a task; absent where it did not. */
  readonly task?: JsonObject;
  /** Of an agent's answer: what it answers. */
  readonly question?: Question;
  /** What policy sees as `arguments`. */
  readonly subject: JsonObject;
  readonly subjectDigest: Digest;
}

/** Where messages go that belong to a call and come before its answer. */
export interface AgentChannel {
  /** Sends one JSON-RPC message; gives false where the agent cannot be reached any more or never could. */
  send(message: JsonObject): boolean;
}

/** What the agent gets in the end. */
export type Answer = { readonly result: JsonObject } | { readonly error: JsonObject };

/** JSON value of a member, `undefined` where the object or the member is missing. */
export function member(object: JsonObject | undefined, key: string): Json | undefined {
  return object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
}
