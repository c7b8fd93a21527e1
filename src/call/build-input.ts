import type { Entrypoint, Phase } from '../model/decision.ts';
import { digestText } from '../model/digest.ts';
import type { Digest } from '../model/ids.ts';
import type { Identity } from '../model/identity.ts';
import type { ApprovalFact, Finding } from '../model/input.ts';
import type { Json } from '../model/json.ts';
import type { Call } from './call.ts';
import type { HistoryView } from './history.ts';

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

/** JSON of an identity's lasting part, kept as long as the identity object: it is the same for every call of a token. */
const identityJson = new WeakMap<Identity, string>();

/**
 * Builds the one document that policy sees, as JSON text: parts that do not change from call to call are kept as text, which costs a
 * tenth of building objects and serialising them. Only the top-level members that the release can read are put in; `input_digest`
 * covers exactly the text that was evaluated.
 */
export function buildInput(call: Call, parts: InputParts): InputDocument {
  const reads = call.snapshot.release?.reads(parts.entry) ?? null;
  const wants = (key: string): boolean => reads === null || reads.has(key);
  const at = new Date(parts.atMs).toISOString();
  let json = `{"version":1,"phase":"${parts.phase}","at":"${at}","at_ns":${parts.atMs}000000`;
  if (wants('request')) json += `,"request":${requestJson(call)}`;
  if (wants('identity')) json += `,"identity":${identityText(call.identity, parts.atMs)}`;
  if (wants('target')) json += `,"target":${JSON.stringify(call.target)}`;
  if (call.toolJson !== undefined && wants('tool')) json += `,"tool":${call.toolJson}`;
  if (parts.phase !== 'list' && wants('arguments')) json += `,"arguments":${JSON.stringify(call.subject)}`;
  if (wants('findings')) json += `,"findings":${parts.findings.length === 0 ? '[]' : JSON.stringify(parts.findings)}`;
  if (wants('history')) json += `,"history":[${parts.history.entriesJson}]`;
  if (wants('session')) json += `,"session":${sessionJson(call, parts.history)}`;
  if (wants('usage')) json += `,"usage":${usageJson(parts.history)}`;
  if (wants('approval')) json += `,"approval":${parts.approval === null ? 'null' : JSON.stringify(parts.approval)}`;
  if (parts.result !== undefined && wants('result')) json += `,"result":${JSON.stringify(parts.result)}`;
  if (parts.listJson !== undefined && wants(parts.listJson.key)) json += `,"${parts.listJson.key}":${parts.listJson.json}`;
  if (wants('environment')) json += `,"environment":${parts.environmentJson}`;
  json += '}';
  return { json, digest: digestText(json) };
}

function requestJson(call: Call): string {
  const { arrival, session } = call;
  const trace = arrival.traceId === undefined ? '' : `,"trace_id":${JSON.stringify(arrival.traceId)}`;
  return (
    `{"id":"${call.id}","method":${JSON.stringify(call.method)},"endpoint":${JSON.stringify(session.endpoint)},` +
    `"protocol_version":"${session.protocolVersion}"${trace},"ip":${JSON.stringify(arrival.ip)},"user_agent":${JSON.stringify(arrival.userAgent)}}`
  );
}

function identityText(identity: Identity, atMs: number): string {
  let lasting = identityJson.get(identity);
  if (lasting === undefined) {
    const { issuer, subject, client, kind, tenant, groups, scopes, claims, onBehalfOf } = identity;
    lasting = JSON.stringify({ issuer, subject, client, kind, tenant, groups, scopes, claims, on_behalf_of: onBehalfOf }).slice(0, -1);
    identityJson.set(identity, lasting);
  }
  const ageS = Math.max(0, Math.floor((atMs - identity.auth.issuedAtMs) / 1000));
  return `${lasting},"auth":{"method":"${identity.auth.method}","age_s":${ageS}}}`;
}

function sessionJson(call: Call, history: HistoryView): string {
  const { session } = call;
  return (
    `{"id":${JSON.stringify(session.publicId)},"started_at":"${session.startedAt}","calls":${session.calls},"denied":${session.denied},` +
    `"labels":${history.labels.length === 0 ? '[]' : JSON.stringify(history.labels)}}`
  );
}

function usageJson(history: HistoryView): string {
  return `{"calls_1m":${history.calls1m},"calls_1h":${history.calls1h},"same_call_1m":${history.sameCall1m}}`;
}
