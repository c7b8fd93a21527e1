import type { AuditOutcome } from '../model/audit-record.ts';
import type { Approval } from '../model/approval.ts';
import type { CancelSignal } from '../model/cancellation.ts';
import { asGatewayError, GatewayError } from '../model/errors.ts';
import { identityKey } from '../model/identity.ts';
import type { ToolFacts } from '../model/input.ts';
import { isJsonObject } from '../model/json.ts';
import { callFault } from '../upstream/faults.ts';
import { permitFor } from './act.ts';
import type { InputDocument } from './build-input.ts';
import { withJudgedPlaces } from './asked-inputs.ts';
import type { AgentChannel, Answer, Call } from './call.ts';
import { inspect } from './inspect.ts';
import { judge, type Judged } from './judge.ts';
import { MessageLane } from './messages.ts';
import type { Parts } from './parts.ts';
import { finishedRecord, hand } from './record.ts';
import { failure, heldAnswer, mayHaveRun, refusal } from './reply.ts';
import type { Resolved } from './resolve.ts';
import type { Round, RoundEnd } from './rounds.ts';

/** How a relayed call ended: the answer, what the finished record says, and whether anything was sent. */
interface Ending {
  readonly answer: Answer;
  readonly outcome: Omit<AuditOutcome, 'bytes' | 'total_ms'>;
  readonly judged?: Judged['decision'] | undefined;
  readonly input?: InputDocument | undefined;
  readonly bytes: number;
  readonly labels: readonly string[];
}

/**
 * Stages 4 to 11 of a request that one upstream answers: judged, recorded, sent with a permit, inspected, recorded again.
 * Never rejects for a fault on the way: the agent gets an answer that says what to do, and the record says what happened.
 */
export async function relay(parts: Parts, resolved: Resolved, channel: AgentChannel, signal: CancelSignal, round?: Round): Promise<Answer> {
  const { call } = resolved;
  const waiting = tellWaiting(resolved, channel);
  let judged: Judged;
  try {
    judged = await judge(parts, call, { track: resolved.isTracked !== false, signal, onHeld: waiting.held });
  } finally {
    waiting.end();
  }
  if (judged.held !== undefined && judged.decision.effect !== 'deny')
    return close(
      parts,
      call,
      judged,
      { answer: heldAnswer(call, judged.decision, judged.held), outcome: { status: 'held' }, bytes: 0, labels: [] },
      false,
    );
  if (judged.decision.effect === 'deny')
    return close(
      parts,
      call,
      judged,
      { answer: refusal(call, judged.decision), outcome: { status: 'denied' }, bytes: 0, labels: [] },
      false,
    );
  if (signal.aborted)
    return close(
      parts,
      call,
      judged,
      faultEnding(call, new GatewayError('call.cancelled', 'the call was cancelled before it was sent')),
      false,
    );
  let ending: Ending;
  try {
    ending = await send(parts, resolved, judged, channel, signal, round);
  } catch (error) {
    // Neither judged nor known to be harmless: the agent gets none of it, and the record says that the call may have run.
    parts.observer.failed(call.id, error);
    ending = { ...faultEnding(call, asGatewayError(error)), outcome: { status: 'unknown', error_code: 'gateway.internal' } };
  }
  return close(parts, call, judged, ending, true);
}

/** How often an agent hears that its call still waits for a human. */
const waitingMs = 10_000;

/** Tells an agent that asked for progress that its call waits for a human, until it is judged: a silent call would be given up. */
function tellWaiting(
  { call, outgoing }: Resolved,
  channel: AgentChannel,
): { readonly held: (approval: Approval) => void; readonly end: () => void } {
  let timer: NodeJS.Timeout | undefined;
  return {
    held: ({ id, expiresAtMs }) => {
      const meta = outgoing(call.subject)?.['_meta'];
      const progressToken = isJsonObject(meta) ? meta['progressToken'] : undefined;
      if (progressToken === undefined) return;
      const message = `held for approval: \`${id}\` waits until ${new Date(expiresAtMs).toISOString()}`;
      let progress = 0;
      const tell = (): void =>
        void channel.send({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: progress++, message } });
      tell();
      timer = setInterval(tell, waitingMs);
    },
    end: () => clearInterval(timer),
  };
}

