import { identityKey } from '../model/identity.ts';
import type { JsonObject } from '../model/json.ts';
import type { Answer, Call } from './call.ts';
import { judge, type Judged } from './judge.ts';
import { kindOf } from './methods.ts';
import type { Parts } from './parts.ts';
import { finishedRecord } from './record.ts';
import type { Asked, Within } from './question.ts';
import { heldAnswer, refusal } from './reply.ts';
import { callOf } from './resolve.ts';

/** Answers as policy left them; or what the agent gets in place of the call, where one of them was refused. */
export type JudgedInputs =
  | { readonly responses: JsonObject; readonly settle: (outcome: 'ok' | 'unknown') => void }
  | { readonly answer: Answer; readonly status: 'denied' | 'held' };

/**
 * Judges the answers of an agent to what an upstream asked, each as a message of the agent's. Answers to what was not asked are left out.
 * One that is refused ends the call: an upstream cannot be told so in this era, and nothing is sent to it.
 * @param within the call in whose course it was asked, where that is another than the one that brings the answers
 */
export async function judgeInputs(
  parts: Parts,
  call: Call,
  upstream: string,
  asked: Readonly<Record<string, Asked>>,
  responses: Readonly<Record<string, JsonObject>>,
  within: Within = call,
): Promise<JudgedInputs> {
  const judged: { readonly call: Call; readonly judged: Judged }[] = [];
  const settle = (outcome: 'ok' | 'unknown' | 'denied'): void => {
    for (const one of judged) {
      const { tracked, decision } = one.judged;
      const labels = outcome === 'denied' ? [] : decision.labels;
      if (tracked?.pending === true)
        parts.history.settle(identityKey(call.identity), tracked, decision.effect, outcome, labels, parts.now());
      const isRefused = decision.effect === 'deny' || one.judged.held !== undefined;
      const status = outcome === 'denied' ? (isRefused && one.judged.held !== undefined ? 'held' : 'denied') : outcome;
      parts.audit.hand(finishedRecord(one.call, { status, bytes: 0, total_ms: 0 }, parts.now()));
    }
  };
  const sent: Record<string, JsonObject> = {};
  for (const [key, question] of Object.entries(asked)) {
    const response = Object.hasOwn(responses, key) ? responses[key] : undefined;
    if (response === undefined) continue;
    const { session, identity, arrival, snapshot } = call;
    const { method } = question;
    const target = { kind: kindOf(method), server: upstream, name: method };
    const arriving = { session, identity, arrival, snapshot, phase: 'call', method, target, subject: response } as const;
    const one: Call = { ...callOf(arriving), question: { asked: question, within } };
    const verdict = await judge(parts, one, { track: true });
    judged.push({ call: one, judged: verdict });
    if (verdict.decision.effect === 'deny' || verdict.held !== undefined) {
      settle('denied');
      return verdict.held === undefined || verdict.decision.effect === 'deny'
        ? { answer: refusal(call, verdict.decision), status: 'denied' }
        : { answer: heldAnswer(call, verdict.decision, verdict.held), status: 'held' };
    }
    sent[key] = verdict.subject;
  }
  return { responses: sent, settle };
}
