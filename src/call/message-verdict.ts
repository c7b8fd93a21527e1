import type { Decision } from '../model/decision.ts';
import { identityKey } from '../model/identity.ts';
import type { Target } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';
import type { UpstreamMessage } from '../upstream/types.ts';
import { buildInput, type InputParts } from './build-input.ts';
import { member, type Call } from './call.ts';
import { decide, overruled } from './decide.ts';
import { kindOf } from './methods.ts';
import { actedOn, isObserved, unenforced } from './observed.ts';
import type { Parts } from './parts.ts';
import { decidedRecord, makeDurable } from './record.ts';
import type { Within } from './question.ts';
import { callOf } from './resolve.ts';

/** What a message is judged in the name of: the call it belongs to, or the session where it belongs to none. */
export type Origin = Pick<Call, 'session' | 'identity' | 'arrival' | 'snapshot'> & Partial<Within>;

/** What policy said of a message, and the message as policy left it. */
export interface Verdict {
  readonly decision: Decision;
  readonly params: JsonObject | undefined;
  readonly call: Call;
}

/** Judges one message of an upstream in phase `message` and makes the decision durable before it is delivered. */
export async function judgeMessage(parts: Parts, origin: Origin, upstream: string, message: UpstreamMessage): Promise<Verdict> {
  const { session, identity, arrival } = origin;
  const snapshot = { release: parts.release(), endpoint: parts.endpoint(session.endpoint) ?? origin.snapshot.endpoint };
  const call = callOf({
    session,
    identity,
    arrival,
    snapshot,
    phase: 'message',
    method: message.method,
    target: targetOf(upstream, message),
    subject: message.params ?? {},
  });
  const nowMs = parts.now();
  const findings = parts.content().scan(call.subject, '/arguments');
  const history = parts.history.look(identityKey(identity), nowMs, session.publicId);
  const { environmentJson, keepInputBytes } = parts.settings();
  const asked: InputParts = { entry: 'gateway/message', phase: 'message', atMs: nowMs, findings, history, approval: null, environmentJson };
  const input = buildInput(parts.plans, call, asked, keepInputBytes);
  let decision = await decide(parts, snapshot.release, 'gateway/message', input);
  if (decision.effect === 'require_approval')
    decision = overruled(decision, {
      rule: 'gateway/message',
      effect: 'deny',
      message: 'a message of an upstream cannot wait for approval',
    });
  let params = message.params;
  if (decision.redactions.length > 0 && decision.effect !== 'deny') {
    try {
      params = parts.content().redact({ arguments: call.subject }, decision.redactions).document['arguments'] as JsonObject;
    } catch (error) {
      parts.observer.failed(call.id, error);
      decision = overruled(decision, {
        rule: 'gateway/redaction',
        effect: 'deny',
        message: 'a redaction that policy asks for cannot be applied to this message',
      });
    }
  }
  if (isObserved(parts, session.endpoint)) {
    decision = unenforced(decision);
    if (decision.enforced === false) params = message.params;
    parts.observer.observed?.(decision.effect);
  }
  await makeDurable(parts, decidedRecord(call, decision, parts.now()), input);
  parts.observer.decided(call.method, decision.effect, upstream, decision.tookMs);
  return { decision: actedOn(decision), params, call };
}

/** What a message of an upstream is about: its resource, or its method. */
export function targetOf(upstream: string, message: UpstreamMessage): Target {
  const uri = member(message.params, 'uri');
  return { kind: kindOf(message.method), server: upstream, name: typeof uri === 'string' ? uri : message.method };
}
