import { Cancellation, type CancelSignal } from '../model/cancellation.ts';
import { GatewayError } from '../model/errors.ts';
import { identityKey } from '../model/identity.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import { callFault } from '../upstream/faults.ts';
import type { UpstreamReply } from '../upstream/types.ts';
import { permitFor } from './act.ts';
import { judgeInputs } from './answered-inputs.ts';
import { askedByResult, asksByError } from './asked-inputs.ts';
import { member, type AgentChannel, type Answer, type Call } from './call.ts';
import type { Judged } from './judge.ts';
import { MessageLane } from './messages.ts';
import { metaKey } from './modern-meta.ts';
import type { Parts } from './parts.ts';
import { stamped } from './reply.ts';
import { askedOf, type Asked } from './question.ts';
import { RequestStates, type StateBinding, type Waiting } from './request-state.ts';
import type { Resolved } from './resolve.ts';
import { RunningCall } from './running-call.ts';
import { wantLogs } from './upstream-logs.ts';
import type { LogLevel } from './modern-meta.ts';

/** What an agent brings back to go on with a call. */
export interface Retry {
  readonly state: string | undefined;
  readonly responses: Readonly<Record<string, JsonObject>>;
}

/** How a round ended: the upstream's answer, or one that the gateway gives in its place. */
export type RoundEnd =
  { readonly reply: UpstreamReply } | { readonly answer: Answer; readonly status: 'input_required' | 'denied' | 'held' };

/** A call that waits for answers, and the session whose upstream asks. */
interface Parked {
  readonly running: RunningCall;
  readonly call: Call;
  readonly key: symbol;
  readonly identity: string;
  readonly upstream: string;
  timer: NodeJS.Timeout | undefined;
}

/** Calls that wait for answers at most, of one identity and at one upstream: each holds one of its connections, of which there are 128. */
const maxParkedPerIdentity = 16;
const maxParkedPerUpstream = 64;
/** Rounds that the gateway goes on with by itself, where an agent sent the answers along before it was asked. */
const maxOwnRounds = 4;
/** A parked call must not end by the clock of its first round; each round has its own. */
const longestCallMs = 24 * 3_600_000;

