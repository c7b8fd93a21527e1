import type { ServerResponse } from 'node:http';
import type { AgentChannel } from '../call/call.ts';
import type { JsonObject } from '../model/json.ts';

/** What is unsent toward one slow reader before its connection is closed; it may resume by event id. */
const maxUnsentBytes = 1024 * 1024;

/** How long a reader should wait before it comes back for the rest. */
export const retryMs = 1000;

interface KeptEvent {
  readonly number: number;
  readonly text: string;
}

export interface EventStreamOptions {
  readonly id: string;
  /** Bytes of past events that are kept for a reader that comes back. */
  readonly maxKeptBytes: number;
  /** Tells the reader at once where it is, so that it can resume before the first message (2025-11-25 and later). */
  readonly primed: boolean;
  /** The stream that belongs to no call: a question cannot be left there for nobody. */
  readonly standalone: boolean;
  /** `false`: its end is the end of its connection (2026-07-28), so nothing is numbered or kept. Default: it can be resumed. */
  readonly resumable?: boolean;
}

/**
 * One server-sent event stream toward an agent. It outlives the connection that carries it: events are numbered and kept within bounds,
 * so that an agent that comes back with `Last-Event-ID` misses nothing.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#resumability-and-redelivery
 */
export class EventStream implements AgentChannel {
  readonly id: string;
  readonly #options: EventStreamOptions;
  readonly #kept: KeptEvent[] = [];
  #keptBytes = 0;
  #next = 0;
  #response: ServerResponse | undefined;
  #ended = false;
  /** When it ended; kept a while for a reader that lost the end. */
  endedAtMs: number | undefined;

  constructor(options: EventStreamOptions) {
    this.id = options.id;
    this.#options = options;
  }

  get attached(): boolean {
    return this.#response !== undefined;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Whether every event after `number` is still kept, so that a reader that saw it last misses nothing. */
  canResume(number: number): boolean {
    return number < this.#next && (this.#kept[0]?.number ?? this.#next) <= number + 1;
  }

  /** Sends the stream over `response` from now on, after the kept events with a number above `after`. */
  attach(response: ServerResponse, headers: Readonly<Record<string, string>>, after = -1): void {
    this.detach();
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      ...headers,
    });
    response.flushHeaders();
    this.#response = response;
    response.on('close', () => {
      if (this.#response === response) this.#response = undefined;
    });
    if (this.#options.primed && after < 0 && this.#next === 0) this.#push('');
    else for (const event of this.#kept) if (event.number > after) response.write(event.text);
    if (this.#ended) this.detach();
  }

  /** Ends the connection and keeps the stream. */
  detach(): void {
    const response = this.#response;
    this.#response = undefined;
    if (response !== undefined && !response.writableEnded) response.end();
  }

  send(message: JsonObject): boolean {
    if (this.#ended || (this.#response === undefined && this.#options.resumable === false)) return false;
    if (this.#response === undefined && this.#options.standalone && 'id' in message) return false;
    this.#push(JSON.stringify(message));
    return true;
  }

  /** Sends the answer that the stream was opened for, already serialised, and ends it. */
  finish(text: string, nowMs: number): void {
    this.#push(text);
    this.end(nowMs);
  }

  end(nowMs: number): void {
    this.#ended = true;
    this.endedAtMs = nowMs;
    this.detach();
  }

  /** A comment that keeps proxies from cutting an idle connection. */
  keepAlive(): void {
    this.#response?.write(': keep-alive\n\n');
  }

  #push(json: string): void {
    if (this.#options.resumable === false) {
      this.#write(`event: message\ndata: ${json}\n\n`);
      return;
    }
    const number = this.#next++;
    // JSON has no raw line breaks, so one data line carries it; nothing of an upstream's framing survives.
    const text =
      json === ''
        ? `id: ${this.id}_${number}\nretry: ${retryMs}\ndata: \n\n`
        : `event: message\nid: ${this.id}_${number}\ndata: ${json}\n\n`;
    this.#kept.push({ number, text });
    this.#keptBytes += text.length;
    while (this.#keptBytes > this.#options.maxKeptBytes && this.#kept.length > 1) this.#keptBytes -= this.#kept.shift()?.text.length ?? 0;
    this.#write(text);
  }

  #write(text: string): void {
    const response = this.#response;
    if (response === undefined) return;
    // What lies unsent from before tells that the reader is slow; one message, however large, does not.
    if (response.writableLength > maxUnsentBytes) {
      this.#response = undefined;
      response.destroy();
    } else response.write(text);
  }
}

/** Stream and event number of a `Last-Event-ID`, `undefined` when it is not one of ours. */
export function parseEventId(value: string): { readonly stream: string; readonly number: number } | undefined {
  const match = /^([A-Za-z0-9-]{1,64})_(\d{1,15})$/.exec(value);
  return match === null ? undefined : { stream: match[1] ?? '', number: Number(match[2]) };
}
