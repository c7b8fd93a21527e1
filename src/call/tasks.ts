import type { CancelSignal } from '../model/cancellation.ts';
import { GatewayError } from '../model/errors.ts';
import { identityKey } from '../model/identity.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { UpstreamReply } from '../upstream/types.ts';
import { permitFor } from './act.ts';
import { judgeInputs } from './answered-inputs.ts';
import type { AgentChannel, Answer, Call } from './call.ts';
import { requiredCapabilities } from './client-needs.ts';
import { judge, type Judged } from './judge.ts';
import { upstreamSession } from './messages.ts';
import type { Parts } from './parts.ts';
import { finishedRecord } from './record.ts';
import { relay } from './relay.ts';
import { heldAnswer, refusal } from './reply.ts';
import { callOf, type Arriving, type Resolved } from './resolve.ts';
import type { Round } from './rounds.ts';
import type { Task } from './task-book.ts';
import { inspectCreation, inspectResult, inspectState } from './task-results.ts';
import { related, tasksExtension } from './task-state.ts';

const invalidRequestCode = -32600;
/** Questions that one `tasks/update` may answer. */
const maxResponses = 32;

/** What may stand in the params of the methods on tasks. */
const taskParams: Readonly<Record<string, ReadonlySet<string>>> = {
  'tasks/get': new Set(['taskId']),
  'tasks/cancel': new Set(['taskId']),
  'tasks/result': new Set(['taskId']),
  'tasks/list': new Set(['cursor']),
  'tasks/update': new Set(['taskId', 'inputResponses']),
};

/**
 * Answers a method on tasks. A task is found by the gateway's own id, for the identity
 * and the endpoint that it was begun by: anybody else's is as unknown as one that never was.
 * @throws GatewayError `target.unknown`, `rpc.params`, `client.capability`
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/tasks
 */
export async function answerTask(parts: Parts, arriving: Arriving, channel: AgentChannel, signal: CancelSignal): Promise<Answer> {
  const { method, session, params } = arriving;
  const known = taskParams[method];
  if (known === undefined) throw new TypeError(`\`${method}\` is not a method on tasks`);
  if (session.isStateless && !offersTasks(session.capabilities))
    throw new GatewayError('client.capability', `tasks need the extension \`${tasksExtension}\`, which the client did not declare`, {
      detail: { requiredCapabilities: requiredCapabilities(['extensions', tasksExtension]) },
    });
  const given = bare(params);
  const wrong = Object.keys(given).find((key) => !known.has(key));
  if (wrong !== undefined) throw new GatewayError('rpc.params', `\`params.${wrong.slice(0, 40)}\` is not supported on \`${method}\``);
  if (method === 'tasks/list') return answerTaskList(parts, arriving, given);
  const { taskId } = given;
  if (typeof taskId !== 'string') throw new GatewayError('rpc.params', '`params.taskId` must be the id of a task');
  const task = parts.tasks.find(taskId, identityKey(arriving.identity), session.endpoint);
  if (task === undefined) throw new GatewayError('target.unknown', `unknown task \`${taskId.slice(0, 100)}\`; it may have expired`);
  const { target, tool } = task.origin;
  const call = callOf({
    ...arriving,
    phase: 'call',
    target: { kind: 'task', server: task.upstream, name: target.name },
    subject: given,
    tool,
  });
  const resolved: Resolved = {
    call,
    upstream: task.upstream,
    outgoing: (subject) => ({ ...subject, taskId: task.upstreamId }),
    inspect: method === 'tasks/result' ? inspectResult(task) : inspectState(task),
    // Asking how far it is is no deed: it would only push what the agent did out of its history.
    isTracked: false,
  };
  // In a session questions may come while it is waited for; without one they come in the state.
  return relay(parts, resolved, channel, signal, session.isStateless ? sending(parts, resolved, task) : undefined);
}

/** The call of a tool with what it needs to go on as a task; the same object where it cannot. */
export function withTask(resolved: Resolved): Resolved {
  const { call } = resolved;
  if (call.method !== 'tools/call') return resolved;
  if (resolved.isTask === true) return { ...resolved, inspect: inspectCreation };
  if (!call.session.isStateless || !offersTasks(call.session.capabilities)) return resolved;
  if (!mustBeTask(call)) return { ...resolved, inspect: inspectCreation };
  // Of a server with sessions a task must be asked for; without one this tool cannot be called at all.
  return {
    ...resolved,
    call: { ...call, task: {} },
    outgoing: (subject) => ({ ...resolved.outgoing(subject), task: {} }),
    inspect: inspectCreation,
  };
}

function mustBeTask({ tool, snapshot }: Call): boolean {
  const { endpoint } = snapshot;
  if (tool === undefined || !endpoint.taskUpstreams.includes(tool.server)) return false;
  const execution = endpoint.resolveTool(tool.exposed_name)?.definition['execution'];
  return isJsonObject(execution) && execution['taskSupport'] === 'required';
}

