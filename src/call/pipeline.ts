import { Cancellation, type CancelSignal } from '../model/cancellation.ts';
import { asGatewayError, GatewayError } from '../model/errors.ts';
import { identityKey, type Identity } from '../model/identity.ts';
import type { JsonObject } from '../model/json.ts';
import { findToolName } from '../model/own-tools.ts';
import type { AgentChannel, Answer, Arrival, Call, Snapshot } from './call.ts';
import { permitFor } from './act.ts';
import { answerHere, toEvery } from './answer-here.ts';
import { judge } from './judge.ts';
import { Listens } from './listen.ts';
import { answerList } from './lists.ts';
import { listenUpstreams, upstreamSession } from './messages.ts';
import { kindOf, ruleOf } from './methods.ts';
import type { LogLevel } from './modern-meta.ts';
import { asModern } from './modern-reply.ts';
import type { Parts } from './parts.ts';
import { finishedRecord, refusedRecord } from './record.ts';
import { relay } from './relay.ts';
import { callOf, resolve, resolveUnknown } from './resolve.ts';
import { takeRetry } from './retry.ts';
import { Rounds } from './rounds.ts';
import type { RpcNotification, RpcRequest, RpcResponse } from './rpc.ts';
import type { Session } from './session.ts';
import { answerTask, withTask } from './tasks.ts';
import { answerFindTool } from './tool-search.ts';

/** One message of an agent's, with what the transport knows about it. */
export interface Incoming<Message> {
  readonly session: Session;
  readonly identity: Identity;
  readonly arrival: Arrival;
  readonly message: Message;
  /** Aborts when the agent went away, where that cancels. */
  readonly signal?: CancelSignal;
  /** From which level on this very request wants log messages, where requests say so one by one. */
  readonly logLevel?: LogLevel | undefined;
}

/**
 * The one decision point. Every message of an agent's comes through here, whatever its method; what an upstream sends comes through
 * {@link MessageLane}. Both judge, record and only then act.
 */
