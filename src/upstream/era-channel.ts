import type { Channel, OutgoingNotice, OutgoingRequest } from './channel.ts';
import type { EraBook } from './era-book.ts';
import { fault } from './faults.ts';
import type { Handshake } from './handshake.ts';
import { openedWithin } from './opened-within.ts';
import { isOlderTransport } from './older-transport.ts';
import type { Dialect, RequestOptions, UpstreamReply } from './types.ts';
import { isWrongEra } from './wrong-era.ts';

/** What a channel of an unknown era is made of. */
export interface EraChannelParts {
  readonly upstream: string;
  readonly eras: EraBook;
  readonly listens: boolean;
  /** A channel of an era that was found. */
  make(era: Dialect, listens: boolean): Channel;
}

interface Inner {
  readonly era: Dialect;
  readonly channel: Channel;
  readonly epoch: number;
}

/**
 * A channel whose era is found at its first use. It keeps its era while that proves right: a session does not change eras under an agent.
 * Where an upstream says that the era is wrong it executed nothing, so the message goes again in the other one, once; the same where it does
 * not take `initialize` and turns out to have the transport before Streamable HTTP.
 */
export class EraChannel implements Channel {
  readonly #parts: EraChannelParts;
  #inner: Inner | undefined;
  #listens: boolean;
  #closed = false;

  constructor(parts: EraChannelParts) {
    this.#parts = parts;
    this.#listens = parts.listens;
  }

  get busy(): number {
    return this.#inner?.channel.busy ?? 0;
  }

  get freshForMs(): number | undefined {
    return this.#inner?.channel.freshForMs;
  }

  /** The gateway's own reader comes here at each look: an era that grew old is asked for again. */
  open(): Promise<Handshake> {
    return this.#twice(async () => {
      const inner = await this.#found(true);
      return { inner, outcome: inner.channel.open() };
    });
  }

  request(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> {
    const inner = this.#inner;
    // A session of the legacy eras finds out when it opens, so its calls need no look at how they end.
    if (inner?.era === 'legacy' && inner.epoch === this.#parts.eras.epoch) return inner.channel.request(message, options);
    const askedAtMs = performance.now();
    return this.#twice(async () => {
      const current = this.#current() ?? (await openedWithin(this.#found(false), options, this.#parts.upstream));
      const timeoutMs = Math.max(1, options.timeoutMs - (performance.now() - askedAtMs));
      return { inner: current, outcome: current.channel.request(message, { ...options, timeoutMs }) };
    });
  }

  async notify(message: OutgoingNotice): Promise<void> {
    const { channel } = this.#current() ?? (await this.#found(false));
    await channel.notify(message);
  }

  listen(active: boolean): void {
    this.#listens = active;
    this.#inner?.channel.listen(active);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#inner?.channel.close();
  }

  async #twice<Outcome>(work: () => Promise<{ readonly inner: Inner; readonly outcome: Promise<Outcome> }>): Promise<Outcome> {
    const { inner, outcome } = await work();
    try {
      return await outcome;
    } catch (error) {
      if (inner.era === 'legacy' && isOlderTransport(error)) {
        if (!(await this.#parts.eras.reconsider())) throw error;
        return (await work()).outcome;
      }
      if (!isWrongEra(error)) throw error;
      const before = this.#parts.eras.epoch;
      this.#parts.eras.forget(inner.era);
      if (before === this.#parts.eras.epoch && this.#parts.eras.known === inner.era) throw error;
      return (await work()).outcome;
    }
  }

  #current(): Inner | undefined {
    return this.#inner?.epoch === this.#parts.eras.epoch ? this.#inner : undefined;
  }

  async #found(renews: boolean): Promise<Inner> {
    if (this.#closed) throw fault('upstream.unreachable', this.#parts.upstream, 'the session was closed');
    const era = await this.#parts.eras.find();
    const { epoch } = this.#parts.eras;
    const old = this.#inner;
    if (old !== undefined && (old.era === era || (!renews && old.epoch === epoch))) return (this.#inner = { ...old, epoch });
    if (this.#isClosed()) throw fault('upstream.unreachable', this.#parts.upstream, 'the session was closed');
    this.#inner = { era, epoch, channel: this.#parts.make(era, this.#listens) };
    void old?.channel.close();
    return this.#inner;
  }

  #isClosed(): boolean {
    return this.#closed;
  }
}
