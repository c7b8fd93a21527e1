import { withTraceHeaders } from '../model/trace-scope.ts';
import type { Channel, ChannelEvents, OutgoingNotice, OutgoingRequest, RetrySafe } from './channel.ts';
import type { CredentialSource } from './credentials.ts';
import { fault, openFault, reasonOf } from './faults.ts';
import type { Handshake, Introduction } from './handshake.ts';
import { HttpCall } from './http-call.ts';
import type { IdentifiedRequest } from './http-call-port.ts';
import { HttpExchange, type ExchangeEvents } from './http-exchange.ts';
import { HttpListener } from './http-listener.ts';
import { SessionOpener, type OpeningChannel } from './http-opener.ts';
import { httpOnce } from './http-once.ts';
import { httpSession, noHandshake, type HttpSession } from './http-session.ts';
import type { HttpTarget } from './http-target.ts';
import { Inbox } from './inbox.ts';
import { SessionMemory } from './session-memory.ts';
import type { RequestOptions, UpstreamReply, UpstreamTiming } from './types.ts';
import { answerText, notificationText, requestText, withProgressToken } from './wire.ts';

/** What an HTTP channel is made of. */
export interface HttpChannelParts {
  readonly upstream: string;
  readonly target: HttpTarget;
  readonly credentials: CredentialSource;
  readonly introduction: Introduction;
  readonly listens: boolean;
  readonly timeoutMs: number;
  readonly maxMessageBytes: number;
  readonly retrySafe: RetrySafe;
  readonly memory: SessionMemory;
  readonly events: ChannelEvents;
  readonly timing: UpstreamTiming;
}

const deleteTimeoutMs = 2_000;

/**
 * One session with one upstream over Streamable HTTP, legacy eras. Opened at the first message; a session that the upstream lost is opened
 * again, single-flight, however many calls notice it at once.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
 */
export class HttpChannel implements Channel, OpeningChannel<HttpSession> {
  readonly upstream: string;
  readonly inbox: Inbox;
  readonly #parts: HttpChannelParts;
  readonly #calls = new Set<HttpCall<HttpSession>>();
  #session: HttpSession | undefined;
  #opening: Promise<HttpSession> | undefined;
  #listener: HttpListener | undefined;
  #listens: boolean;
  #wasOpen = false;
  #replays = 0;
  #closed = false;
  #lastId = 0;

  constructor(parts: HttpChannelParts) {
    this.#parts = parts;
    this.upstream = parts.upstream;
    this.#listens = parts.listens;
    this.inbox = new Inbox('r', {
      answer: (id, answer) => void this.#postNotice(answerText(id, answer)).catch((error: unknown) => this.#log('answer_failed', error)),
      onListChanged: (kind) => parts.events.onListChanged(kind),
      onStray: parts.events.onStray,
    });
  }

  get busy(): number {
    return this.#calls.size;
  }

  async open(): Promise<Handshake> {
    return (await this.ready()).handshake;
  }

