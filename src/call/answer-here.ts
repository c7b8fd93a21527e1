import type { Decision } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import type { JsonObject } from '../model/json.ts';
import { permitFor } from './act.ts';
import type { Answer, Call } from './call.ts';
import { instructionsFor } from './instructions.ts';
import { judge } from './judge.ts';
import { unsolicited, upstreamSession } from './messages.ts';
import type { MethodRule } from './methods.ts';
import { modernVersion } from './modern-meta.ts';
import type { Parts } from './parts.ts';
import { finishedRecord } from './record.ts';
import { failure, heldAnswer, refusal } from './reply.ts';
import type { Resolved } from './resolve.ts';

/**
 * What the gateway answers itself once policy allows it: how a session opens or a server is discovered, `ping`, what goes to every upstream,
 * and methods that nobody knows.
 */
export async function answerHere(parts: Parts, resolved: Resolved, route: MethodRule['route'] | 'unknown'): Promise<Answer> {
  const { call } = resolved;
  const judged = await judge(parts, call, { track: false });
  const refused =
    judged.decision.effect === 'deny'
      ? refusal(call, judged.decision)
      : judged.held === undefined
        ? undefined
        : heldAnswer(call, judged.decision, judged.held);
  const unknown = (): Answer => failure(call, new GatewayError('rpc.method_unknown', `unknown method \`${call.method}\``));
  // Without a session a method that does not exist must be told from one that is refused: clients go by it.
  const isUnknown = route === 'unknown' && (refused === undefined || call.session.isStateless);
  const failed = isUnknown ? unknown() : refused;
  if (failed === undefined && route === 'every') await toEvery(parts, resolved, 'request', judged.subject, judged.decision);
  const status = failed === undefined ? 'ok' : refused === undefined || judged.held === undefined ? 'denied' : 'held';
  parts.audit.hand(finishedRecord(call, { status, bytes: 0, total_ms: parts.now() - call.arrival.receivedAtMs }, parts.now()));
  if (failed !== undefined) return failed;
  if (call.method !== 'initialize' && call.method !== 'server/discover') return { result: {} };
  const text = await instructionsFor(parts, call);
  const opening = call.method === 'initialize' ? initializeResult(parts, call) : discovery(call);
  return { result: text === undefined ? opening : { ...opening, instructions: text } };
}

/**
 * Sends the same message to each upstream of the endpoint that can take it, a notification only to those that the session has used; an
 * upstream that fails does not fail the others.
 */
export async function toEvery(
  parts: Parts,
  resolved: Resolved,
  kind: 'request' | 'notification',
  subject: JsonObject,
  decision: Decision,
): Promise<void> {
  const { call, outgoing } = resolved;
  const params = outgoing(subject);
  // Who was never spoken to knows nothing that could have changed, and is not to be told of this agent.
  const used = kind === 'notification' ? new Set(call.session.used()) : undefined;
  const upstreams = call.snapshot.endpoint.upstreamsFor(call.method).filter((upstream) => used?.has(upstream) !== false);
  const { callTimeoutMs } = parts.settings();
  const sent = upstreams.map(async (upstream) => {
    const session = upstreamSession(parts, call, upstream);
    const permit = permitFor(upstream, { kind, method: call.method, params }, decision, call.id);
    if (kind === 'notification') await session.notify(permit);
    else
      await session.request(permit, {
        timeoutMs: callTimeoutMs,
        onMessage: (message) => unsolicited(parts, call.session, upstream, message),
      });
  });
  for (const one of await Promise.allSettled(sent)) if (one.status === 'rejected') parts.observer.failed(call.id, one.reason);
}

function initializeResult(parts: Parts, call: Call): JsonObject {
  const { endpoint } = call.snapshot;
  // Each era has tasks of its own, and says so in its own place.
  const { extensions: _modern, ...capabilities } = endpoint.capabilities;
  return {
    protocolVersion: call.session.protocolVersion,
    capabilities,
    serverInfo: parts.settings().serverInfo,
  };
}

/** @see https://modelcontextprotocol.io/specification/2026-07-28/server/discover */
function discovery(call: Call): JsonObject {
  const { endpoint } = call.snapshot;
  const { tasks: _ofSessions, ...capabilities } = endpoint.capabilities;
  return {
    supportedVersions: [modernVersion],
    capabilities,
  };
}
