import type { Approval } from '../model/approval.ts';
import { Cancellation } from '../model/cancellation.ts';
import type { Decision } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import type { ApprovalFact } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';
import { approvalFact, bindingOf, masked, park } from './act.ts';
import type { InputDocument } from './build-input.ts';
import type { Call } from './call.ts';
import { decide, overruled } from './decide.ts';
import type { JudgeOptions } from './judge.ts';
import type { ActStep, Parts } from './parts.ts';
import { decidedRecord, makeDurable } from './record.ts';

/** What policy's answer came to, before it is recorded. */
export interface Settled {
  readonly decision: Decision;
  /** What it was made on: the second pass's where there was one. */
  readonly input: InputDocument;
  readonly subject: JsonObject;
  readonly held?: Approval;
  readonly spent?: Approval;
}

/** Turns an answer of policy's that asks for approval into the final one: approval looked for, spent or asked; then as {@link finish}. */
export async function settle(
  parts: Parts,
  call: Call,
  first: Decision,
  input: InputDocument,
  ask: (fact: ApprovalFact) => InputDocument,
  options: JudgeOptions,
): Promise<Settled> {
  const shown = redacted(parts, call, first);
  if ('problem' in shown) return { decision: shown.problem, input, subject: call.subject };
  const binding = bindingOf(call);
  const { tenant } = call.identity;
  const hold = (): Promise<Approval> => acting(parts, 'hold', () => park(parts, call, first, binding, masked(parts, shown.subject)));
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
  const decideMs = performance.now();
  const second = await decide(parts, call.snapshot.release, 'gateway/call', again);
  parts.observer.stage('decide', performance.now() - decideMs);
  // Another rule asks by now: the new approval is asked for on the terms of all of them, so that it alone lets the call go.
  if (second.effect === 'require_approval') return heldBack(await hold());
  const final = finish(parts, call, second, again);
  if (final.decision.effect === 'deny') return final;
  try {
    // Spent before the record and the sending: a crash in between costs an approval, never a second execution.
    const { id } = approved;
    const spent = await acting(parts, 'spend', () => parts.approvals.spend(tenant, id, binding, parts.now()));
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

/** What an answer that needs no approval comes to: redactions applied, limits counted. */
export function finish(parts: Parts, call: Call, decision: Decision, input: InputDocument): Settled {
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
  const startedMs = performance.now();
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
  } finally {
    parts.observer.stage('act', performance.now() - startedMs, 'redact');
  }
}

/** Keeps the time of one step of stage 7. */
async function acting<Result>(parts: Parts, step: ActStep, work: () => Promise<Result>): Promise<Result> {
  const startedMs = performance.now();
  try {
    return await work();
  } finally {
    parts.observer.stage('act', performance.now() - startedMs, step);
  }
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
  const recordMs = performance.now();
  await makeDurable(parts, decidedRecord(call, settled.decision, parts.now(), approvalNote(settled)), settled.input);
  parts.observer.stage('record-decision', performance.now() - recordMs);
  options.onHeld?.(approval);
  const over = new Cancellation();
  const end = (): void => over.abort();
  const timer = setTimeout(end, waitMs).unref();
  options.signal?.addEventListener('abort', end);
  if (options.signal?.aborted === true) end();
  try {
    return await acting(parts, 'wait', () => parts.approvals.wait(call.identity.tenant, approval.id, over));
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', end);
  }
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

/** The approval as the record names it. */
export function approvalNote(settled: Settled): { id: string; state: string; by?: readonly string[] } | undefined {
  const approval = settled.spent ?? settled.held;
  if (approval === undefined) return undefined;
  return { id: approval.id, state: settled.spent === undefined ? approval.state : 'spent', by: approval.votes.map((vote) => vote.by) };
}
