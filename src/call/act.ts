import type { Approval } from '../model/approval.ts';
import type { Decision } from '../model/decision.ts';
import { digestJson } from '../model/digest.ts';
import { GatewayError } from '../model/errors.ts';
import { principalKey } from '../model/identity.ts';
import type { CallId, Digest } from '../model/ids.ts';
import type { ApprovalFact } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';
import { Permit, type Outgoing } from '../model/permit.ts';
import type { Call } from './call.ts';
import type { Parts } from './parts.ts';
import { questionBinding, type Question } from './question.ts';

/** Mints the permit of a recorded decision; a decision that refuses or holds gives none. */
export function permitFor(upstream: string, message: Outgoing, decision: Decision, callId: CallId): Permit {
  return Permit.mint(upstream, message, decision, callId);
}

/** The gateway's own word to an upstream that its request is refused: it carries nothing of an agent's. */
export function refusalPermit(
  upstream: string,
  to: string | number,
  message: string,
  code: number,
  decision: Decision,
  callId: CallId,
): Permit {
  const own: Decision = {
    ...decision,
    effect: 'allow',
    reasons: [{ rule: 'gateway/refusal', effect: 'allow', message: 'a refusal by the gateway' }],
  };
  return Permit.mint(upstream, { kind: 'reply', to, error: { code, message } }, own, callId);
}

/**
 * What an approval is bound to: who asks, the very tool definition, the arguments and the release; of an answer also the question and the
 * call that asked it. Anything else needs another approval.
 */
export function bindingOf(call: Call): Digest {
  const { identity, session, target, tool, snapshot } = call;
  return digestJson({
    tenant: identity.tenant,
    issuer: identity.issuer,
    subject: identity.subject,
    client: identity.client,
    endpoint: session.endpoint,
    method: call.method,
    server: target.server,
    name: target.name,
    definition: tool?.definition_digest ?? null,
    arguments: call.subjectDigest,
    // Policy sees how long a task is asked to be kept, so what was approved for a day is not approved for a year.
    ...(call.task === undefined ? {} : { task: call.task }),
    ...(call.question === undefined ? {} : { question: questionBinding(call.question) }),
    release: snapshot.release?.digest ?? null,
  });
}

/** An approved approval as policy sees it on the second pass. */
export function approvalFact(approval: Approval): ApprovalFact {
  const votes = approval.votes.filter((vote) => vote.vote === 'approve');
  return {
    id: approval.id,
    state: 'approved',
    rules: approval.terms.rules ?? approval.reasons.filter((reason) => reason.effect === 'require_approval').map((reason) => reason.rule),
    approved_by: votes.map((vote) => vote.by),
    approved_at: new Date(Math.max(...votes.map((vote) => vote.atMs))).toISOString(),
  };
}

/** Longest time that an approval may wait, whatever a rule says. */
const maxApprovalS = 86_400;

/** Files the held call. What the approver sees is `shown`: the arguments as they would be sent, secrets masked. */
export function park(parts: Parts, call: Call, decision: Decision, binding: Digest, shown: JsonObject): Promise<Approval> {
  const terms = decision.approval;
  if (terms === undefined) throw new GatewayError('policy.fault', 'policy asks for approval without saying whose');
  const nowMs = parts.now();
  const { issuer, subject, client, tenant } = call.identity;
  return parts.approvals.open({
    tenant,
    binding,
    requesterPrincipal: principalKey(call.identity),
    requester: { issuer, subject, client },
    endpoint: call.session.endpoint,
    server: call.target.server ?? '',
    tool: call.target.name,
    arguments: call.question === undefined ? shown : { question: askedWords(parts, call.question), answer: shown },
    reasons: decision.reasons,
    terms,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + Math.min(terms.expires_s, maxApprovalS) * 1000,
  });
}

/** A question as people see it who approve its answer: nobody can approve a yes without it. */
function askedWords(parts: Parts, { asked: { method, params } }: Question): JsonObject {
  return params === undefined ? { method } : { method, params: masked(parts, params) };
}

/** What an approver is shown: secrets never appear in an inbox, whatever the rules redact. */
export function masked(parts: Parts, subject: JsonObject): JsonObject {
  const { document } = parts.content().redact({ arguments: subject }, [{ rule: 'gateway/approval', detector: 'secret.*', as: 'mask' }]);
  return document['arguments'] as JsonObject;
}
