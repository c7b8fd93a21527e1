import type { Channel, OutgoingNotice, OutgoingRequest } from './channel.ts';
import { fault } from './faults.ts';
import type { Handshake } from './handshake.ts';
import { openedWithin } from './opened-within.ts';
import type { StdioConnection, StdioLink } from './stdio-link.ts';
import type { RequestOptions, UpstreamMessage, UpstreamReply } from './types.ts';
import { answerText, notificationText } from './wire.ts';

/** One owner's part of a shared child. */
export class StdioChannel implements Channel {
  readonly #link: StdioLink;
  readonly #owner: string | undefined;
  readonly #onMessage: ((message: UpstreamMessage) => void) | undefined;
  #closed = false;

  /** Without an owner it is the gateway's own. */
  constructor(link: StdioLink, owner: string | undefined, onMessage: ((message: UpstreamMessage) => void) | undefined) {
    this.#link = link;
    this.#owner = owner;
    this.#onMessage = onMessage;
  }

  get busy(): number {
    return this.#owner === undefined ? 0 : (this.#link.connection?.correlator.busyFor(this.#owner) ?? 0);
  }

  async open(): Promise<Handshake> {
    return (await this.#link.open()).handshake;
  }

  async request(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> {
    if (this.#closed) throw fault('upstream.unreachable', this.#link.upstream, 'the session was closed');
    const askedAtMs = Date.now();
    const connection = this.#link.connection ?? (await openedWithin(this.#link.open(), options, this.#link.upstream));
    const timeoutMs = Math.max(1, options.timeoutMs - (Date.now() - askedAtMs));
    const uri = message.params?.['uri'];
    if (typeof uri === 'string' && message.method === 'resources/subscribe') return this.#subscribe(connection, uri, message, options);
    if (typeof uri === 'string' && message.method === 'resources/unsubscribe') {
      const subscribers = this.#link.subscribersOf(uri);
      subscribers.delete(this.#owner ?? '');
      // Another session still wants to hear of it.
      if (subscribers.size > 0) return { kind: 'result', result: {}, bytes: 0 };
    }
    const reply = await connection.correlator.request(message, { ...options, timeoutMs }, this.#owner);
    if (message.method === 'logging/setLevel' && reply.kind === 'result') this.#link.logLevel = message.params;
    return reply;
  }

  async notify(message: OutgoingNotice): Promise<void> {
    if (this.#closed) throw fault('upstream.unreachable', this.#link.upstream, 'the session was closed');
    const { child, inbox } = await this.#link.open();
    const text = message.kind === 'reply' ? answerText(inbox.take(message.to), message) : notificationText(message.method, message.params);
    if (!child.write(text)) throw fault('upstream.unreachable', this.#link.upstream, 'the child does not read what it is sent');
  }

  listen(): void {
    // A child writes what it wants to its one stream; what belongs to nobody was dropped there.
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    if (this.#owner === undefined) return Promise.resolve();
    this.#link.connection?.correlator.cancelAll(this.#owner);
    for (const uri of this.#link.forgetSubscriber(this.#owner)) {
      const message = { kind: 'request', method: 'resources/unsubscribe', params: { uri } } as const;
      const sent = this.#link.connection?.correlator.request(message, { timeoutMs: 5_000 }, undefined);
      // The session is gone either way; the child only sends notices that nobody hears.
      sent?.catch(() => undefined);
    }
    return Promise.resolve();
  }

  async #subscribe(connection: StdioConnection, uri: string, message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> {
    const owner = this.#owner;
    const subscribers = this.#link.subscribersOf(uri);
    const wasSubscribed = owner !== undefined && subscribers.has(owner);
    // Before it is asked: the first news may stand right behind the answer.
    if (owner !== undefined && this.#onMessage !== undefined) subscribers.set(owner, this.#onMessage);
    let isSubscribed = wasSubscribed;
    try {
      const reply = await connection.correlator.request(message, options, owner);
      isSubscribed ||= reply.kind === 'result';
      return reply;
    } finally {
      if (owner !== undefined && (!isSubscribed || this.#closed)) this.#link.subscribersOf(uri).delete(owner);
    }
  }
}