/** Calls of the era in which an agent that has to answer something comes back with the same call. */
export class Rounds {
  readonly #parts: Parts;
  readonly #states: RequestStates;
  readonly #parked = new Map<string, Parked>();
  #nextId = 1;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#states = new RequestStates(parts.now);
  }

  /**
   * Looks at what the agent brought back, before policy is asked; nothing is spent yet.
   * @throws GatewayError `state.invalid`
   */
  begin(resolved: Resolved, retry: Retry, logLevel: LogLevel | undefined): Round {
    const opened = retry.state === undefined ? undefined : this.#states.open(bindingOf(resolved), retry.state);
    if (opened?.waiting.kind === 'parked' && !this.#parked.has(opened.waiting.id)) {
      this.#states.spend(bindingOf(resolved), opened.nonce);
      throw new GatewayError('state.invalid', 'the call that `requestState` belongs to has ended; repeat the call without it');
    }
    return { send: (judged, channel, signal) => this.#send({ resolved, judged, channel, signal, retry, logLevel }, opened) };
  }

  async #send(turn: RoundTurn, opened: { readonly nonce: string; readonly waiting: Waiting } | undefined): Promise<RoundEnd> {
    if (opened === undefined) return this.#fresh(turn, undefined, maxOwnRounds);
    this.#states.spend(bindingOf(turn.resolved), opened.nonce);
    const { waiting } = opened;
    return waiting.kind === 'parked' ? this.#resume(turn, waiting.id) : this.#answerUpstream(turn, waiting, 0);
  }

  /** Sends the call, with the answers that the upstream wants where there are any. */
  async #fresh(turn: RoundTurn, extra: JsonObject | undefined, ownRounds: number): Promise<RoundEnd> {
    const { resolved, judged, logLevel } = turn;
    const { call, upstream, outgoing } = resolved;
    if (upstream === null) throw new TypeError(`\`${call.method}\` has no upstream`);
    if (logLevel !== undefined) await wantLogs(this.#parts, call, upstream, logLevel);
    const { session, arrival, snapshot, method, target, subjectDigest } = call;
    const running = new RunningCall(call.identity, (message) => session.standalone?.send(message) ?? false);
    const origin = {
      session,
      arrival,
      snapshot,
      method,
      target,
      subjectDigest,
      get identity() {
        return running.identity;
      },
    };
    const lane = new MessageLane(this.#parts, origin, upstream, running);
    const params = withLogLevel({ ...outgoing(judged.subject), ...extra }, logLevel);
    const permit = permitFor(upstream, { kind: 'request', method: call.method, params }, judged.decision, call.id);
    const options = {
      signal: running.abort,
      timeoutMs: longestCallMs,
      inputRequired: 'return',
      onMessage: (message: Parameters<MessageLane['take']>[0]) => lane.take(message),
    } as const;
    running.follow(lane.session().request(permit, options), lane);
    return this.#judged(turn, upstream, await this.#await(turn, running), ownRounds);
  }

  /** A round's end, whichever round it is: what the upstream asks by it is judged before the agent is asked. */
  async #judged(turn: RoundTurn, upstream: string, end: RoundEnd, ownRounds: number): Promise<RoundEnd> {
    const { resolved } = turn;
    const { call } = resolved;
    if (!('reply' in end)) return end;
    const asking = asks(end.reply);
    if (asking === undefined) {
      assertOffered(resolved, upstream, end.reply);
      return end;
    }
    const asked = await askedByResult(this.#parts, call, upstream, asking.result);
    if ('answer' in asked) return asked;
    const { responses } = turn.retry;
    const known = Object.keys(asked.requests).filter((key) => Object.hasOwn(responses, key));
    const questions = Object.fromEntries(Object.entries(asked.requests).map(([key, request]) => [key, readAsked(request)]));
    const waiting = { kind: 'upstream', state: asked.state, asked: questions, again: asking.again } as const;
    // The agent knew what it would be asked and sent the answers along: they are judged like any others.
    if (ownRounds > 0 && turn.retry.state === undefined && known.length > 0 && known.length === Object.keys(questions).length)
      return this.#answerUpstream(turn, waiting, ownRounds - 1);
    return this.#ask(resolved, asked.requests, waiting);
  }

  /** Calls an upstream again that keeps nothing: with the answers, and with what it wanted to have back. */
  async #answerUpstream(turn: RoundTurn, waiting: Waiting & { kind: 'upstream' }, ownRounds: number): Promise<RoundEnd> {
    const { call, upstream } = turn.resolved;
    const judged = await judgeInputs(this.#parts, call, upstream ?? '', waiting.asked, turn.retry.responses);
    if ('answer' in judged) return judged;
    const declined = Object.values(judged.responses).some((one) => isJsonObject(one) && one['action'] !== 'accept');
    const answers = waiting.again ? {} : { inputResponses: judged.responses };
    const extra = waiting.state === undefined ? answers : { ...answers, requestState: waiting.state };
    let outcome: 'ok' | 'unknown' = 'unknown';
    try {
      if (waiting.again && declined) throw new GatewayError('call.cancelled', 'the question was not accepted; the call was not repeated');
      const end = await this.#fresh(turn, extra, ownRounds);
      outcome = 'ok';
      return end;
    } finally {
      judged.settle(outcome);
    }
  }

  /** Goes on with a parked call: what is answered goes to the upstream, what is not is asked again. */
  async #resume(turn: RoundTurn, id: string): Promise<RoundEnd> {
    const parked = this.#take(id);
    if (parked === undefined)
      throw new GatewayError('state.invalid', 'the call that `requestState` belongs to has ended; repeat the call without it');
    const { running, call } = parked;
    const { session, identity } = turn.resolved.call;
    running.identity = identity;
    for (const name of running.questions()) {
      const result = Object.hasOwn(turn.retry.responses, name) ? turn.retry.responses[name] : undefined;
      const question = call.session.questions.get(name);
      if (result === undefined || question === undefined) continue;
      call.session.questions.delete(name);
      running.answered(name);
      call.session.identity = identity;
      question.answer({ kind: 'response', id: name, result });
    }
    session.lastUsedMs = this.#parts.now();
    return this.#judged(turn, parked.upstream, await this.#await(turn, running, call), 0);
  }

  /** Waits for the upstream's answer or questions, as long as this round may take and the agent is there. */
  async #await({ resolved, channel, signal, logLevel }: RoundTurn, running: RunningCall, first = resolved.call): Promise<RoundEnd> {
    const { call, upstream, outgoing } = resolved;
    const meta = member(outgoing(call.subject), '_meta');
    const cancel = (): void => running.abort.abort();
    const late = new Cancellation();
    const clock = setTimeout(() => {
      late.abort();
      running.abort.abort();
    }, this.#parts.settings().callTimeoutMs);
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel);
    running.attend({ channel, progressToken: isJsonObject(meta) ? meta['progressToken'] : undefined, logLevel });
    try {
      const turn = await running.next();
      if ('reply' in turn) return turn;
      if ('fault' in turn) throw late.aborted ? callFault('upstream.timeout', upstream ?? '', 'the round took too long') : turn.fault;
      return this.#park(resolved, running, first, turn.questions);
    } finally {
      clearTimeout(clock);
      signal.removeEventListener('abort', cancel);
      running.attend(undefined);
    }
  }

  #park(resolved: Resolved, running: RunningCall, call: Call, questions: Readonly<Record<string, JsonObject>>): RoundEnd {
    const identity = identityKey(resolved.call.identity);
    const upstream = resolved.upstream ?? '';
    let [own, there] = [0, 0];
    for (const one of this.#parked.values()) {
      if (one.identity === identity) own++;
      if (one.upstream === upstream) there++;
    }
    if (own >= maxParkedPerIdentity || there >= maxParkedPerUpstream) {
      running.abort.abort();
      throw new GatewayError('gateway.overloaded', 'too many calls wait for answers; answer those first', {
        detail: { may_have_run: true },
      });
    }
    const id = `p${this.#nextId++}`;
    const parked: Parked = { running, call, key: Symbol(id), identity, upstream, timer: undefined };
    const lifeMs = this.#parts.settings().questionTimeoutMs;
    parked.timer = setTimeout(() => {
      if (this.#take(id) !== undefined) running.abort.abort();
    }, lifeMs).unref();
    // A session with a parked call is not idle, and ends it when it ends.
    call.session.inflight.set(parked.key, { abort: running.abort });
    this.#parked.set(id, parked);
    return this.#ask(resolved, questions, { kind: 'parked', id });
  }

  #take(id: string): Parked | undefined {
    const parked = this.#parked.get(id);
    if (parked === undefined) return undefined;
    this.#parked.delete(id);
    clearTimeout(parked.timer);
    parked.call.session.inflight.delete(parked.key);
    return parked;
  }

  #ask(resolved: Resolved, requests: Readonly<Record<string, JsonObject>>, waiting: Waiting): RoundEnd {
    const { call } = resolved;
    const requestState = this.#states.seal(bindingOf(resolved), waiting, this.#parts.settings().questionTimeoutMs);
    const some = Object.keys(requests).length === 0 ? {} : { inputRequests: requests };
    const result = stamped({ resultType: 'input_required', ...some, requestState }, call, 'allow');
    return { answer: { result }, status: 'input_required' };
  }
}

