import type { JsonObject } from '../model/json.ts';
import type { OutgoingRequest } from './channel.ts';
import { fault, reasonOf } from './faults.ts';
import type { Handshake } from './handshake.ts';
import type { ListenEnd, ListenEvents, ModernCarrier } from './modern-carrier.ts';
import { openedWithin } from './opened-within.ts';
import type { StdioLink } from './stdio-link.ts';
import type { RequestOptions, UpstreamReply } from './types.ts';

/** The longest that a timer can wait: a stream that stays open has no end of its own. */
const endlessMs = 2 ** 31 - 1;

/** Carries one owner's requests of the modern era to a child that all owners share. */
export class ModernStdio implements ModernCarrier {
  readonly #link: StdioLink;
  readonly #owner: string | undefined;
  #closed = false;

  /** Without an owner it is the gateway's own. */
  constructor(link: StdioLink, owner: string | undefined) {
    this.#link = link;
    this.#owner = owner;
  }

  get busy(): number {
    return this.#owner === undefined ? 0 : (this.#link.connection?.correlator.busyFor(this.#owner) ?? 0);
  }

  async discover(): Promise<Handshake> {
    return (await this.#link.open()).handshake;
  }

  async send(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> {
    if (this.#closed) throw fault('upstream.unreachable', this.#link.upstream, 'the session was closed');
    const askedAtMs = performance.now();
    const connection = this.#link.connection ?? (await openedWithin(this.#link.open(), options, this.#link.upstream));
    const timeoutMs = Math.max(1, options.timeoutMs - (performance.now() - askedAtMs));
    return connection.correlator.request(message, { ...options, timeoutMs }, this.#owner);
  }

  listen(params: JsonObject, events: ListenEvents): { close(): void } {
    const leaving = new AbortController();
    const end = (how: ListenEnd): void => {
      if (leaving.signal.aborted) return;
      leaving.abort();
      events.onEnd(how);
    };
    this.#listen(params, events, leaving.signal, end).catch((error: unknown) => end({ kind: 'lost', why: reasonOf(error) }));
    return { close: () => leaving.abort() };
  }

  close(): Promise<void> {
    this.#closed = true;
    if (this.#owner !== undefined) this.#link.connection?.correlator.cancelAll(this.#owner);
    return Promise.resolve();
  }

  async #listen(params: JsonObject, events: ListenEvents, signal: AbortSignal, end: (how: ListenEnd) => void): Promise<void> {
    const { correlator, notices } = await this.#link.open();
    const message: OutgoingRequest = { kind: 'request', method: 'subscriptions/listen', params };
    let id: number | undefined;
    try {
      const reply = await correlator.request(message, { signal, timeoutMs: endlessMs }, undefined, (given) => {
        id = given;
        notices.set(given, {
          onNotice: (notice) => {
            if (!signal.aborted) events.onNotice(notice);
          },
          onEnd: end,
        });
      });
      end(reply.kind === 'error' ? { kind: 'refused', error: reply.error } : { kind: 'lost', why: 'the upstream ended it' });
    } finally {
      if (id !== undefined) notices.delete(id);
    }
  }
}
