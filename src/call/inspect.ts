import type { AuditOutcome } from '../model/audit-record.ts';
import type { Decision } from '../model/decision.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { UpstreamReply } from '../upstream/types.ts';
import { buildInput, type InputDocument } from './build-input.ts';
import type { Answer, Call } from './call.ts';
import { decide, overruled } from './decide.ts';
import type { HistoryView } from './history.ts';
import { maskedInput } from './masked-input.ts';
import { isObserved, unenforced } from './observed.ts';
import type { Parts } from './parts.ts';
import { stamped, withheld } from './reply.ts';

/** What came back, judged: what the agent gets, and what the records say of it. */
export interface Inspected {
  readonly answer: Answer;
  readonly judged: Decision | undefined;
  /** What `judged` was decided on. */
  readonly input?: InputDocument;
  readonly status: AuditOutcome['status'];
  readonly redacted: number;
  readonly labels: readonly string[];
}

/**
 * Stage 9: detectors, then `gateway/result` judges what came back, errors included. The answer is held whole until then. Where the
 * release provably has nothing to say on this tool's results and detectors found nothing, policy is not asked.
 */
export async function inspect(
  parts: Parts,
  call: Call,
  decision: Decision,
  reply: UpstreamReply,
  history: HistoryView,
): Promise<Inspected> {
  const subject: JsonObject = reply.kind === 'result' ? reply.result : { error: reply.error };
  const findings = parts.content().scan(subject, '/result');
  const { release } = call.snapshot;
  const { tool } = call;
  // The proof is about results of the tool itself, not about states of a task that it was called as.
  if (tool !== undefined && call.target.kind === 'tool' && release?.resultMatters?.(tool, findings.length > 0) === false)
    return passed(call, decision, reply, subject, undefined, 0);
  const { environmentJson, keepInputBytes } = parts.settings();
  const asked = buildInput(
    parts.plans,
    call,
    { entry: 'gateway/result', phase: 'result', atMs: parts.now(), findings, history, approval: null, result: subject, environmentJson },
    keepInputBytes,
  );
  const decided = await decide(parts, release, 'gateway/result', asked);
  const observed = isObserved(parts, call.session.endpoint);
  const judged = observed ? unenforced(decided) : decided;
  const input = asked.mask === undefined ? asked : await maskedInput(parts, asked);
  if (judged.enforced === false) return { ...passed(call, decision, reply, subject, judged, 0), input };
  // Approval has no meaning for what already happened: an answer that asks for it withholds.
  if (judged.effect === 'deny' || judged.effect === 'require_approval') return { ...held(call, judged), input };
  if (judged.redactions.length === 0) return { ...passed(call, decision, reply, subject, judged, 0), input };
  try {
    const { document, changed } = parts.content().redact({ result: subject }, judged.redactions);
    return { ...passed(call, decision, reply, document['result'] as JsonObject, judged, changed), input };
  } catch (error) {
    parts.observer.failed(call.id, error);
    const message = 'a redaction that policy asks for cannot be applied to this result';
    return { ...held(call, overruled(judged, { rule: 'gateway/redaction', effect: 'deny', message })), input };
  }
}

function held(call: Call, judged: Decision): Inspected {
  return { answer: withheld(call, judged), judged, status: 'withheld', redacted: 0, labels: judged.labels };
}

function passed(
  call: Call,
  decision: Decision,
  reply: UpstreamReply,
  subject: JsonObject,
  judged: Decision | undefined,
  redacted: number,
): Inspected {
  const labels = judged?.labels ?? [];
  if (reply.kind === 'error') {
    const error = subject['error'];
    return { answer: { error: isJsonObject(error) ? error : {} }, judged, status: 'upstream_error', redacted, labels };
  }
  const effect = redacted > 0 ? 'redact' : decision.effect;
  return {
    answer: { result: stamped(subject, call, effect) },
    judged,
    status: subject['isError'] === true ? 'tool_error' : 'ok',
    redacted,
    labels,
  };
}