/** A question of a result, which was looked at already. */
function readAsked({ method, params }: JsonObject): Asked {
  return askedOf(typeof method === 'string' ? method : '', isJsonObject(params) ? params : undefined);
}

/** One request of an agent's, from its judgement on. */
export interface Round {
  send(judged: Judged, channel: AgentChannel, signal: CancelSignal): Promise<RoundEnd>;
}

interface RoundTurn {
  readonly resolved: Resolved;
  readonly judged: Judged;
  readonly channel: AgentChannel;
  readonly signal: CancelSignal;
  readonly retry: Retry;
  readonly logLevel: LogLevel | undefined;
}

/** What the upstream asks in its answer, and whether it asks with an error. */
function asks(reply: UpstreamReply): { readonly result: JsonObject; readonly again: boolean } | undefined {
  if (reply.kind === 'result') return reply.result['resultType'] === 'input_required' ? { result: reply.result, again: false } : undefined;
  const result = asksByError(reply.error);
  return result === undefined ? undefined : { result, again: true };
}

/** A result of a kind that the agent did not offer to take would be taken for the gateway's own word. @throws GatewayError `upstream.protocol` */
function assertOffered({ inspect }: Resolved, upstream: string, reply: UpstreamReply): void {
  const type = reply.kind === 'result' ? reply.result['resultType'] : undefined;
  if (type === undefined || type === 'complete' || (type === 'task' && inspect !== undefined)) return;
  throw callFault('upstream.protocol', upstream, `the result is of the type ${JSON.stringify(type).slice(0, 40)}, which was not offered`);
}

function bindingOf({ call, upstream }: Resolved): StateBinding {
  return {
    identity: identityKey(call.identity),
    endpoint: call.session.endpoint,
    method: call.method,
    upstream: upstream ?? '',
    target: call.target.name,
    arguments: call.subjectDigest,
  };
}

function withLogLevel(params: JsonObject, logLevel: LogLevel | undefined): JsonObject {
  if (logLevel === undefined) return params;
  const meta = params['_meta'];
  return { ...params, _meta: { ...(isJsonObject(meta) ? meta : {}), [metaKey.logLevel]: logLevel } };
}
