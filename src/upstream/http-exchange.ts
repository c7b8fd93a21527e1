import { isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { Dispatcher } from 'undici';

/** How an exchange can fail. `network`: the connection; `sent` says whether the request may have reached the upstream. */
export interface ExchangeFailure {
  readonly kind: 'network' | 'too_large' | 'protocol';
  readonly why: string;
  readonly sent: boolean;
  readonly cause?: unknown;
}

export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Who hears of one HTTP exchange. Exactly one of `onBody`, `onStreamEnd` and `onFailure` ends it, or an `onEvent` that says `final`. */
export interface ExchangeEvents {
  /** The whole answer, of any status but an event stream. */
  onBody(status: number, headers: ResponseHeaders, body: Buffer): void;
  /** One event of a stream; `final` ends the exchange: what still comes is dropped. */
  onEvent(type: string | undefined, data: string, bytes: number): 'more' | 'final';
  /** The stream ended and no event was final. */
  onStreamEnd(): void;
  onFailure(failure: ExchangeFailure): void;
}

/** What may come after the final event before the connection is cut. */
const drain = { maxBytes: 65_536, maxMs: 1_000 } as const;
const maxRefusalBytes = 65_536;
/** All of a stream may be this many times as large as one message. */
const streamFactor = 8;
const inflaters = { gzip: gunzip, 'x-gzip': gunzip, deflate: inflate, br: brotliDecompress } as const;

/**
 * One HTTP request and its answer, as an undici handler: no stream object, no signal and no promise is made for it. Bodies are held whole
 * up to a limit that also counts inflated bytes; event streams are cut into events wherever the network split them.
 */
export class HttpExchange implements Dispatcher.DispatchHandler {
  /** The id of the last event, for resuming. */
  lastEventId: string | undefined;
  /** The wait that the upstream asked for before resuming. */
  retryMs: number | undefined;
  /** True from the moment at which the request is written. */
  sent = false;
  responseHeaders: ResponseHeaders = {};
  readonly #events: ExchangeEvents;
  readonly #maxMessageBytes: number;
  readonly #endless: boolean;
  #controller: Dispatcher.DispatchController | undefined;
  #mode: 'head' | 'body' | 'events' | 'drain' | 'over' = 'head';
  #status = 0;
  #bytes = 0;
  #chunks: Buffer[] = [];
  #parser: EventSourceParser | undefined;
  #decoder: TextDecoder | undefined;
  #drainTimer: NodeJS.Timeout | undefined;

  /** `endless`: a stream that stays open, where only single messages are bounded. */
  constructor(events: ExchangeEvents, maxMessageBytes: number, endless = false) {
    this.#events = events;
    this.#maxMessageBytes = maxMessageBytes;
    this.#endless = endless;
  }

  /** Ends the exchange without a word to its listener. */
  cancel(): void {
    this.#over();
    this.#controller?.abort(new Error('cancelled'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#mode === 'over') controller.abort(new Error('cancelled'));
    else this.sent = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    if (status < 200 || this.#mode !== 'head') return;
    this.#status = status;
    this.responseHeaders = headers;
    const type = headers['content-type'];
    if (status === 200 && typeof type === 'string' && type.startsWith('text/event-stream')) {
      if (isEncoded(headers)) this.#fail('protocol', 'the event stream is compressed although that was not asked for');
      else this.#mode = 'events';
    } else {
      this.#mode = 'body';
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#mode === 'over') return;
    this.#bytes += chunk.length;
    if (this.#mode === 'body') {
      const refusal = this.#status >= 300;
      if (this.#bytes > (refusal ? maxRefusalBytes : this.#maxMessageBytes)) this.#fail('too_large', 'the answer is over the limit');
      else this.#chunks.push(chunk);
    } else if (this.#mode === 'events') {
      if (!this.#endless && this.#bytes > this.#maxMessageBytes * streamFactor) this.#fail('too_large', 'the stream is over the limit');
      else this.#feed(chunk);
    } else if (this.#bytes > drain.maxBytes) {
      this.cancel();
    }
  }

  onResponseEnd(): void {
    const mode = this.#mode;
    this.#over();
    if (mode === 'events') this.#events.onStreamEnd();
    if (mode !== 'body') return;
    const body = this.#chunks.length === 1 && this.#chunks[0] !== undefined ? this.#chunks[0] : Buffer.concat(this.#chunks);
    if (isEncoded(this.responseHeaders)) this.#inflate(body);
    else this.#events.onBody(this.#status, this.responseHeaders, body);
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#mode === 'over') return;
    const late = this.#mode === 'drain';
    this.#over();
    if (!late) this.#events.onFailure({ kind: 'network', why: 'the connection failed', sent: this.sent, cause: error });
  }

  #feed(chunk: Buffer): void {
    let text: string;
    if (this.#decoder === undefined && isUtf8(chunk)) {
      text = chunk.toString('utf8');
    } else {
      // A character was split between two chunks: from here on the decoder keeps the rest of it.
      this.#decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
      try {
        text = this.#decoder.decode(chunk, { stream: true });
      } catch {
        this.#fail('protocol', 'the event stream is not UTF-8');
        return;
      }
    }
    this.#parser ??= createParser({
      maxBufferSize: this.#maxMessageBytes,
      onId: (id) => (this.lastEventId = id === '' ? undefined : id),
      onRetry: (retryMs) => (this.retryMs = retryMs),
      onEvent: (event) => this.#event(event.event, event.data),
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') this.#fail('too_large', 'an event is over the limit');
      },
    });
    // The parser goes on with the rest of its chunk after an event that ended the exchange; #event drops those.
    this.#parser.feed(text);
  }

  #event(type: string | undefined, data: string): void {
    if (this.#mode !== 'events' || data === '') return;
    if (data.length > this.#maxMessageBytes) {
      this.#fail('too_large', 'an event is over the limit');
      return;
    }
    if (this.#events.onEvent(type, data, data.length) === 'more' || this.#ended()) return;
    this.#mode = 'drain';
    this.#bytes = 0;
    // Most upstreams end the stream at once, and the connection stays useful; one that does not is cut.
    this.#drainTimer = setTimeout(() => this.cancel(), drain.maxMs);
    this.#drainTimer.unref();
  }

  #inflate(body: Buffer): void {
    const encoding = String(this.responseHeaders['content-encoding']).trim().toLowerCase();
    const inflater = inflaters[encoding as keyof typeof inflaters] as (typeof inflaters)['gzip'] | undefined;
    const sent = true;
    if (inflater === undefined) {
      this.#events.onFailure({ kind: 'protocol', why: 'the answer has an unknown encoding', sent });
      return;
    }
    inflater(body, { maxOutputLength: this.#maxMessageBytes }, (error, plain) => {
      if (error === null) this.#events.onBody(this.#status, this.responseHeaders, plain);
      else if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        this.#events.onFailure({ kind: 'too_large', why: 'the inflated answer is over the limit', sent });
      } else this.#events.onFailure({ kind: 'protocol', why: 'the answer cannot be inflated', sent, cause: error });
    });
  }

  #fail(kind: ExchangeFailure['kind'], why: string): void {
    if (this.#mode === 'over') return;
    this.cancel();
    this.#events.onFailure({ kind, why, sent: this.sent });
  }

  #ended(): boolean {
    return this.#mode === 'over';
  }

  #over(): void {
    this.#mode = 'over';
    clearTimeout(this.#drainTimer);
  }
}

function isEncoded(headers: ResponseHeaders): boolean {
  const encoding = headers['content-encoding'];
  return encoding !== undefined && encoding !== '' && encoding !== 'identity';
}
