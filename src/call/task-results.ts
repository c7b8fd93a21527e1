import { identityKey } from '../model/identity.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { UpstreamReply } from '../upstream/types.ts';
import { withJudgedPlaces } from './asked-inputs.ts';
import type { Answer, Call } from './call.ts';
import { missingCapability } from './client-needs.ts';
import { TrackedCall } from './history.ts';
import { inspect, type Inspected } from './inspect.ts';
import { judgeMessage } from './message-verdict.ts';
import { clientCapability } from './methods.ts';
import type { Parts } from './parts.ts';
import { askedOf, type Asked } from './question.ts';
import { refusal } from './reply.ts';
import { strayOf } from './strays.ts';
import type { Task } from './task-book.ts';
import { keptState, modernState, plainState, related, relatedTask, ttlMsOf } from './task-state.ts';

type Inspect = typeof inspect;

/** Questions that one task may have open. */
const maxQuestions = 32;

/**
 * Looks at what came back of a tool's call that may go on as a task. Where it does, the task is taken into the book, and the agent gets the
 * gateway's id for it. The result is judged as any: nothing of a task that policy withholds is kept.
 */
export const inspectCreation: Inspect = async (parts, call, decision, reply, history) => {
  const { tool, target, subject, subjectDigest, session } = call;
  const upstream = target.server;
  const begun = reply.kind === 'result' ? (reply.result['resultType'] === 'task' ? reply.result : reply.result['task']) : undefined;
  if (upstream !== null && isJsonObject(begun))
    parts.tasks.replace(upstream, begun['taskId'], identityKey(call.identity), session.endpoint);
  const inspected = await inspect(parts, call, decision, reply, history);
  if (!('result' in inspected.answer) || tool === undefined || upstream === null) return inspected;
  const { result } = inspected.answer;
  const isDirect = result['resultType'] === 'task';
  const state = isDirect ? result : result['task'];
  if (inspected.status === 'withheld' || !isJsonObject(state) || typeof state['taskId'] !== 'string') return inspected;
  const { taskId: upstreamId, statusMessage } = state;
  const task = parts.tasks.open(
    {
      identity: identityKey(call.identity),
      endpoint: session.endpoint,
      upstream,
      upstreamId,
      era: isDirect ? 'stateless' : 'session',
      origin: { call: call.id, target, tool, subject, subjectDigest },
      seen: {},
    },
    ttlMsOf(state),
  );
  const own = { ...plainState(state, task.id), ...(typeof statusMessage === 'string' ? { statusMessage } : {}) };
  task.seen = keptState(own);
  const meta = related({ _meta: result['_meta'] }, () => task.id);
  const answer = session.isStateless ? { resultType: 'task', ...modernState(own), ...meta } : { task: own, ...meta };
  return { ...inspected, answer: { result: answer } };
};

/** The state of a task, as `tasks/get` and `tasks/cancel` give it. What it ended with is judged as the result of the call that began it. */
export function inspectState(task: Task): Inspect {
  return async (parts, call, decision, reply, history) => {
    if (reply.kind === 'error') {
      const judged = await withJudgedPlaces(parts, call, task.upstream, reply);
      return 'answer' in judged ? refused(judged.answer) : inspect(parts, call, decision, judged.reply, history);
    }
    const { result, error, inputRequests, ...outer } = reply.result;
    const state = plainState(outer, task.id);
    if (outer['status'] !== undefined) task.seen = state;
    const plain = call.session.isStateless ? modernState(state) : state;
    const ended: UpstreamReply | undefined = isJsonObject(result)
      ? { kind: 'result', result, bytes: reply.bytes }
      : isJsonObject(error)
        ? { kind: 'error', error, bytes: reply.bytes }
        : undefined;
    if (ended !== undefined) {
      // The upstream's own words about the state are left out: they would be a second text that nobody judged.
      const end = (answer: Answer): Answer => ({
        result:
          'result' in answer
            ? { ...plain, status: 'completed', result: answer.result }
            : { ...plain, status: 'failed', error: answer.error },
      });
      const judged = await withJudgedPlaces(parts, { ...call, method: 'tools/call' }, task.upstream, ended);
      if ('answer' in judged) return refused(end(judged.answer));
      const inspected = await inspectEnd(parts, call, task, judged.reply, decision, history);
      return { ...inspected, answer: end(inspected.answer) };
    }
    const bare = { ...reply, result: outer };
    const inspected = await inspect(parts, call, decision, bare, history);
    if (!('result' in inspected.answer) || inspected.status === 'withheld') return inspected;
    const own = related({ ...inspected.answer.result, ...(outer['status'] === undefined ? {} : plain) }, () => task.id);
    if (!isJsonObject(inputRequests)) return { ...inspected, answer: { result: own } };
    return judgedQuestions(parts, call, task, inputRequests, inspected, own);
  };
}

