import type { Decision } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import { whoIsNeeded, type Approval } from '../model/approval.ts';
import type { JsonObject } from '../model/json.ts';
import type { Answer, Call } from './call.ts';
import { wordsFor } from './decide.ts';

/** Name of the `_meta` member under which an agent finds the decision's id and effect. */
export const metaKey = 'castellan/decision';

/** The refusal of a call: for `tools/call` a tool result that the model can read, for every other method a JSON-RPC error. */
export function refusal(call: Call, decision: Decision): Answer {
  const words = `denied by policy: ${wordsFor(decision)}`;
  const code = decision.fault === undefined ? 'policy.denied' : 'policy.fault';
  return refuse(call, code, words, { id: call.id, effect: 'deny', reasons: shownReasons(decision) });
}

/** What an agent is told whose call waits for a human: what is needed, the id, and what to do then. */
export function heldAnswer(call: Call, decision: Decision, approval: Approval): Answer {
  const words =
    `held for approval: ${wordsFor(decision)}. approval \`${approval.id}\` waits for ${whoIsNeeded(approval.terms)} until ${new Date(approval.expiresAtMs).toISOString()}; ` +
    'once it is approved, repeat the same call with the same arguments and it is executed once';
  const meta = {
    id: call.id,
    effect: 'require_approval',
    reasons: shownReasons(decision),
    approval: { id: approval.id, state: approval.state, expires_at: new Date(approval.expiresAtMs).toISOString() },
  };
  return refuse(call, 'approval.required', words, meta);
}

/** The result was withheld by policy's judgement on it. */
export function withheld(call: Call, decision: Decision): Answer {
  return refuse(call, 'policy.withheld', `the result was withheld by policy: ${wordsFor(decision)}`, {
    id: call.id,
    effect: 'deny',
    phase: 'result',
    reasons: shownReasons(decision),
  });
}

/**
 * A fault on the way: the upstream's, the store's, or the gateway's own. Nothing of the cause is shown. Where the upstream may have executed
 * the call, that is said; where it did not answer at all, `tools/call` gets a JSON-RPC error too: a tool result would claim that the tool ended.
 */
export function failure(call: Call, error: GatewayError): Answer {
  const meta = { id: call.id, error: error.code };
  // What the client lacks is told in the protocol's own words, so that it can find it there.
  if (error.code === 'client.capability') return rpcError(error.code, error.message, meta, error.detail as JsonObject | undefined);
  if (!mayHaveRun(error)) return refuse(call, error.code, error.message, meta);
  const words = `${error.message}; it may have executed this call`;
  const known = { ...meta, may_have_run: true };
  return error.code === 'upstream.unreachable' ? rpcError(error.code, words, known) : refuse(call, error.code, words, known);
}

/** Whether the upstream may have executed the call although its answer did not come. */
export function mayHaveRun(error: GatewayError): boolean {
  return error.detail?.['may_have_run'] === true;
}

/** Faults of the request as such: no tool ended with them. */
const protocolErrors: ReadonlySet<GatewayError['code']> = new Set(['rpc.params', 'target.unknown', 'state.invalid']);

function refuse(call: Call, code: GatewayError['code'], words: string, meta: JsonObject): Answer {
  if (call.method === 'tools/call' && !protocolErrors.has(code)) {
    return { result: { content: [{ type: 'text', text: words }], isError: true, _meta: { [metaKey]: meta } } };
  }
  return rpcError(code, words, meta);
}

function rpcError(code: GatewayError['code'], words: string, meta: JsonObject, more: JsonObject = {}): Answer {
  return { error: { code: new GatewayError(code, words).rpcCode, message: words, data: { ...more, [metaKey]: meta } } };
}

function shownReasons(decision: Decision): JsonObject[] {
  if (decision.fault !== undefined) return [{ rule: `gateway/${decision.fault}`, message: wordsFor(decision) }];
  return decision.reasons
    .filter((reason) => reason.effect === decision.effect)
    .map(({ rule, message, hint }) => (hint === undefined ? { rule, message } : { rule, message, hint }));
}

/** The upstream's result with the decision's id in `_meta`. */
export function stamped(result: JsonObject, call: Call, effect: string): JsonObject {
  const meta = result['_meta'];
  const own = { [metaKey]: { id: call.id, effect } };
  return {
    ...result,
    _meta: typeof meta === 'object' && meta !== null && !Array.isArray(meta) ? { ...(meta as JsonObject), ...own } : own,
  };
}
