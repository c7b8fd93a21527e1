import type { OnStray } from './channel.ts';
import { reasonOf } from './faults.ts';
import { HttpExchange, type ExchangeEvents, type ExchangeFailure } from './http-exchange.ts';
import type { HttpTarget } from './http-target.ts';
import { Backoff } from './timing.ts';
import type { UpstreamLog, UpstreamTiming } from './types.ts';
import { parseMessage, type Incoming } from './wire.ts';

/** What a listener is made of. */
export interface HttpListenerParts {
  readonly upstream: string;
  readonly target: HttpTarget;
  readonly headers: () => readonly string[];
  readonly maxMessageBytes: number;
  readonly timing: UpstreamTiming;
  readonly log: UpstreamLog;
  onMessage(message: Exclude<Incoming, { kind: 'response' }>): void;
  readonly onStray: OnStray;
  /** The upstream does not know the session any more. */
  onLost(): void;
}

/**
 * The GET stream on which an upstream sends what belongs to no call. Opened again with back-off and from the last event; an upstream that
 * offers none (405) is left alone.
 */
export class HttpListener implements ExchangeEvents {
  readonly #parts: HttpListenerParts;
  readonly #backoff: Backoff;
  #exchange: HttpExchange | undefined;
  #timer: NodeJS.Timeout | undefined;
  #offered = false;
  #stopped = false;

  constructor(parts: HttpListenerParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.timing.retryMinMs, parts.timing.retryMaxMs);
  }

  start(): void {
    if (this.#stopped) return;
    const { target, headers, maxMessageBytes } = this.#parts;
    const lastEventId = this.#exchange?.lastEventId;
    this.#exchange = new HttpExchange(this, maxMessageBytes, true);
    this.#exchange.lastEventId = lastEventId;
    const resume = lastEventId === undefined ? [] : ['last-event-id', lastEventId];
    target.streams.dispatch({ path: target.path, method: 'GET', headers: [...headers(), ...resume] }, this.#exchange);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#exchange?.cancel();
  }

  onBody(status: number): void {
    // Some upstreams answer 404 or 400 where they mean that they have no such stream (405): only one that gave it before lost the session.
    if ((status === 404 || status === 400) && this.#offered) this.#parts.onLost();
    else if (status >= 500 || status === 429) this.#again();
  }

  onEvent(type: string | undefined, data: string): 'more' {
    if (this.#stopped || (type !== undefined && type !== 'message')) return 'more';
    try {
      const message = parseMessage(data);
      this.#backoff.reset();
      // No answer is due on this stream; one that comes could only be another call's.
      if (message.kind !== 'response') this.#parts.onMessage(message);
      else this.#parts.onStray({ form: 'response', method: undefined, why: 'no answer is due where it came' });
    } catch (error) {
      this.#parts.log({
        level: 'warn',
        event: 'stream_message_dropped',
        upstream: this.#parts.upstream,
        detail: { reason: reasonOf(error) },
      });
    }
    return 'more';
  }

  onStreamEnd(): void {
    this.#again();
  }

  onFailure(failure: ExchangeFailure): void {
    this.#parts.log({ level: 'debug', event: 'stream_failed', upstream: this.#parts.upstream, detail: { reason: failure.why } });
    this.#again();
  }

  #again(): void {
    if (this.#stopped) return;
    const type = this.#exchange?.responseHeaders['content-type'];
    if (typeof type === 'string' && type.startsWith('text/event-stream')) this.#offered = true;
    const waitMs = Math.max(this.#backoff.nextMs(), this.#exchange?.retryMs ?? 0);
    this.#timer = setTimeout(() => this.start(), Math.min(waitMs, this.#parts.timing.retryMaxMs));
    this.#timer.unref();
  }
}
