import type { OnStray } from './channel.ts';
import { reasonOf } from './faults.ts';
import { HttpExchange, type ExchangeEvents, type ExchangeFailure } from './http-exchange.ts';
import { readRefusal } from './http-refusal.ts';
import type { ListenEnd, ListenEvents } from './modern-carrier.ts';
import { metaKey } from './modern-wire.ts';
import { parseMessage, type Incoming } from './wire.ts';
import { isJsonObject } from '../model/json.ts';

/** What one stream is made of. */
export interface ModernHttpListenParts {
  /** Of the `subscriptions/listen` request. */
  readonly id: number;
  readonly events: ListenEvents;
  readonly maxMessageBytes: number;
  readonly onStray: OnStray;
  /** Sends the request; gives what to do when its credential is refused. */
  dispatch(exchange: HttpExchange): Promise<() => void>;
}

/**
 * One `subscriptions/listen` over HTTP. An upstream that tears it down may answer it, cancel it or just end the stream: all mean the same.
 */
export class ModernHttpListen implements ExchangeEvents {
  readonly #parts: ModernHttpListenParts;
  readonly #exchange: HttpExchange;
  #onRefusedCredential: (() => void) | undefined;
  #ended = false;

  constructor(parts: ModernHttpListenParts) {
    this.#parts = parts;
    this.#exchange = new HttpExchange(this, parts.maxMessageBytes, true);
    parts.dispatch(this.#exchange).then(
      (onRefusedCredential) => (this.#onRefusedCredential = onRefusedCredential),
      (error: unknown) => this.#end({ kind: 'lost', why: reasonOf(error) }),
    );
  }

  close(): void {
    this.#ended = true;
    this.#exchange.cancel();
  }

  onBody(status: number, _headers: unknown, body: Buffer): void {
    if (status === 401 || status === 403) this.#onRefusedCredential?.();
    const refused = status < 300 ? undefined : readRefusal(body, this.#parts.id);
    if (refused !== undefined) this.#end({ kind: 'refused', error: refused });
    else if (status < 300) this.#onMessage(body);
    if (!this.#ended) this.#end({ kind: 'lost', why: `status ${status}` });
  }

  onEvent(type: string | undefined, data: string): 'more' | 'final' {
    if (this.#ended) return 'final';
    if (type === undefined || type === 'message') this.#onMessage(data);
    return this.#hasEnded() ? 'final' : 'more';
  }

  onStreamEnd(): void {
    this.#end({ kind: 'lost', why: 'the stream ended' });
  }

  onFailure(failure: ExchangeFailure): void {
    this.#end({ kind: 'lost', why: failure.why });
  }

  #onMessage(data: string | Buffer): void {
    let message: Incoming;
    try {
      message = parseMessage(data);
    } catch (error) {
      this.#exchange.cancel();
      this.#end({ kind: 'lost', why: reasonOf(error) });
      return;
    }
    const { id, events, onStray } = this.#parts;
    if (message.kind === 'response') {
      if (message.id !== id || message.error === undefined) this.#end({ kind: 'lost', why: 'the upstream ended it' });
      else this.#end({ kind: 'refused', error: message.error });
    } else if (message.kind === 'notification') {
      if (message.method === 'notifications/cancelled') this.#end({ kind: 'lost', why: 'the upstream cancelled it' });
      else if (this.#isOurs(message)) events.onNotice(message);
      else onStray({ form: 'notification', method: message.method, why: 'it names another stream than the one it came on' });
    } else {
      onStray({ form: 'request', method: message.method, why: 'servers of its era make no requests' });
    }
  }

  /** A notice that carries the id of another stream is not ours. */
  #isOurs({ params }: Extract<Incoming, { kind: 'notification' }>): boolean {
    const meta = params?.['_meta'];
    const id = isJsonObject(meta) ? meta[metaKey.subscriptionId] : undefined;
    return id === undefined || id === this.#parts.id;
  }

  #hasEnded(): boolean {
    return this.#ended;
  }

  #end(end: ListenEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#parts.events.onEnd(end);
  }
}