function offersTasks(capabilities: JsonObject): boolean {
  const extensions = capabilities['extensions'];
  return isJsonObject(extensions) && isJsonObject(extensions[tasksExtension]);
}

/** Sends a message about a task for an agent without a session: one request with one answer. Answers to an upstream's questions are judged first. */
function sending(parts: Parts, { call, outgoing, upstream }: Resolved, task: Task): Round {
  return {
    async send(judged, _channel, signal) {
      const params = outgoing(judged.subject) ?? {};
      if (task.era === 'session') return { reply: await askSession(parts, call, task, params, judged, signal) };
      const answered = call.method === 'tasks/update' ? await judgeAnswers(parts, call, task, judged.subject) : undefined;
      if (answered !== undefined && 'answer' in answered) return answered;
      const sent = answered === undefined ? params : { ...params, inputResponses: answered.responses };
      const permit = permitFor(task.upstream, { kind: 'request', method: call.method, params: sent }, judged.decision, call.id);
      let outcome: 'ok' | 'unknown' = 'unknown';
      try {
        const session = upstreamSession(parts, call, upstream ?? task.upstream);
        const reply = await session.request(permit, {
          signal,
          timeoutMs: parts.settings().callTimeoutMs,
          inputRequired: 'return',
        });
        outcome = 'ok';
        return { reply };
      } finally {
        answered?.settle(outcome);
      }
    },
  };
}

/**
 * Asks a server with sessions for an agent without one. What a task ended with is a message of its own there; and what it asks cannot be
 * put to this agent, so a task that asks is ended, and said to have failed.
 */
async function askSession(
  parts: Parts,
  call: Call,
  task: Task,
  params: JsonObject,
  judged: Judged,
  signal: CancelSignal,
): Promise<UpstreamReply> {
  if (call.method === 'tasks/update') throw new GatewayError('rpc.params', 'this task asks nothing');
  const send = (method: string): Promise<UpstreamReply> => {
    const permit = permitFor(task.upstream, { kind: 'request', method, params }, judged.decision, call.id);
    return upstreamSession(parts, call, task.upstream).request(permit, {
      signal,
      timeoutMs: parts.settings().callTimeoutMs,
    });
  };
  const reply = await send(call.method);
  if (reply.kind === 'error' || call.method !== 'tasks/get') return reply;
  const { status } = reply.result;
  if (status === 'input_required') {
    const cancelled = await send('tasks/cancel');
    const error = { code: invalidRequestCode, message: 'the task asks for what only an agent with a session can be asked' };
    return { kind: 'result', result: { ...reply.result, status: 'failed', error }, bytes: reply.bytes + cancelled.bytes };
  }
  if (status !== 'completed' && status !== 'failed') return reply;
  const end = await send('tasks/result');
  const bytes = reply.bytes + end.bytes;
  return end.kind === 'result'
    ? { kind: 'result', result: { ...reply.result, result: related(end.result, () => undefined) }, bytes }
    : { kind: 'result', result: { ...reply.result, error: end.error }, bytes };
}

async function judgeAnswers(parts: Parts, call: Call, task: Task, subject: JsonObject): ReturnType<typeof judgeInputs> {
  const given = subject['inputResponses'];
  if (!isJsonObject(given) || Object.keys(given).length > maxResponses || !Object.values(given).every(isJsonObject))
    throw new GatewayError('rpc.params', '`params.inputResponses` must be an object of answers');
  const within = { method: 'tools/call', target: task.origin.target, subjectDigest: task.origin.subjectDigest };
  return judgeInputs(parts, call, task.upstream, task.asked, given as Readonly<Record<string, JsonObject>>, within);
}

/** Lists the identity's own tasks at this endpoint, as they were last seen, newest first. */
async function answerTaskList(parts: Parts, arriving: Arriving, given: JsonObject): Promise<Answer> {
  const target = { kind: 'task', server: null, name: 'tasks/list' } as const;
  const call = callOf({ ...arriving, phase: 'call', target, subject: given });
  if (given['cursor'] !== undefined) throw new GatewayError('rpc.params', 'unknown cursor; this list has one page');
  const judged = await judge(parts, call, { track: false });
  const isRefused = judged.decision.effect === 'deny' || judged.held !== undefined;
  const status = judged.held !== undefined ? 'held' : isRefused ? 'denied' : 'ok';
  parts.audit.hand(finishedRecord(call, { status, bytes: 0, total_ms: parts.now() - call.arrival.receivedAtMs }, parts.now()));
  if (judged.decision.effect === 'deny') return refusal(call, judged.decision);
  if (judged.held !== undefined) return heldAnswer(call, judged.decision, judged.held);
  const own = parts.tasks.own(identityKey(call.identity), call.session.endpoint).reverse();
  return { result: { tasks: own.map(({ seen }) => seen) } };
}

/** The params without `_meta`, and without `task`, which the SDK's client puts on all that it sends for a task: here it says nothing. */
function bare(params: JsonObject | undefined): JsonObject {
  const { _meta: _own, task: _task, ...rest } = params ?? {};
  return rest;
}
