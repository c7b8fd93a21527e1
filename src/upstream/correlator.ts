import { CallClock } from './call-clock.ts';
import type { OutgoingRequest } from './channel.ts';
import { callFault, fault, type UpstreamFault } from './faults.ts';
import type { Inbox } from './inbox.ts';
import type { RequestOptions, UpstreamMessage, UpstreamReply } from './types.ts';
import { notificationText, progressTokenOf, requestText, withProgressToken, type Incoming } from './wire.ts';

/** How long an agent's call may have ended before words that come without a mark are certainly not about it. */
const lateMs = 5_000;

/** A call that waits on a stream that it shares with others. */
interface Waiting {
  readonly owner: string | undefined;
  readonly clock: CallClock;
  readonly deliver: (message: UpstreamMessage) => void;
  readonly resolve: (reply: UpstreamReply) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Joins answers to requests where all come back on one stream (stdio, HTTP+SSE): each request goes out under an id that this connection
 * never used before, so equal ids of two agents cannot meet. Each call settles exactly once.
 */
export class Correlator {
  readonly #upstream: string;
  readonly #inbox: Inbox;
  readonly #send: (text: string, id: number | undefined) => boolean;
  readonly #waiting = new Map<number, Waiting>();
  /** The last call that ended, and the last one before it of another agent. */
  #ended: { readonly owner: string; readonly atMs: number }[] = [];
  #lastId = 0;

  /** `send` gets the id of the request it carries, if it is one; it gives false when the other side does not take it. */
  constructor(upstream: string, inbox: Inbox, send: (text: string, id: number | undefined) => boolean) {
    this.#upstream = upstream;
    this.#inbox = inbox;
    this.#send = send;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** `owner` names the agent session behind a call; the gateway's own calls have none; `onId` hears the id before it is sent. */
  request(
    message: OutgoingRequest,
    options: RequestOptions,
    owner: string | undefined,
    onId?: (id: number) => void,
  ): Promise<UpstreamReply> {
    if (options.signal?.aborted === true) return Promise.reject(fault('call.cancelled', this.#upstream, 'cancelled before it was sent'));
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      onId?.(id);
      const deliver = (told: UpstreamMessage): void => {
        if (this.#waiting.has(id)) options.onMessage?.(told);
      };
      const clock = new CallClock(options, (why) => {
        if (message.method !== 'initialize')
          this.#send(notificationText('notifications/cancelled', { requestId: id, reason: why }), undefined);
        this.#end(id, why === 'timeout' ? 'upstream.timeout' : 'call.cancelled', `ended from our side: ${why}`);
      });
      this.#waiting.set(id, { owner, clock, deliver, resolve, reject });
      const token = progressTokenOf(message.params);
      if (token !== undefined) this.#inbox.expectProgress(id, token, deliver);
      const text = requestText(id, message.method, token === undefined ? message.params : withProgressToken(message.params, id));
      if (!this.#send(text, id)) this.#end(id, 'upstream.unreachable', 'the upstream does not read what it is sent');
    });
  }

  /** Takes an answer. One that no call waits for (late, double, made up) is dropped; gives false then. */
  settle(answer: Extract<Incoming, { kind: 'response' }>, bytes: number): boolean {
    const waiting = typeof answer.id === 'number' ? this.#take(answer.id) : undefined;
    if (waiting === undefined) return false;
    const requestId = Number(answer.id);
    if (answer.error !== undefined) waiting.resolve({ kind: 'error', error: answer.error, bytes, requestId });
    else waiting.resolve({ kind: 'result', result: answer.result ?? {}, bytes, requestId });
    return true;
  }

  /** Ends one call, if it still waits. */
  fail(id: number, code: UpstreamFault, why: string): void {
    this.#end(id, code, why);
  }

  /** Ends all calls. */
  failAll(code: UpstreamFault, why: string): void {
    for (const id of [...this.#waiting.keys()]) this.#end(id, code, why);
  }

  /** Ends the calls of one owner, and tells the upstream. */
  cancelAll(owner: string): void {
    for (const [id, waiting] of [...this.#waiting]) {
      if (waiting.owner !== owner) continue;
      this.#send(notificationText('notifications/cancelled', { requestId: id, reason: 'cancelled' }), undefined);
      this.#end(id, 'call.cancelled', 'the session was closed');
    }
  }

  /**
   * Where a message without a call's mark belongs: the one agent's call that is in flight, if it is the only one. Words may come late: a
   * notification belongs to it only where no call of another agent ended just before.
   */
  onlyCall(kind: 'request' | 'notification'): ((message: UpstreamMessage) => void) | undefined {
    let only: Waiting | undefined;
    for (const waiting of this.#waiting.values()) {
      if (waiting.owner === undefined) continue;
      if (only !== undefined) return undefined;
      only = waiting;
    }
    if (kind === 'notification' && only?.owner !== undefined && this.#endedLately(only.owner)) return undefined;
    return only?.deliver;
  }

  busyFor(owner: string): number {
    let count = 0;
    for (const waiting of this.#waiting.values()) if (waiting.owner === owner) count++;
    return count;
  }

  #end(id: number, code: UpstreamFault, why: string): void {
    this.#take(id)?.reject(callFault(code, this.#upstream, why));
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(id);
    waiting.clock.stop();
    this.#inbox.forgetProgress(id);
    if (waiting.owner !== undefined) this.#noteEnd(waiting.owner);
    return waiting;
  }

  #noteEnd(owner: string): void {
    const atMs = performance.now();
    if (this.#ended[0]?.owner !== owner) this.#ended = [{ owner, atMs }, ...this.#ended.slice(0, 1)];
    else this.#ended[0] = { owner, atMs };
  }

  #endedLately(owner: string): boolean {
    const other = this.#ended.find((end) => end.owner !== owner);
    return other !== undefined && performance.now() - other.atMs < lateMs;
  }
}
