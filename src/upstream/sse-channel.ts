import type { Channel, ChannelEvents, OutgoingNotice, OutgoingRequest } from './channel.ts';
import { Correlator } from './correlator.ts';
import type { CredentialSource } from './credentials.ts';
import { fault, faultCodeOf, openFault, reasonOf } from './faults.ts';
import { initializeParams, readHandshake, type Handshake, type Introduction } from './handshake.ts';
import { httpOnce } from './http-once.ts';
import type { HttpTarget } from './http-target.ts';
import { Inbox } from './inbox.ts';
import { openedWithin } from './opened-within.ts';
import { SessionMemory } from './session-memory.ts';
import { openSseStream } from './sse-stream.ts';
import type { RequestOptions, UpstreamReply } from './types.ts';
import { answerText, errorCodeOf, notificationText, parseMessage } from './wire.ts';

/** What a legacy SSE channel is made of. */
export interface SseChannelParts {
  readonly upstream: string;
  readonly target: HttpTarget;
  readonly credentials: CredentialSource;
  readonly introduction: Introduction;
  readonly timeoutMs: number;
  readonly maxMessageBytes: number;
  readonly memory: SessionMemory;
  readonly events: ChannelEvents;
}

/** An open stream and the place to post to. */
interface SseConnection {
  readonly correlator: Correlator;
  readonly inbox: Inbox;
  readonly handshake: Handshake;
  readonly post: (text: string) => Promise<void>;
  readonly end: () => void;
}

/**
 * One session with one upstream over the HTTP+SSE transport of 2024-11-05: all comes back on one GET stream, and what is sent goes to the
 * address that its `endpoint` event names, on the same origin only.
 * @see https://modelcontextprotocol.io/specification/2024-11-05/basic/transports#http-with-sse
 */
export class SseChannel implements Channel {
  readonly #parts: SseChannelParts;
  #connection: SseConnection | undefined;
  #opening: Promise<SseConnection> | undefined;
  #opens = 0;
  #closed = false;

  constructor(parts: SseChannelParts) {
    this.#parts = parts;
  }

  get busy(): number {
    return this.#connection?.correlator.size ?? 0;
  }

  async open(): Promise<Handshake> {
    return (await this.#open()).handshake;
  }

  async request(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> {
    if (this.#closed) throw fault('upstream.unreachable', this.#parts.upstream, 'the session was closed');
    const askedAtMs = Date.now();
    const connection = this.#connection ?? (await openedWithin(this.#open(), options, this.#parts.upstream));
    const timeoutMs = Math.max(1, options.timeoutMs - (Date.now() - askedAtMs));
    const answered = connection.correlator.request(message, { ...options, timeoutMs }, 'agent');
    return SessionMemory.concerns(message.method) ? this.#parts.memory.follow(message, answered) : answered;
  }

  async notify(message: OutgoingNotice): Promise<void> {
    if (this.#closed) throw fault('upstream.unreachable', this.#parts.upstream, 'the session was closed');
    const { inbox, post } = await this.#open();
    await post(message.kind === 'reply' ? answerText(inbox.take(message.to), message) : notificationText(message.method, message.params));
  }

  listen(): void {
    // The one stream of this transport is always open.
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#connection?.correlator.cancelAll('agent');
    this.#connection?.end();
    this.#connection = undefined;
    return Promise.resolve();
  }

  #open(): Promise<SseConnection> {
    if (this.#connection !== undefined) return Promise.resolve(this.#connection);
    this.#opening ??= this.#connect()
      .catch((error: unknown) => {
        this.#log('open_failed', error);
        if (!this.#closed) this.#parts.events.onUnreachable();
        throw openFault(this.#parts.upstream, error);
      })
      .finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #connect(): Promise<SseConnection> {
    const { upstream, target, credentials, introduction, timeoutMs, maxMessageBytes, events } = this.#parts;
    const generation = ++this.#opens;
    const credential = await credentials.fetch();
    const headers = [...target.headers, ...credential];
    let path = '';
    const post = (text: string): Promise<void> => this.#post(path, headers, text);
    const inbox = new Inbox(`r${generation}.`, {
      answer: (id, answer) => void post(answerText(id, answer)).catch((error: unknown) => this.#log('answer_failed', error)),
      onListChanged: (kind) => events.onListChanged(kind),
      onStray: events.onStray,
    });
    const correlator = new Correlator(upstream, inbox, (text, id) => {
      post(text).catch((error: unknown) => {
        this.#log('post_failed', error);
        if (id !== undefined) correlator.fail(id, faultCodeOf(error), reasonOf(error));
      });
      return true;
    });
    const stream = await openSseStream({
      ...{ upstream, target, headers, timeoutMs, maxMessageBytes },
      onMessage: (data, bytes) => this.#onMessage(data, bytes, correlator, inbox),
      onEnd: (code, why) => {
        if (code === 'upstream.credential') credentials.refused(credential);
        if (this.#connection?.correlator === correlator) this.#connection = undefined;
        correlator.failAll(code, why);
      },
    });
    path = stream.path;
    try {
      const message = { kind: 'request', method: 'initialize', params: initializeParams(introduction) } as const;
      const reply = await correlator.request(message, { timeoutMs }, undefined);
      if (reply.kind === 'error') {
        throw fault('upstream.protocol', upstream, `initialize was refused with code ${errorCodeOf(reply.error)}`);
      }
      const handshake = readHandshake(reply.result);
      await post(notificationText('notifications/initialized', undefined));
      if (this.#closed) throw fault('upstream.unreachable', upstream, 'the session was closed while it was opened');
      this.#connection = { correlator, inbox, handshake, post, end: () => stream.close() };
      if (generation > 1) events.onReopened();
      for (const each of this.#parts.memory.replay())
        correlator.request(each, { timeoutMs }, undefined).catch((error: unknown) => this.#log('replay_failed', error));
      return this.#connection;
    } catch (error) {
      stream.close();
      throw error;
    }
  }

  async #post(path: string, headers: readonly string[], body: string): Promise<void> {
    const { upstream, target, timeoutMs } = this.#parts;
    const all = ['content-type', 'application/json', 'accept-encoding', 'identity', ...headers];
    const outcome = await httpOnce(target.calls, { method: 'POST', path, headers: all, body }, timeoutMs);
    if (outcome.kind === 'failure') throw fault('upstream.unreachable', upstream, outcome.failure.why, outcome.failure.cause);
    const { status } = outcome;
    if (status === 401 || status === 403) throw fault('upstream.credential', upstream, `status ${status}`);
    if (status >= 300) throw fault(status >= 500 ? 'upstream.unreachable' : 'upstream.protocol', upstream, `status ${status}`);
  }

  #onMessage(data: string, bytes: number, correlator: Correlator, inbox: Inbox): void {
    try {
      const message = parseMessage(data);
      if (message.kind === 'response') {
        if (!correlator.settle(message, bytes))
          this.#parts.events.onStray({ form: 'response', method: undefined, why: 'no call waits for it' });
      }
      // The stream is this agent's own: what belongs to no single call still belongs to this agent.
      else inbox.accept(message, correlator.onlyCall(message.kind) ?? this.#parts.events.onMessage);
    } catch (error) {
      this.#log('message_dropped', error);
    }
  }

  #log(event: string, error: unknown): void {
    this.#parts.events.log({ level: 'warn', event, upstream: this.#parts.upstream, detail: { reason: reasonOf(error) } });
  }
}
