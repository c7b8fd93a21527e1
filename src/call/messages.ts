import type { AuditOutcome } from '../model/audit-record.ts';
import type { Decision } from '../model/decision.ts';
import { asGatewayError, GatewayError } from '../model/errors.ts';
import { identityKey } from '../model/identity.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { UpstreamMessage, UpstreamSession } from '../upstream/types.ts';
import { permitFor, refusalPermit } from './act.ts';
import { answersWithTask } from './agent-tasks.ts';
import type { AgentChannel, Call } from './call.ts';
import { wordsFor } from './decide.ts';
import { judge, type Judged } from './judge.ts';
import { missingCapability } from './client-needs.ts';
import { judgeMessage, targetOf, type Origin, type Verdict } from './message-verdict.ts';
import type { Parts } from './parts.ts';
import { askedOf, type Question } from './question.ts';
import { finishedRecord } from './record.ts';
import { callOf } from './resolve.ts';
import type { RpcResponse } from './rpc.ts';
import type { Session } from './session.ts';
import { strayOf } from './strays.ts';
import type { Task } from './task-book.ts';
import { related, toAgent } from './task-state.ts';

/** Messages that wait their turn in one lane; more than this and the upstream is talking faster than policy can judge. */
const maxWaiting = 2000;
/** Questions that wait for the agent of one session at most. */
const maxQuestions = 256;

/**
 * What an upstream sends toward the agent beside answers: each message is judged in phase `message` and recorded, several at a time,
 * and delivered in the order in which they came.
 */
export class MessageLane {
  readonly #parts: Parts;
  readonly #origin: Origin;
  readonly #upstream: string;
  readonly #channel: AgentChannel;
  #tail: Promise<void> | undefined;
  #waiting = 0;

  constructor(parts: Parts, origin: Origin, upstream: string, channel: AgentChannel) {
    this.#parts = parts;
    this.#origin = origin;
    this.#upstream = upstream;
    this.#channel = channel;
  }

  /** The agent session's own session at the upstream. What comes there outside of any call takes a lane of its own. */
  session(): UpstreamSession {
    return upstreamSession(this.#parts, this.#origin, this.#upstream);
  }

  /** Takes one message: judging starts at once, delivery keeps the order. */
  take(message: UpstreamMessage): void {
    if (this.#waiting >= maxWaiting) {
      if (message.kind === 'request') void this.#refuse(message, 'too many messages wait for judgement', undefined);
      this.#parts.observer.refused('gateway.overloaded');
      this.#parts.strays.take(strayOf(this.#origin.session, this.#upstream, message, 'too many messages wait for judgement'));
      return;
    }
    this.#waiting++;
    const verdict = judgeMessage(this.#parts, this.#origin, this.#upstream, message);
    const before = this.#tail;
    this.#tail = (async () => {
      // Both are awaited: a verdict that fails before its turn must not be an unhandled rejection.
      const [, outcome] = await Promise.all([before, verdict.catch((error: unknown) => asGatewayError(error))]);
      this.#waiting--;
      await this.#deliver(message, outcome);
    })();
  }

  /** Resolves when all that was taken so far is delivered or refused. */
  async drain(): Promise<void> {
    await this.#tail;
  }

  /** Whether anything was taken, so that there may be something to drain. */
  get hasTaken(): boolean {
    return this.#tail !== undefined;
  }

