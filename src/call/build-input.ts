import type { Entrypoint, Phase } from '../model/decision.ts';
import { digestText } from '../model/digest.ts';
import type { Digest } from '../model/ids.ts';
import type { Identity } from '../model/identity.ts';
import type { ApprovalFact, Finding } from '../model/input.ts';
import { isoTime } from '../model/iso-time.ts';
import type { Json } from '../model/json.ts';
import type { KeptInput } from '../model/kept-input.ts';
import type { ActiveRelease } from '../model/ports.ts';
import type { Call } from './call.ts';
import type { HistoryView } from './history.ts';
import type { InputPlan, InputPlans } from './input-plan.ts';
import { requestJson, sessionJson, targetJson, usageJson } from './input-members.ts';
import { wholeInput, type InputTexts } from './whole-input.ts';

/** The document as it is evaluated. */
export interface InputDocument {
  readonly json: string;
  /** Of the text that is evaluated; empty where the whole is certainly kept, since the audit log then puts in a digest of that. */
  readonly digest: Digest;
  /** The whole input, to be sealed with the record; absent where inputs are not kept or this one is too large. */
  readonly kept?: KeptInput;
  /** Where `kept` is not the whole input, or not there although inputs are kept. */
  readonly state?: 'masked' | 'dropped' | 'too_large';
  /** What policy's mask is asked before it is kept; absent where it has nothing to say. */
  readonly mask?: { readonly release: ActiveRelease; readonly json: string };
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
 * tenth of building objects and serialising them. Only what the release can read is put in; what is kept for the record is the whole.
 * @param keepBytes inputs up to this size are kept; 0: none
 */
export function buildInput(plans: InputPlans, call: Call, parts: InputParts, keepBytes = 0): InputDocument {
  const plan = plans.of(call.snapshot.release?.reads(parts.entry));
  const texts: InputTexts = {
    target: targetJson(call.target),
    findings: parts.findings.length === 0 ? '[]' : JSON.stringify(parts.findings),
    usage: usageJson(parts.history),
    approval: parts.approval === null ? 'null' : JSON.stringify(parts.approval),
  };
  let json = `{"version":1,"phase":"${parts.phase}","at_ns":${parts.atMs}000000`;
  if (plan.wants('at')) json += `,"at":"${isoTime(parts.atMs)}"`;
  if (plan.wants('request')) json += `,"request":${requestJson(plan, call)}`;
  if (plan.wants('identity')) json += `,"identity":${identityText(plan, call.identity, parts.atMs)}`;
  if (plan.wants('target')) json += `,"target":${texts.target}`;
  const { tool } = call;
  if (tool !== undefined && plan.wants('tool')) json += `,"tool":${plan.text('tool', tool, () => ({ ...tool }))}`;
  const { item } = call;
  if (item !== undefined && plan.wants('item')) json += `,"item":${plan.text('item', item, () => ({ ...item }))}`;
  if (parts.phase !== 'list' && plan.wants('arguments')) json += `,"arguments":${(texts.arguments = JSON.stringify(call.subject))}`;
  if (plan.wants('findings')) json += `,"findings":${texts.findings}`;
  if (plan.wants('history')) json += `,"history":[${parts.history.entriesJson()}]`;
  if (plan.wants('session')) json += `,"session":${sessionJson(plan, call, parts.history)}`;
  if (plan.wants('usage')) json += `,"usage":${texts.usage}`;
  if (plan.wants('approval')) json += `,"approval":${texts.approval}`;
  if (parts.result !== undefined && plan.wants('result')) json += `,"result":${(texts.result = JSON.stringify(parts.result))}`;
  if (parts.listJson !== undefined && plan.wants(parts.listJson.key)) json += `,"${parts.listJson.key}":${parts.listJson.json}`;
  if (plan.wants('environment')) json += `,"environment":${plan.environment(parts.environmentJson)}`;
  json += '}';
  const kept = keepBytes > 0 ? wholeInput(plans, call, parts, texts, keepBytes) : undefined;
  if (kept === undefined) return { json, digest: digestText(json), ...(keepBytes > 0 ? { state: 'too_large' } : {}) };
  const { release } = call.snapshot;
  if (release === undefined || release.maskMatters?.(parts.findings.length > 0) === false) return { json, digest: '' as Digest, kept };
  return {
    json,
    digest: digestText(json),
    kept,
    mask: { release, json: buildInput(plans, call, { ...parts, entry: 'gateway/mask' }).json },
  };
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