  request(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> {
    if (this.#closed) return Promise.reject(fault('upstream.unreachable', this.upstream, 'the session was closed'));
    if (options.signal?.aborted === true) return Promise.reject(fault('call.cancelled', this.upstream, 'cancelled before it was sent'));
    const answered = this.#call(message, options);
    return SessionMemory.concerns(message.method) ? this.#parts.memory.follow(message, answered) : answered;
  }

  async notify(message: OutgoingNotice): Promise<void> {
    if (this.#closed) throw fault('upstream.unreachable', this.upstream, 'the session was closed');
    if (message.kind === 'reply') await this.#postNotice(answerText(this.inbox.take(message.to), message));
    else await this.#postNotice(notificationText(message.method, message.params));
  }

  listen(active: boolean): void {
    this.#listens = active;
    if (active) this.#startListener();
    else this.#stopListener();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopListener();
    for (const call of this.#calls) call.end('cancelled');
    const session = this.#session;
    this.#session = undefined;
    if (session?.sessionId === undefined) return;
    const { target } = this.#parts;
    // Upstreams may answer 405: a session that cannot be ended ends by itself.
    await httpOnce(target.streams, { method: 'DELETE', path: target.path, headers: session.getHeaders }, deleteTimeoutMs);
  }

  ready(): HttpSession | Promise<HttpSession> {
    const session = this.#session;
    if (session !== undefined) {
      const credential = this.#parts.credentials.peek();
      if (credential === session.credential) return session;
      return this.#withCredential(session);
    }
    this.#opening ??= this.#openSession().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  lost(state: HttpSession): void {
    if (this.#session?.sessionId !== state.sessionId) return;
    this.#session = undefined;
    this.inbox.forgetRequests();
    this.#stopListener();
    this.#parts.events.log({ level: 'info', event: 'session_lost', upstream: this.upstream });
  }

  credentialRefused(state: HttpSession): boolean {
    return this.#parts.credentials.refused(state.credential);
  }

  nextId(): number {
    return ++this.#lastId;
  }

  post(state: HttpSession, request: IdentifiedRequest, events: ExchangeEvents, pool: 'calls' | 'streams' = 'calls'): HttpExchange {
    const { target, maxMessageBytes } = this.#parts;
    const { id, message, reports } = request;
    const body = requestText(id, message.method, reports ? withProgressToken(message.params, id) : message.params);
    const exchange = new HttpExchange(events, maxMessageBytes);
    target[pool].dispatch({ path: target.path, method: 'POST', headers: withTraceHeaders(state.postHeaders), body }, exchange);
    return exchange;
  }

  resume(state: HttpSession, lastEventId: string, events: ExchangeEvents): HttpExchange {
    const { target, maxMessageBytes } = this.#parts;
    const exchange = new HttpExchange(events, maxMessageBytes);
    target.streams.dispatch({ path: target.path, method: 'GET', headers: [...state.getHeaders, 'last-event-id', lastEventId] }, exchange);
    return exchange;
  }

  giveUp(_state: HttpSession, id: number, why: string): void {
    const text = notificationText('notifications/cancelled', { requestId: id, reason: why });
    this.#postNotice(text).catch((error: unknown) => this.#log('cancel_failed', error));
  }

  retrySafe(message: OutgoingRequest): boolean {
    return this.#parts.retrySafe(message.method, message.params);
  }

  unreachable(): void {
    this.#parts.events.onUnreachable();
  }

  settled(call: HttpCall<HttpSession>): void {
    this.#calls.delete(call);
  }

  #call(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> {
    return new Promise((resolve, reject) => {
      const call = new HttpCall(this, message, options, resolve, reject);
      this.#calls.add(call);
      call.start();
    });
  }

  async #postNotice(body: string): Promise<void> {
    await this.#sendNotice(await this.ready(), body);
  }

  async #sendNotice(session: HttpSession, body: string): Promise<void> {
    const { target, timeoutMs } = this.#parts;
    const outcome = await httpOnce(target.streams, { method: 'POST', path: target.path, headers: session.postHeaders, body }, timeoutMs);
    if (outcome.kind === 'failure') throw fault('upstream.unreachable', this.upstream, outcome.failure.why, outcome.failure.cause);
    if (outcome.status === 404 && session.sessionId !== undefined) this.lost(session);
    if (outcome.status >= 300) throw fault('upstream.protocol', this.upstream, `a notification was answered with status ${outcome.status}`);
  }

  async #withCredential(session: HttpSession): Promise<HttpSession> {
    const credential = await this.#parts.credentials.fetch();
    const renewed = this.#sessionOf(session.sessionId, session.handshake, credential);
    // The session may have been lost while the token was fetched; then the call goes on and is told so.
    if (this.#session === session) this.#session = renewed;
    return renewed;
  }

  /** `initialize`, then `notifications/initialized`. */
  async #openSession(): Promise<HttpSession> {
    const { introduction, timeoutMs, events, credentials } = this.#parts;
    try {
      const opener = new SessionOpener<HttpSession>(this, async () => this.#sessionOf(undefined, noHandshake, await credentials.fetch()));
      const { handshake, sessionId, bare } = await opener.open(introduction, timeoutMs);
      const session = this.#sessionOf(sessionId, handshake, bare.credential);
      await this.#sendNotice(session, notificationText('notifications/initialized', undefined));
      if (this.#closed) throw fault('upstream.unreachable', this.upstream, 'the session was closed while it was opened');
      this.#session = session;
      if (this.#listens) this.#startListener();
      if (this.#wasOpen) events.onReopened();
      this.#replay();
      this.#wasOpen = true;
      return session;
    } catch (error) {
      this.#log('open_failed', error);
      if (!this.#closed) events.onUnreachable();
      throw openFault(this.upstream, error);
    }
  }

  #sessionOf(sessionId: string | undefined, handshake: Handshake, credential: readonly string[]): HttpSession {
    return httpSession(sessionId, handshake, credential, this.#parts.target.headers);
  }

  /** Asks again for what the owner asked of the session that was lost. The call that found it lost does not wait for it. */
  #replay(): void {
    const { memory, timeoutMs } = this.#parts;
    // Those that wait already go on in the new session by themselves.
    if (this.#replays > 0) return;
    for (const message of memory.replay()) {
      this.#replays++;
      void this.#call(message, { timeoutMs })
        .then((reply) => {
          if (reply.kind === 'error') this.#log('replay_failed', new Error(`\`${message.method}\` was refused`));
        })
        .catch((error: unknown) => this.#log('replay_failed', error))
        .finally(() => this.#replays--);
    }
  }

  #startListener(): void {
    const session = this.#session;
    const { events, target, timing, maxMessageBytes } = this.#parts;
    if (session === undefined || this.#listener !== undefined || this.#closed) return;
    this.#listener = new HttpListener({
      upstream: this.upstream,
      target,
      headers: () => (this.#session ?? session).getHeaders,
      maxMessageBytes,
      timing,
      log: events.log,
      onMessage: (message) => this.inbox.accept(message, events.onMessage),
      onStray: events.onStray,
      onLost: () => {
        this.lost(session);
        // Whoever listens waits for no call: the session is opened again at once, and its stream with it.
        void Promise.resolve(this.ready()).catch((error: unknown) => this.#log('reopen_failed', error));
      },
    });
    this.#listener.start();
  }

  #stopListener(): void {
    this.#listener?.stop();
    this.#listener = undefined;
  }

  #log(event: string, error: unknown): void {
    this.#parts.events.log({ level: 'warn', event, upstream: this.upstream, detail: { reason: reasonOf(error) } });
  }
}