function refused(answer: Answer): Inspected {
  return { answer, judged: undefined, status: 'denied', redacted: 0, labels: [] };
}

/** What `tasks/result` gives: the result of the call that began the task. */
export function inspectResult(task: Task): Inspect {
  return async (parts, call, decision, reply, history) => {
    const inspected = await inspectEnd(parts, call, task, reply, decision, history);
    if (!('result' in inspected.answer)) return inspected;
    const { result } = inspected.answer;
    const meta = isJsonObject(result['_meta']) ? result['_meta'] : {};
    return { ...inspected, answer: { result: { ...result, _meta: { ...meta, [relatedTask]: { taskId: task.id } } } } };
  };
}

/** Judges an end as what it is: the result of the tool that was called, with its arguments. Labels that it earns go into history. */
async function inspectEnd(
  parts: Parts,
  call: Call,
  task: Task,
  reply: UpstreamReply,
  decision: Parameters<Inspect>[2],
  history: Parameters<Inspect>[4],
): Promise<Inspected> {
  const { target, tool, subject, subjectDigest } = task.origin;
  const origin: Call = { ...call, method: 'tools/call', target, tool, subject, subjectDigest };
  const inspected = await inspect(parts, origin, decision, reply, history);
  const { labels } = inspected;
  if (labels.length > 0 && !task.labelled) {
    task.labelled = true;
    const nowMs = parts.now();
    const tracked = new TrackedCall(nowMs, call.session.publicId, {
      method: call.method,
      server: target.server,
      tool: target.name,
      labels,
      arguments_digest: parts.keyedDigest(subjectDigest),
    });
    const key = identityKey(call.identity);
    parts.history.begin(key, tracked);
    parts.history.settle(key, tracked, decision.effect, 'ok', labels, nowMs);
  }
  return inspected;
}

/** Questions that a task asks: each is judged as one that comes by itself. One that is refused makes the answer a refusal. */
async function judgedQuestions(
  parts: Parts,
  call: Call,
  task: Task,
  asked: JsonObject,
  inspected: Inspected,
  state: JsonObject,
): Promise<Inspected> {
  const shown: Record<string, JsonObject> = {};
  // An answer must not come to mean another question, least of all one that is refused below.
  task.asked = Object.fromEntries(Object.entries(task.asked).filter(([key]) => !Object.hasOwn(asked, key)));
  const questions: Record<string, Asked> = { ...task.asked };
  for (const [key, request] of Object.entries(asked).slice(0, maxQuestions)) {
    const method = isJsonObject(request) ? request['method'] : undefined;
    const params: Json | undefined = isJsonObject(request) ? (request['params'] ?? {}) : undefined;
    // What no client answers, or this one cannot, is not shown: the upstream was told what the client offers.
    if (typeof method !== 'string' || !Object.hasOwn(clientCapability, method) || !isJsonObject(params)) {
      unasked(parts, call, task, typeof method === 'string' ? method : '', 'no client answers it');
      continue;
    }
    if (missingCapability(call.session.capabilities, method, params) !== undefined) {
      unasked(parts, call, task, method, 'the agent does not offer to answer it');
      continue;
    }
    const verdict = await judgeMessage(parts, call, task.upstream, { kind: 'request', id: key, method, params });
    if (verdict.decision.effect !== 'allow' && verdict.decision.effect !== 'redact')
      return { ...inspected, answer: refusal(call, verdict.decision), status: 'denied' };
    shown[key] = verdict.params === undefined ? { method } : { method, params: related(verdict.params, () => task.id) };
    questions[key] = askedOf(method, params);
  }
  task.asked = Object.fromEntries(Object.entries(questions).slice(-2 * maxQuestions));
  return { ...inspected, answer: { result: { ...state, inputRequests: shown } } };
}

/** Keeps account of a question of a task's that is put to nobody. */
function unasked(parts: Parts, { session }: Call, { upstream }: Task, method: string, why: string): void {
  parts.strays.take(strayOf(session, upstream, { kind: 'request', method: method.slice(0, 200) }, why));
}
