import { GatewayError } from '../model/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { callFault } from '../upstream/faults.ts';
import type { UpstreamReply } from '../upstream/types.ts';
import type { Answer, Call } from './call.ts';
import { missingCapability, requiredCapabilities } from './client-needs.ts';
import { judgeMessage } from './message-verdict.ts';
import { clientCapability } from './methods.ts';
import type { Parts } from './parts.ts';
import { refusal } from './reply.ts';

/** What an upstream asks in a result, judged; or the answer that the agent gets in its place. */
export type AskedInputs =
  | { readonly requests: Readonly<Record<string, JsonObject>>; readonly state: string | undefined }
  | { readonly answer: Answer; readonly status: 'denied' };

/** Questions in one result at most. */
const maxRequests = 32;
/** The calls that may be answered with questions; what a task ended with is the answer to one. */
const askable: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read', 'tasks/result']);

/** The error with which a server of 2025-11-25 says that a person has to go somewhere first. */
const urlRequired = -32042;

/**
 * The questions of an error that says that a person has to go somewhere first, in the form of a result that asks for it: 2026-07-28 knows no
 * such error. `undefined` for any other error.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation#url-elicitation-required-error
 */
export function asksByError(error: JsonObject): JsonObject | undefined {
  const data = error['data'];
  const places = error['code'] === urlRequired && isJsonObject(data) ? data['elicitations'] : undefined;
  if (!Array.isArray(places) || places.length === 0) return undefined;
  const asked = (places as readonly Json[]).map((params, at) => [`url-${String(at)}`, { method: 'elicitation/create', params }] as const);
  return { inputRequests: Object.fromEntries(asked) };
}

/**
 * Judges each question of an `input_required` result in phase `message`. Of the result nothing else goes on. A question that policy refuses
 * ends the call: the upstream cannot go on without it.
 * @throws GatewayError `upstream.protocol`, `client.capability`
 */
export async function askedByResult(parts: Parts, call: Call, upstream: string, result: JsonObject): Promise<AskedInputs> {
  const broken = (why: string): GatewayError => callFault('upstream.protocol', upstream, why);
  const { inputRequests = {}, requestState } = result;
  if (!askable.has(call.method)) throw broken(`it asked back on \`${call.method}\``);
  if (!isJsonObject(inputRequests) || (requestState !== undefined && typeof requestState !== 'string'))
    throw broken('its questions are not well-formed');
  const entries = Object.entries(inputRequests);
  if (entries.length > maxRequests) throw broken(`it asked ${String(entries.length)} questions at once`);
  if (entries.length === 0 && requestState === undefined) throw broken('it asked for input without a question');
  const requests: Record<string, JsonObject> = {};
  for (const [key, request] of entries) {
    const method = isJsonObject(request) ? request['method'] : undefined;
    const params = isJsonObject(request) ? (request['params'] ?? {}) : undefined;
    if (typeof method !== 'string' || !Object.hasOwn(clientCapability, method) || !isJsonObject(params))
      throw broken('one of its questions is none that a client answers');
    const missing = missingCapability(call.session.capabilities, method, params);
    if (missing !== undefined)
      throw new GatewayError('client.capability', `the call needs \`${missing.join('.')}\`, which the client did not declare`, {
        detail: { requiredCapabilities: requiredCapabilities(missing) },
      });
    const verdict = await judgeMessage(parts, call, upstream, { kind: 'request', id: key, method, params });
    if (verdict.decision.effect !== 'allow' && verdict.decision.effect !== 'redact')
      return { answer: refusal(call, verdict.decision), status: 'denied' };
    requests[key] = verdict.params === undefined ? { method } : { method, params: verdict.params };
  }
  return { requests, state: requestState };
}

/**
 * An error that sends a person somewhere asks as a question does, wherever the agent gets to see it: each place is judged as one first.
 * @throws GatewayError as {@link askedByResult}
 */
export async function withJudgedPlaces(
  parts: Parts,
  call: Call,
  upstream: string,
  reply: UpstreamReply,
): Promise<{ readonly reply: UpstreamReply } | { readonly answer: Answer; readonly status: 'denied' }> {
  const asking = reply.kind === 'error' ? asksByError(reply.error) : undefined;
  if (reply.kind !== 'error' || asking === undefined) return { reply };
  const asked = await askedByResult(parts, call, upstream, asking);
  if ('answer' in asked) return asked;
  const elicitations = Object.values(asked.requests).map(({ params }) => params ?? {});
  const data = isJsonObject(reply.error['data']) ? reply.error['data'] : {};
  return { reply: { ...reply, error: { ...reply.error, data: { ...data, elicitations } } } };
}
