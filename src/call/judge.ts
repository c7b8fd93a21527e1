import type { Approval } from '../model/approval.ts';
import type { Decision, Entrypoint } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import { identityKey } from '../model/identity.ts';
import type { ApprovalFact, Finding } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';
import { approvalFact, bindingOf, park } from './act.ts';
import { buildInput, type InputDocument } from './build-input.ts';
import type { Call } from './call.ts';
import { decide, overruled } from './decide.ts';
import { TrackedCall, type HistoryView } from './history.ts';
import { actedOn, isObserved, unenforced } from './observed.ts';
import type { Parts } from './parts.ts';
import { decidedRecord, makeDurable } from './record.ts';

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
  readonly signal?: AbortSignal;
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
    const settled = observed ? watched(parts, call, first, input) : await settle(parts, call, first, input, ask, options);
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

interface Settled {
  readonly decision: Decision;
  /** What it was made on: the second pass's where there was one. */
  readonly input: InputDocument;
  readonly subject: JsonObject;
  readonly held?: Approval;
  readonly spent?: Approval;
}

/** What would be done, where nothing is: no approval is asked for, and the arguments stay as they came. */
function watched(parts: Parts, call: Call, first: Decision, input: InputDocument): Settled {
  const would = first.effect === 'require_approval' ? first : finish(parts, call, first, input).decision;
  return { decision: unenforced(would), input, subject: call.subject };
}

/** Turns policy's first answer into the final one: approval looked for, spent or asked; limits counted; redactions applied. */
async function settle(
  parts: Parts,
  call: Call,
  first: Decision,
  input: InputDocument,
  ask: (fact: ApprovalFact) => InputDocument,
  options: JudgeOptions,
): Promise<Settled> {
  if (first.effect !== 'require_approval') return finish(parts, call, first, input);
  const shown = redacted(parts, call, first);
  if ('problem' in shown) return { decision: shown.problem, input, subject: call.subject };
  const binding = bindingOf(call);
  const { tenant } = call.identity;
  const hold = async (): Promise<Approval> => park(parts, call, first, binding, masked(parts, shown.subject));
  const heldBack = (held: Approval): Settled & { readonly held: Approval } => ({ decision: first, input, subject: call.subject, held });
  let approved = await parts.approvals.findDecided(tenant, binding, parts.now());
  if (approved?.state === 'denied') return { ...heldBack(approved), decision: deniedByPeople(first, approved) };
  if (approved === undefined) {
    const waited = await awaitVote(parts, call, heldBack(await hold()), options);
    if (waited.state === 'denied') return { ...heldBack(waited), decision: deniedByPeople(first, waited) };
    if (waited.state !== 'approved') return heldBack(waited);
    if (parts.release()?.digest !== call.snapshot.release?.digest) return { ...heldBack(waited), decision: outdated(first) };
    approved = waited;
  }
  const again = ask(approvalFact(approved));
  const second = await decide(parts, call.snapshot.release, 'gateway/call', again);
  // Another rule asks by now: the new approval is asked for on the terms of all of them, so that it alone lets the call go.
  if (second.effect === 'require_approval') return heldBack(await hold());
  const final = finish(parts, call, second, again);
  if (final.decision.effect === 'deny') return final;
  try {
    // Spent before the record and the sending: a crash in between costs an approval, never a second execution.
    const spent = await parts.approvals.spend(tenant, approved.id, binding, parts.now());
    return { ...final, spent };
  } catch (error) {
    // Somebody else's repetition of this call won: for this one it is as if there had been no approval.
    if (error instanceof GatewayError && error.code === 'approval.conflict') return heldBack(await hold());
    throw error;
  }
}

/** An approval is bound to its release: what was approved under one is not executed under another. */
function outdated(decision: Decision): Decision {
  return overruled(decision, {
    rule: 'gateway/approval',
    effect: 'deny',
    message: 'policy changed while this call waited for approval',
    hint: 'repeat the call; it is judged by the policy in force',
  });
}

function finish(parts: Parts, call: Call, decision: Decision, input: InputDocument): Settled {
  if (decision.effect === 'deny') return { decision, input, subject: call.subject };
  const result = redacted(parts, call, decision);
  if ('problem' in result) return { decision: result.problem, input, subject: call.subject };
  if (decision.limits.length > 0) {
    const exceeded = parts.limits.take(call.identity.tenant, decision.limits, parts.now());
    if (exceeded !== undefined) return { decision: overruled(decision, exceeded), input, subject: call.subject };
  }
  return { decision, input, subject: result.subject };
}

function redacted(parts: Parts, call: Call, decision: Decision): { readonly subject: JsonObject } | { readonly problem: Decision } {
  if (decision.redactions.length === 0) return { subject: call.subject };
  try {
    const { document } = parts.content().redact({ arguments: call.subject }, decision.redactions);
    return { subject: document['arguments'] as JsonObject };
  } catch (error) {
    parts.observer.failed(call.id, error);
    return {
      problem: overruled(decision, {
        rule: 'gateway/redaction',
        effect: 'deny',
        message: 'a redaction that policy asks for cannot be applied to these arguments',
      }),
    };
  }
}

/** What an approver is shown: secrets never appear in an inbox, whatever the rules redact. */
function masked(parts: Parts, subject: JsonObject): JsonObject {
  const { document } = parts.content().redact({ arguments: subject }, [{ rule: 'gateway/approval', detector: 'secret.*', as: 'mask' }]);
  return document['arguments'] as JsonObject;
}

/** Waits for people where the configuration says so. That the call is held is recorded first: the wait may be long, and may not end. */
async function awaitVote(
  parts: Parts,
  call: Call,
  settled: Settled & { readonly held: Approval },
  options: JudgeOptions,
): Promise<Approval> {
  const approval = settled.held;
  const waitMs = parts.settings().approvalWaitMs;
  if (waitMs <= 0 || approval.state !== 'pending') return approval;
  await makeDurable(parts, decidedRecord(call, settled.decision, parts.now(), approvalNote(settled)), settled.input);
  options.onHeld?.(approval);
  const timeout = AbortSignal.timeout(waitMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  return parts.approvals.wait(call.identity.tenant, approval.id, signal);
}

function deniedByPeople(decision: Decision, approval: Approval): Decision {
  const vote = approval.votes.find((one) => one.vote === 'deny');
  return overruled(decision, {
    rule: 'gateway/approval',
    effect: 'deny',
    message: `the approval was refused${vote?.comment === undefined ? '' : `: ${vote.comment}`}`,
    hint: `do something else; the same call can be asked for again after ${new Date(approval.expiresAtMs).toISOString()}`,
  });
}

function approvalNote(settled: Settled): { id: string; state: string; by?: readonly string[] } | undefined {
  const approval = settled.spent ?? settled.held;
  if (approval === undefined) return undefined;
  return { id: approval.id, state: settled.spent === undefined ? approval.state : 'spent', by: approval.votes.map((vote) => vote.by) };
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