export class Pipeline {
  readonly #parts: Parts;
  readonly #rounds: Rounds;
  readonly #listens: Listens;
  #inFlight = 0;
  #stopping = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#rounds = new Rounds(parts);
    this.#listens = new Listens(parts);
  }

  /** Calls that are being worked on. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** From now on requests are refused with `gateway.stopping`; those in flight go on. */
  stop(): void {
    this.#stopping = true;
  }

  /**
   * Answers a request. Every fault of the call itself is an answer that says why.
   * @throws GatewayError `gateway.stopping`, `gateway.overloaded`: the request was not accepted at all
   */
  async request(incoming: Incoming<RpcRequest>, channel: AgentChannel): Promise<Answer> {
    const { session, message } = incoming;
    if (this.#stopping) throw new GatewayError('gateway.stopping', 'the gateway is stopping; repeat the request in a moment');
    if (this.#inFlight >= this.#parts.settings().maxCallsInFlight) {
      throw new GatewayError('gateway.overloaded', 'the gateway has too many calls in flight; repeat the request in a moment');
    }
    const { isStateless } = session;
    const key = isStateless ? Symbol('request') : message.id;
    if (session.inflight.has(key))
      return this.#refused(incoming, new GatewayError('rpc.invalid', 'a request with this id is in flight in this session'));
    const abort = new Cancellation();
    const leave = (): void => abort.abort();
    incoming.signal?.addEventListener('abort', leave);
    session.inflight.set(key, { abort });
    this.#inFlight++;
    let answer: Answer;
    try {
      answer = await this.#answer(incoming, channel, abort);
    } catch (error) {
      answer = this.#refused(incoming, asGatewayError(error));
    } finally {
      this.#inFlight--;
      session.inflight.delete(key);
      incoming.signal?.removeEventListener('abort', leave);
    }
    return isStateless ? asModern(answer, message.method, this.#parts.settings().serverInfo) : answer;
  }

  /**
   * Serves a stream that an agent listens on, which is no call in flight: it may stay open for days. Gives the answer where there is one to
   * send, and `undefined` where the stream has ended already.
   * @throws GatewayError as {@link request}
   */
  async subscribe(incoming: Incoming<RpcRequest>, channel: AgentChannel, signal: CancelSignal): Promise<Answer | undefined> {
    const { session, identity, arrival, message } = incoming;
    if (this.#stopping) throw new GatewayError('gateway.stopping', 'the gateway is stopping; repeat the request in a moment');
    let answer: Answer | undefined;
    try {
      const snapshot = this.#snapshot(session);
      const { call } = resolve({ session, identity, arrival, snapshot, method: message.method, params: message.params });
      answer = await this.#listens.serve(call, message.id, channel, signal);
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'session.limit') throw error;
      answer = this.#refused(incoming, asGatewayError(error));
    }
    return answer === undefined ? undefined : asModern(answer, message.method, this.#parts.settings().serverInfo);
  }

  /** Takes a notification; faults are recorded and end here, since a notification has no answer. */
  async notification(incoming: Incoming<RpcNotification>): Promise<void> {
    try {
      await this.#notify(incoming);
    } catch (error) {
      this.#refused(incoming, asGatewayError(error));
    }
  }

  /** Takes the agent's answer to a request of an upstream. @throws GatewayError `rpc.invalid` when nobody asked */
  response(incoming: Incoming<RpcResponse>): void {
    const { session, identity, message } = incoming;
    const question = session.questions.get(message.id);
    if (question === undefined) throw new GatewayError('rpc.invalid', 'no request with this id waits for an answer in this session');
    session.questions.delete(message.id);
    session.identity = identity;
    question.answer(message);
  }

  /** The agent of a session opened, or lost, the stream that carries what belongs to no call. */
  listen(session: Session, active: boolean): void {
    listenUpstreams(this.#parts, session, active);
  }

  /** Records a request that never became a call, and gives the error as it goes out. */
  refuse(
    error: GatewayError,
    facts: {
      readonly endpoint: string;
      readonly tenant: string;
      readonly arrival: Arrival;
      readonly identity?: Identity;
      readonly method?: string;
    },
  ): void {
    const { endpoint, tenant, arrival, identity, method } = facts;
    const { ip, traceId, bytes } = arrival;
    this.#parts.observer.refused(error.code);
    this.#parts.audit.hand(
      refusedRecord({
        atMs: this.#parts.now(),
        tenant,
        code: error.code,
        message: error.message,
        ip,
        endpoint,
        bytes,
        trace: traceId,
        ...(identity === undefined ? {} : { identity }),
        ...(method === undefined ? {} : { method }),
      }),
    );
  }

  /** May throw at once, or reject: its one caller takes both alike. */
  #answer(incoming: Incoming<RpcRequest>, channel: AgentChannel, signal: CancelSignal): Promise<Answer> {
    const startedMs = performance.now();
    const { session, identity, arrival, message } = incoming;
    const snapshot = this.#snapshot(session);
    const rule = ruleOf(message.method, session.isStateless);
    const { params, retry } = session.isStateless ? takeRetry(message.method, message.params) : { ...message, retry: undefined };
    const arriving = { session, identity, arrival, snapshot, method: message.method, params };
    if (rule?.kind === 'task' && rule.form === 'request') return answerTask(this.#parts, arriving, channel, signal);
    const resolved = rule === undefined ? resolveUnknown(arriving) : resolve(arriving);
    this.#parts.observer.stage('resolve', performance.now() - startedMs);
    if (rule?.from === 'upstream' || rule?.form === 'notification')
      throw new GatewayError('rpc.method_unknown', `\`${message.method}\` is not a request that an agent makes`);
    if (rule?.route === 'list') return answerList(this.#parts, resolved.call);
    const { toolSearch } = snapshot.endpoint;
    if (toolSearch !== undefined && resolved.call.target.name === findToolName && resolved.upstream === null)
      return answerFindTool(this.#parts, resolved.call, toolSearch);
    if (rule?.route !== 'one') return answerHere(this.#parts, resolved, rule?.route ?? 'unknown');
    const sent = withTask(resolved);
    const round = retry === undefined ? undefined : this.#rounds.begin(sent, retry, incoming.logLevel);
    return relay(this.#parts, sent, channel, signal, round);
  }

  async #notify(incoming: Incoming<RpcNotification>): Promise<void> {
    const { session, identity, arrival, message } = incoming;
    const snapshot = this.#snapshot(session);
    const params = message.params ?? {};
    const target = { kind: kindOf(message.method), server: null, name: message.method };
    const call = callOf({ session, identity, arrival, snapshot, phase: 'call', method: message.method, target, subject: params });
    const judged = await judge(this.#parts, call, { track: false });
    const allowed = judged.decision.effect !== 'deny' && judged.held === undefined;
    if (allowed && !session.isStateless) await this.#deliver(call, judged.subject, judged.decision);
    this.#parts.audit.hand(
      finishedRecord(
        call,
        { status: allowed ? 'ok' : 'denied', bytes: 0, total_ms: this.#parts.now() - arrival.receivedAtMs },
        this.#parts.now(),
      ),
    );
  }

  async #deliver(call: Call, params: JsonObject, decision: Parameters<typeof permitFor>[2]): Promise<void> {
    const { session, method } = call;
    if (method === 'notifications/cancelled') {
      const id = params['requestId'];
      if (typeof id === 'string' || typeof id === 'number') session.inflight.get(id)?.abort.abort();
    } else if (method === 'notifications/roots/list_changed') {
      await toEvery(this.#parts, { call, upstream: null, outgoing: (subject) => subject }, 'notification', params, decision);
    } else if (method === 'notifications/progress') {
      const upstream = session.questionOf(params['progressToken']);
      if (upstream === undefined) return;
      const permit = permitFor(upstream, { kind: 'notification', method, params }, decision, call.id);
      await upstreamSession(this.#parts, call, upstream).notify(permit);
    } else if (method === 'notifications/tasks/status') {
      const upstream = session.tasks.ownerOf(params['taskId']);
      if (upstream === undefined) return;
      const permit = permitFor(upstream, { kind: 'notification', method, params }, decision, call.id);
      await upstreamSession(this.#parts, call, upstream).notify(permit);
    }
  }

  #snapshot(session: Session): Snapshot {
    const endpoint = this.#parts.endpoint(session.endpoint);
    if (endpoint === undefined) throw new GatewayError('endpoint.unknown', `there is no endpoint \`${session.endpoint}\` any more`);
    return { release: this.#parts.release(), endpoint };
  }

  #refused(incoming: Incoming<RpcRequest | RpcNotification>, error: GatewayError): Answer {
    const { session, identity, arrival, message } = incoming;
    if (error.code === 'gateway.internal') this.#parts.observer.failed('', error);
    this.refuse(error, { endpoint: session.endpoint, tenant: identity.tenant, arrival, identity, method: message.method });
    if (message.method === 'tools/call' && error.code === 'rpc.params' && error.message.startsWith('the arguments of')) {
      // MCP 2025-11-25, server/tools: input that fails the schema is a tool execution error, so that the model can correct itself.
      return { result: { content: [{ type: 'text', text: `${error.message}. correct the arguments and call again` }], isError: true } };
    }
    return {
      error: { code: error.rpcCode, message: error.message, ...(error.detail === undefined ? {} : { data: error.detail as JsonObject }) },
    };
  }
}

/** Whether two identities are the same caller on the same session. */
export function ownsSession(session: Session, identity: Identity): boolean {
  return session.identityKey === identityKey(identity);
}