  async #deliver(message: UpstreamMessage, outcome: Verdict | GatewayError): Promise<void> {
    if (outcome instanceof GatewayError) {
      this.#parts.observer.failed('', outcome);
      if (message.kind === 'request') await this.#refuse(message, outcome.message, undefined);
      return;
    }
    const { decision, params, call } = outcome;
    if (decision.effect !== 'allow' && decision.effect !== 'redact') {
      if (message.kind === 'request') await this.#refuse(message, `denied by policy: ${wordsFor(decision)}`, outcome);
      return;
    }
    if (message.kind === 'notification') {
      if (message.method === 'notifications/cancelled') this.#withdraw(params);
      else {
        const told = toAgent(message.method, params, (upstreamId) => this.#task(upstreamId));
        if (told !== undefined)
          this.#channel.send({ jsonrpc: '2.0', method: message.method, ...(told.params === undefined ? {} : { params: told.params }) });
      }
      return;
    }
    const { session } = this.#origin;
    if (message.method.startsWith('tasks/') && !session.tasks.mayAsk(this.#upstream, message.method, params)) {
      await this.#refuse(message, 'unknown task', outcome);
      return;
    }
    const { task, ...rest } = related(params ?? {}, (upstreamId) => this.#task(upstreamId)?.id);
    const asked = task !== undefined && answersWithTask(session.capabilities, message.method) ? { ...rest, task } : rest;
    await this.#ask(message, outcome, params === undefined ? undefined : asked, call);
  }

  #task(upstreamId: Json | undefined): Task | undefined {
    const { session, identity } = this.#origin;
    return this.#parts.tasks.known(this.#upstream, upstreamId, identityKey(identity), session.endpoint);
  }

  /** The upstream gave its question up: the agent hears so under the id that the question has there. */
  #withdraw(params: JsonObject | undefined): void {
    const { questions } = this.#origin.session;
    for (const [id, question] of questions) {
      if (question.upstream !== this.#upstream || question.reference !== params?.['requestId']) continue;
      questions.delete(id);
      question.withdraw();
      this.#channel.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { ...params, requestId: id } });
    }
  }

  /** Puts an upstream's question to the agent under an id of the session's own. */
  async #ask(message: UpstreamMessage & { kind: 'request' }, outcome: Verdict, params: JsonObject | undefined, call: Call): Promise<void> {
    const { session } = this.#origin;
    const missing = missingCapability(session.capabilities, message.method, message.params);
    if (missing !== undefined) {
      await this.#refuse(message, `the agent does not offer \`${missing.join('.')}\``, outcome);
      return;
    }
    if (session.questions.size >= maxQuestions) {
      await this.#refuse(message, 'too many requests wait for the agent', outcome);
      return;
    }
    const id = session.questionId();
    const giveUp = (words: string): void => {
      if (session.questions.delete(id)) void this.#refuse(message, words, outcome);
    };
    const timer = setTimeout(() => giveUp('the agent did not answer in time'), this.#parts.settings().questionTimeoutMs).unref();
    const meta = params?.['_meta'];
    session.questions.set(id, {
      method: message.method,
      upstream: this.#upstream,
      reference: message.id,
      progressToken: isJsonObject(meta) ? meta['progressToken'] : undefined,
      answer: (response) => {
        clearTimeout(timer);
        void this.#forward(message, response, call);
      },
      withdraw: () => clearTimeout(timer),
    });
    const sent = this.#channel.send({ jsonrpc: '2.0', id, method: message.method, ...(params === undefined ? {} : { params }) });
    if (sent) return;
    clearTimeout(timer);
    giveUp('the agent cannot be asked: it has no open stream');
  }

  /** The agent's answer to a question goes the way of every message of an agent's: judged, recorded, sent with a permit. */
  async #forward(question: UpstreamMessage & { kind: 'request' }, response: RpcResponse, asked: Call): Promise<void> {
    const subject: JsonObject = response.result ?? { error: response.error ?? {} };
    const { session, arrival } = asked;
    // Who answers now: a token that was refreshed since the question may carry other groups.
    const { identity } = session;
    const method = session.tasks.judgedAs(question.method, question.params);
    const answer = callOf({
      session,
      identity,
      arrival,
      snapshot: this.#snapshot(asked),
      phase: 'call',
      method,
      target: targetOf(this.#upstream, { ...question, method }),
      subject,
    });
    const call: Call = { ...answer, question: this.#questionOf(question) };
    let judged: Judged | undefined;
    let status: AuditOutcome['status'] = 'unknown';
    try {
      judged = await judge(this.#parts, call, { track: true });
      const { decision, subject: sent } = judged;
      if (decision.effect === 'deny' || judged.held !== undefined) {
        status = judged.held === undefined ? 'denied' : 'held';
        await this.#refuse(question, 'the answer to this request was refused by policy', { decision, call, params: undefined });
      } else {
        const own = (id: Json | undefined): string | undefined => {
          if (typeof id !== 'string') return undefined;
          if (session.tasks.ownerOf(id) === this.#upstream) return id;
          return this.#parts.tasks.find(id, identityKey(identity), session.endpoint)?.upstreamId;
        };
        if (question.params?.['task'] !== undefined) session.tasks.note(this.#upstream, this.#questionOf(question), response.result);
        const body = response.result === undefined ? { error: (sent['error'] ?? {}) as JsonObject } : { result: related(sent, own) };
        await this.session().notify(permitFor(this.#upstream, { kind: 'reply', to: question.id, ...body }, decision, call.id));
        status = 'ok';
      }
    } catch (error) {
      this.#parts.observer.failed(call.id, error);
      await this.#refuse(question, 'the gateway could not forward the answer', undefined);
    }
    if (judged === undefined) return;
    const wasSent = status === 'ok' || status === 'unknown';
    if (judged.tracked !== undefined) {
      const { effect, labels } = judged.decision;
      const outcome = status === 'ok' || status === 'unknown' ? status : 'denied';
      this.#parts.history.settle(identityKey(identity), judged.tracked, effect, outcome, wasSent ? labels : [], this.#parts.now());
    }
    this.#parts.audit.hand(finishedRecord(call, { status, bytes: 0, total_ms: 0 }, this.#parts.now()));
  }

  /** What an answer answers: of a task of the agent's the question that it was made of. */
  #questionOf({ method, params }: UpstreamMessage & { kind: 'request' }): Question {
    const { session, method: within, target, subjectDigest } = this.#origin;
    const known = method === 'tasks/result' ? session.tasks.questionOf(params?.['taskId']) : undefined;
    if (known !== undefined) return known;
    const asked = askedOf(method, params);
    if (within === undefined || target === undefined || subjectDigest === undefined) return { asked };
    return { asked, within: { method: within, target, subjectDigest } };
  }

  #snapshot(asked: Call): Call['snapshot'] {
    return { release: this.#parts.release(), endpoint: this.#parts.endpoint(asked.session.endpoint) ?? asked.snapshot.endpoint };
  }

  /** Tells the upstream that its request is refused, so that it does not wait. */
  async #refuse(message: UpstreamMessage & { kind: 'request' }, words: string, outcome: Verdict | undefined): Promise<void> {
    const decision = outcome?.decision ?? noDecision;
    const call = outcome?.call;
    try {
      await this.session().notify(
        refusalPermit(
          this.#upstream,
          message.id,
          words,
          new GatewayError('policy.denied', words).rpcCode,
          decision,
          call?.id ?? ('' as Call['id']),
        ),
      );
    } catch (error) {
      // The upstream cannot be told: it is gone, and its request with it.
      this.#parts.observer.failed(call?.id ?? '', error);
    }
  }
}

const noDecision: Decision = {
  effect: 'deny',
  reasons: [],
  redactions: [],
  labels: [],
  limits: [],
  dryRun: [],
  release: 'none' as Decision['release'],
  inputDigest: '' as Decision['inputDigest'],
  tookMs: 0,
};

/** The session at an upstream that belongs to an agent's session; opened at its first use. */
export function upstreamSession(parts: Parts, origin: Origin, upstream: string): UpstreamSession {
  const { session } = origin;
  const owner = session.owner(upstream, (message) => unsolicited(parts, session, upstream, message));
  return parts.upstreams.session(upstream, owner);
}

/** Tells the upstreams that a session has used whether its agent listens now to what belongs to no call. */
export function listenUpstreams(parts: Parts, session: Session, active: boolean): void {
  const configured = new Set(parts.endpoint(session.endpoint)?.upstreamsFor('') ?? []);
  for (const upstream of session.used()) {
    if (!configured.has(upstream)) continue;
    const owner = session.owner(upstream, (message) => unsolicited(parts, session, upstream, message));
    parts.upstreams.session(upstream, owner).listen(active);
  }
}

/** What an upstream sends outside of any call: judged in the name of the session's identity, for its standalone stream. */
export function unsolicited(parts: Parts, session: Session, upstream: string, message: UpstreamMessage): void {
  const endpoint = parts.endpoint(session.endpoint);
  if (session.closed || endpoint === undefined) {
    parts.strays.take(strayOf(session, upstream, message, 'the session that it came to has ended'));
    return;
  }
  const make = (): MessageLane => {
    const arrival = { receivedAtMs: parts.now(), ip: '', userAgent: '', traceId: undefined, bytes: 0 };
    // The lane outlives tokens: whoever holds the session when a message comes is the one in whose name it is judged.
    const origin: Origin = {
      session,
      get identity() {
        return session.identity;
      },
      arrival,
      snapshot: { release: parts.release(), endpoint },
    };
    return new MessageLane(parts, origin, upstream, { send: (body) => session.standalone?.send(body) ?? false });
  };
  session.lane(upstream, make).take(message);
}