async function send(
  parts: Parts,
  resolved: Resolved,
  judged: Judged,
  channel: AgentChannel,
  signal: CancelSignal,
  round: Round | undefined,
): Promise<Ending> {
  const { call, upstream } = resolved;
  if (upstream === null) throw new TypeError(`\`${call.method}\` has no upstream`);
  // What is asked about a task is about the tool as it was called.
  const still = call.tool === undefined || call.target.kind !== 'tool' || isStill(parts, upstream, call.tool);
  if (call.tool !== undefined && still !== true && !(await still)) return faultEnding(call, changed(call.tool));
  const sentMs = performance.now();
  let sent: Awaited<ReturnType<Round['send']>>;
  try {
    sent = await (round === undefined
      ? sendInSession(parts, resolved, upstream, judged, channel, signal)
      : round.send(judged, channel, signal));
  } catch (error) {
    const fault = asGatewayError(error);
    const isCancelled = fault.code === 'call.cancelled';
    if (!isCancelled && (fault.code === 'gateway.internal' || fault.cause !== undefined)) parts.observer.failed(call.id, error);
    return faultEnding(call, fault, performance.now() - sentMs);
  }
  const upstreamMs = performance.now() - sentMs;
  parts.observer.stage('send', upstreamMs);
  if (!('reply' in sent)) {
    const outcome = { status: sent.status, upstream_ms: Math.round(upstreamMs * 100) / 100 };
    return { answer: sent.answer, outcome, bytes: 0, labels: [] };
  }
  const { reply } = sent;
  const inspectMs = performance.now();
  const inspected = await (resolved.inspect ?? inspect)(parts, call, judged.decision, reply, judged.history);
  parts.observer.stage('inspect', performance.now() - inspectMs);
  parts.observer.finished(call.method, upstream, parts.now() - call.arrival.receivedAtMs, upstreamMs);
  const outcome = {
    status: inspected.status,
    upstream_ms: Math.round(upstreamMs * 100) / 100,
    ...(reply.requestId === undefined ? {} : { upstream_request_id: reply.requestId }),
    ...(inspected.redacted === 0 ? {} : { redacted: inspected.redacted }),
  };
  return {
    answer: inspected.answer,
    outcome,
    judged: inspected.judged,
    input: inspected.input,
    bytes: reply.bytes,
    labels: inspected.labels,
  };
}

/** Whether a tool is what policy judged. A definition that changes between the judgement and the sending would be another tool's. */
function isStill(parts: Parts, upstream: string, { name, definition_digest, pinned }: ToolFacts): boolean | Promise<boolean> {
  return parts.upstreams.isStill(upstream, name, definition_digest, pinned);
}

function changed({ exposed_name }: ToolFacts): GatewayError {
  return new GatewayError(
    'target.changed',
    `the server changed \`${exposed_name}\` while this call was on its way; it was not sent. ask \`tools/list\` and call again`,
  );
}

/** Sends the call of an agent that can be asked while it waits. Messages that came before the answer reach the agent before it. */
async function sendInSession(
  parts: Parts,
  { call, outgoing }: Resolved,
  upstream: string,
  judged: Judged,
  channel: AgentChannel,
  signal: CancelSignal,
): Promise<RoundEnd> {
  const lane = new MessageLane(parts, call, upstream, channel);
  const params = outgoing(judged.subject);
  const permit = permitFor(upstream, { kind: 'request', method: call.method, params }, judged.decision, call.id);
  try {
    const reply = await lane.session().request(permit, {
      signal,
      timeoutMs: parts.settings().callTimeoutMs,
      onMessage: (message) => lane.take(message),
    });
    if (reply.kind === 'result' && reply.result['resultType'] === 'input_required')
      throw callFault('upstream.protocol', upstream, 'it asked for input in a result, which a session does not know');
    return reply.kind === 'result' ? { reply } : await withJudgedPlaces(parts, call, upstream, reply);
  } finally {
    if (lane.hasTaken) await lane.drain();
  }
}

function faultEnding(call: Call, fault: GatewayError, upstreamMs?: number): Ending {
  const status =
    fault.code === 'call.cancelled' ? 'cancelled' : fault.code === 'upstream.timeout' || mayHaveRun(fault) ? 'unknown' : 'upstream_error';
  return {
    answer: failure(call, fault),
    outcome: { status, error_code: fault.code, ...(upstreamMs === undefined ? {} : { upstream_ms: Math.round(upstreamMs * 100) / 100 }) },
    bytes: 0,
    labels: [],
  };
}

/** Stage 10: the outcome into history and, handed over, into the audit log. */
function close(parts: Parts, call: Call, judged: Judged, ending: Ending, sent: boolean): Answer {
  const startedMs = performance.now();
  const nowMs = parts.now();
  const { tracked } = judged;
  if (tracked !== undefined && !sent) {
    parts.history.settle(identityKey(call.identity), tracked, judged.decision.effect, 'denied', [], nowMs);
  } else if (tracked !== undefined) {
    const labels = unite(tracked.labels, judged.decision.labels, ending.labels);
    const outcome =
      ending.outcome.status === 'ok'
        ? 'ok'
        : ending.outcome.status === 'unknown' || ending.outcome.status === 'cancelled' || ending.outcome.status === 'input_required'
          ? 'unknown'
          : 'error';
    parts.history.settle(identityKey(call.identity), tracked, judged.decision.effect, outcome, labels, nowMs);
  }
  const outcome: AuditOutcome = {
    ...ending.outcome,
    bytes: ending.bytes,
    total_ms: Math.round((nowMs - call.arrival.receivedAtMs) * 100) / 100,
  };
  hand(parts, finishedRecord(call, outcome, nowMs, ending.judged), ending.input);
  parts.observer.stage('record-finish', performance.now() - startedMs);
  return ending.answer;
}

function unite(...lists: readonly (readonly string[])[]): readonly string[] {
  const filled = lists.filter((list) => list.length > 0);
  return filled.length <= 1 ? (filled[0] ?? []) : [...new Set(filled.flat())];
}
