import type { Approval } from '../model/approval.ts';
import type { CancelSignal } from '../model/cancellation.ts';
import type { Decision, Entrypoint } from '../model/decision.ts';
import { identityKey } from '../model/identity.ts';
import type { ApprovalFact, Finding } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';
import { buildInput, type InputDocument } from './build-input.ts';
import type { Call } from './call.ts';
import { decide } from './decide.ts';
import { TrackedCall, type HistoryView } from './history.ts';
import { actedOn, isObserved, unenforced } from './observed.ts';
import type { Parts } from './parts.ts';
import { decidedRecord, makeDurable } from './record.ts';
import { approvalNote, finish, settle, type Settled } from './settle.ts';

/** A call after stages 4 to 6: decided, and the decision durable. */
export interface Judged {
  readonly decision: Decision;
  /** The subject as policy left it: what may be forwarded. */
  readonly subject: JsonObject;
  readonly held?: Approval;
  readonly spent?: Approval;
  readonly tracked: TrackedCall | undefined;
  readonly history: HistoryView;
}

/** Whether a call counts in its identity's history: what reaches for data or acts, not housekeeping. */
export interface JudgeOptions {
  readonly track: boolean;
  readonly signal?: CancelSignal;
  /** Called when the call starts to wait for a human, so that the transport can keep its stream alive. */
  readonly onHeld?: (approval: Approval) => void;
}

/**
 * Stages 4 to 6 for whatever an agent sends: builds the input, asks policy, resolves approval, limits and redaction, and makes the
 * decision durable. The returned decision is what the record says, or where the endpoint only observes what is done instead.
 * @throws GatewayError `audit.unavailable` when the decision could not be recorded: nothing may be sent then
 */
export async function judge(parts: Parts, call: Call, options: JudgeOptions): Promise<Judged> {
  const startedMs = performance.now();
  const nowMs = parts.now();
  const key = identityKey(call.identity);
  const tracked = options.track ? trackedCall(parts, call, nowMs) : undefined;
  const history = tracked === undefined ? parts.history.look(key, nowMs, call.session.publicId) : parts.history.begin(key, tracked);
  try {
    const findings = parts.content().scan(call.subject, '/arguments');
    const ask = (approval: ApprovalFact | null): InputDocument => inputOf(parts, call, 'gateway/call', nowMs, findings, history, approval);
    const input = ask(null);
    const builtMs = performance.now();
    parts.observer.stage('build-input', builtMs - startedMs);
    const first = await decide(parts, call.snapshot.release, 'gateway/call', input);
    const decidedMs = performance.now();
    parts.observer.stage('decide', decidedMs - builtMs);
    const observed = isObserved(parts, call.session.endpoint);
    const settled = observed
      ? watched(parts, call, first, input)
      : first.effect === 'require_approval'
        ? await settle(parts, call, first, input, ask, options)
        : finish(parts, call, first, input);
    const acted: Settled = observed ? { ...settled, decision: actedOn(settled.decision) } : settled;
    if (tracked !== undefined && acted.held === undefined && acted.decision.effect !== 'deny')
      parts.history.carry(tracked, acted.decision.labels);
    const recordMs = performance.now();
    await makeDurable(parts, decidedRecord(call, settled.decision, parts.now(), approvalNote(settled)), settled.input);
    parts.observer.stage('record-decision', performance.now() - recordMs);
    parts.observer.decided(call.method, settled.decision.effect, call.target.server ?? 'gateway', decidedMs - builtMs);
    if (observed) parts.observer.observed?.(settled.decision.effect);
    call.session.calls++;
    if (acted.decision.effect === 'deny') call.session.denied++;
    if (tracked !== undefined && (acted.decision.effect === 'deny' || acted.held !== undefined)) {
      parts.history.settle(key, tracked, acted.decision.effect, 'denied', [], parts.now());
    }
    return { ...acted, tracked, history };
  } catch (error) {
    if (tracked !== undefined) parts.history.settle(key, tracked, 'deny', 'denied', [], parts.now());
    throw error;
  }
}

/** What would be done, where nothing is: no approval is asked for, and the arguments stay as they came. */
function watched(parts: Parts, call: Call, first: Decision, input: InputDocument): Settled {
  const would = first.effect === 'require_approval' ? first : finish(parts, call, first, input).decision;
  return { decision: unenforced(would), input, subject: call.subject };
}

function trackedCall(parts: Parts, call: Call, atMs: number): TrackedCall {
  return new TrackedCall(atMs, call.session.publicId, {
    method: call.method,
    server: call.target.server,
    tool: call.target.name,
    labels: call.tool?.labels ?? [],
    arguments_digest: parts.keyedDigest(call.subjectDigest),
  });
}

/** The input of a call for one entrypoint. */
export function inputOf(
  parts: Parts,
  call: Call,
  entry: Entrypoint,
  atMs: number,
  findings: readonly Finding[],
  history: HistoryView,
  approval: ApprovalFact | null,
): InputDocument {
  return buildInput(
    parts.plans,
    call,
    {
      entry,
      phase: call.phase,
      atMs,
      findings,
      history,
      approval,
      environmentJson: parts.settings().environmentJson,
    },
    parts.settings().keepInputBytes,
  );
}
