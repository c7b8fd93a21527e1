import type { Entrypoint, Phase } from '../model/decision.ts';
import { digestText } from '../model/digest.ts';
import type { Digest } from '../model/ids.ts';
import type { Identity } from '../model/identity.ts';
import type { ApprovalFact, Finding } from '../model/input.ts';
import type { Json } from '../model/json.ts';
import type { Call } from './call.ts';
import type { HistoryView } from './history.ts';
import type { InputPlan, InputPlans } from './input-plan.ts';

/** The document as it is evaluated: its JSON text and the digest of that text. */
export interface InputDocument {
  readonly json: string;
  readonly digest: Digest;
}

/** Facts of an input beside those of the call itself. */
export interface InputParts {
  readonly entry: Entrypoint;
  readonly phase: Phase;
  readonly atMs: number;
  readonly findings: readonly Finding[];
  readonly history: HistoryView;
  readonly approval: ApprovalFact | null;
  readonly result?: Json;
  /** JSON of `tools` or `items`, for phase list. */
  readonly listJson?: { readonly key: 'tools' | 'items'; readonly json: string };
  readonly environmentJson: string;
}

/**
 * Builds the one document that policy sees, as JSON text: parts that do not change from call to call are kept as text, which costs a
 * tenth of building objects and serialising them. Only what the release can read is put in; `input_digest` covers exactly the text that
 * was evaluated.
 */
export function buildInput(plans: InputPlans, call: Call, parts: InputParts): InputDocument {
  const plan = plans.of(call.snapshot.release?.reads(parts.entry));
  let json = `{"version":1,"phase":"${parts.phase}","at_ns":${parts.atMs}000000`;
  if (plan.wants('at')) json += `,"at":"${new Date(parts.atMs).toISOString()}"`;
  if (plan.wants('request')) json += `,"request":${requestJson(plan, call)}`;
  if (plan.wants('identity')) json += `,"identity":${identityText(plan, call.identity, parts.atMs)}`;
  if (plan.wants('target')) json += `,"target":${targetJson(call.target)}`;
  const { tool } = call;
  if (tool !== undefined && plan.wants('tool')) json += `,"tool":${plan.text('tool', tool, () => ({ ...tool }))}`;
  if (parts.phase !== 'list' && plan.wants('arguments')) json += `,"arguments":${JSON.stringify(call.subject)}`;
  if (plan.wants('findings')) json += `,"findings":${parts.findings.length === 0 ? '[]' : JSON.stringify(parts.findings)}`;
  if (plan.wants('history')) json += `,"history":[${parts.history.entriesJson()}]`;
  if (plan.wants('session')) json += `,"session":${sessionJson(plan, call, parts.history)}`;
  if (plan.wants('usage')) json += `,"usage":${usageJson(parts.history)}`;
  if (plan.wants('approval')) json += `,"approval":${parts.approval === null ? 'null' : JSON.stringify(parts.approval)}`;
  if (parts.result !== undefined && plan.wants('result')) json += `,"result":${JSON.stringify(parts.result)}`;
  if (parts.listJson !== undefined && plan.wants(parts.listJson.key)) json += `,"${parts.listJson.key}":${parts.listJson.json}`;
  if (plan.wants('environment')) json += `,"environment":${plan.environment(parts.environmentJson)}`;
  json += '}';
  return { json, digest: digestText(json) };
}

function requestJson(plan: InputPlan, call: Call): string {
  const { arrival, session } = call;
  let json = `{"method":${JSON.stringify(call.method)}`;
  if (plan.wantsMember('request', 'id')) json += `,"id":"${call.id}"`;
  if (plan.wantsMember('request', 'endpoint')) json += `,"endpoint":${JSON.stringify(session.endpoint)}`;
  if (plan.wantsMember('request', 'protocol_version')) json += `,"protocol_version":"${session.protocolVersion}"`;
  if (arrival.traceId !== undefined && plan.wantsMember('request', 'trace_id')) json += `,"trace_id":${JSON.stringify(arrival.traceId)}`;
  if (plan.wantsMember('request', 'ip')) json += `,"ip":${JSON.stringify(arrival.ip)}`;
  if (plan.wantsMember('request', 'user_agent')) json += `,"user_agent":${JSON.stringify(arrival.userAgent)}`;
  return `${json}}`;
}

function targetJson({ kind, server, name }: Call['target']): string {
  return `{"kind":"${kind}","server":${JSON.stringify(server)},"name":${JSON.stringify(name)}}`;
}

function identityText(plan: InputPlan, identity: Identity, atMs: number): string {
  const lasting = plan.text('identity', identity, () => {
    const { issuer, subject, client, kind, tenant, groups, scopes, claims, onBehalfOf } = identity;
    return { issuer, subject, client, kind, tenant, groups, scopes, claims, on_behalf_of: onBehalfOf };
  });
  if (!plan.wantsMember('identity', 'auth')) return lasting;
  const ageS = Math.max(0, Math.floor((atMs - identity.auth.issuedAtMs) / 1000));
  const auth = `"auth":{"method":"${identity.auth.method}","age_s":${ageS}}}`;
  return lasting === '{}' ? `{${auth}` : `${lasting.slice(0, -1)},${auth}`;
}

function sessionJson(plan: InputPlan, call: Call, history: HistoryView): string {
  const { session } = call;
  let json = `{"labels":${history.labels.length === 0 ? '[]' : JSON.stringify(history.labels)}`;
  if (plan.wantsMember('session', 'id')) json += `,"id":${JSON.stringify(session.publicId)}`;
  if (plan.wantsMember('session', 'started_at')) json += `,"started_at":"${session.startedAt}"`;
  if (plan.wantsMember('session', 'calls')) json += `,"calls":${session.calls}`;
  if (plan.wantsMember('session', 'denied')) json += `,"denied":${session.denied}`;
  return `${json}}`;
}

function usageJson(history: HistoryView): string {
  return `{"calls_1m":${history.calls1m},"calls_1h":${history.calls1h},"same_call_1m":${history.sameCall1m}}`;
}
