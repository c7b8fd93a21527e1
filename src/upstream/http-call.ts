import type { GatewayError } from '../model/errors.ts';
import { CallClock } from './call-clock.ts';
import type { OutgoingRequest } from './channel.ts';
import { callFault, fault, type UpstreamFault } from './faults.ts';
import type { ExchangeEvents, ExchangeFailure, HttpExchange, ResponseHeaders } from './http-exchange.ts';
import type { RequestOptions, UpstreamMessage, UpstreamReply } from './types.ts';
import type { HttpCallPort, HttpState } from './http-call-port.ts';
import { sortRefusal } from './http-refusal.ts';
import { parseMessage, progressTokenOf, type Incoming } from './wire.ts';

const maxResumes = 5;
const defaultResumeMs = 1_000;

/**
 * One request to an upstream over Streamable HTTP until its one answer: through a lost session, a refused credential, a cut stream.
 * INVARIANT: settles exactly once, and sends again only what the upstream said it did not execute or what is safe to execute twice.
 */
export class HttpCall<State extends HttpState> implements ExchangeEvents {
  /** The session id that came with the answer, for the one call that opens a session. */
  sessionHeader: string | undefined;
  readonly #port: HttpCallPort<State>;
  readonly #message: OutgoingRequest;
  readonly #options: RequestOptions;
  readonly #resolve: (reply: UpstreamReply) => void;
  readonly #reject: (error: GatewayError) => void;
  readonly #clock: CallClock;
  #state: State | undefined;
  #exchange: HttpExchange | undefined;
  #resumeTimer: NodeJS.Timeout | undefined;
  #id = 0;
  #settled = false;
  #heard = false;
  #repeated = false;
  #reopened = false;
  #reauthorised = false;
  #resumes = 0;

  constructor(
    port: HttpCallPort<State>,
    message: OutgoingRequest,
    options: RequestOptions,
    resolve: (reply: UpstreamReply) => void,
    reject: (error: GatewayError) => void,
  ) {
    this.#port = port;
    this.#message = message;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#clock = new CallClock(options, this.#onClock);
  }

  start(): void {
    const ready = this.#port.ready();
    if (ready instanceof Promise) ready.then(this.#post, this.#fail);
    else this.#post(ready);
  }

  /** Ends the call from our side. */
  end(why: 'timeout' | 'cancelled'): void {
    if (this.#settled) return;
    const sent = this.#exchange?.sent === true;
    this.#exchange?.cancel();
    // Legacy eras: closing the connection is not a cancellation, so it is said. `initialize` must not be cancelled.
    if (sent && this.#state !== undefined && this.#message.method !== 'initialize') this.#port.giveUp(this.#state, this.#id, why);
    this.#fault(why === 'timeout' ? 'upstream.timeout' : 'call.cancelled', `ended from our side: ${why}`, sent);
  }

  onBody(status: number, headers: ResponseHeaders, body: Buffer): void {
    if (this.#settled) return;
    this.#keepSession(headers);
    if (status >= 300) {
      this.#onRefusal(status, body);
      return;
    }
    if (this.#resumes > 0) {
      this.#onLostAnswer('the stream was not resumed');
      return;
    }
    let message: Incoming;
    try {
      message = parseMessage(body);
    } catch (error) {
      this.#fault('upstream.protocol', `status ${status} without a JSON-RPC message`, true, error);
      return;
    }
    if (message.kind === 'response') this.#onResponse(message, body.length);
    else this.#fault('upstream.protocol', 'the answer is not a response', true);
  }

  onEvent(type: string | undefined, data: string, bytes: number): 'more' | 'final' {
    if (this.#settled) return 'final';
    if (type !== undefined && type !== 'message') return 'more';
    let message: Incoming;
    try {
      message = parseMessage(data);
    } catch (error) {
      this.#exchange?.cancel();
      this.#fault('upstream.protocol', 'an event is not a JSON-RPC message', true, error);
      return 'final';
    }
    if (message.kind === 'response') {
      this.#onResponse(message, bytes);
      return 'final';
    }
    this.#port.inbox.accept(message, this.#options.onMessage === undefined ? undefined : this.#deliver);
    return 'more';
  }

  onStreamEnd(): void {
    if (!this.#settled) this.#onCut('the stream ended before the answer');
  }

  onFailure(failure: ExchangeFailure): void {
    if (this.#settled) return;
    const { kind, why, sent, cause } = failure;
    if (kind === 'too_large') {
      if (this.#state !== undefined) this.#port.giveUp(this.#state, this.#id, 'the answer is too large');
      this.#fault('upstream.too_large', why, true, cause);
      return;
    }
    if (kind === 'network') this.#port.unreachable();
    if (kind === 'protocol') this.#fault('upstream.protocol', why, sent, cause);
    else if (!sent) this.#fault('upstream.unreachable', why, false, cause);
    else this.#onCut(why, cause);
  }

  readonly #post = (state: State): void => {
    if (this.#settled) return;
    this.#state = state;
    this.#forgetProgress();
    this.#id = this.#port.nextId();
    const token = progressTokenOf(this.#message.params);
    if (token !== undefined) this.#port.inbox.expectProgress(this.#id, token, this.#deliver);
    this.#exchange = this.#port.post(state, { id: this.#id, message: this.#message, reports: token !== undefined }, this);
  };

  readonly #deliver = (message: UpstreamMessage): void => {
    if (this.#settled) return;
    this.#heard = true;
    this.#options.onMessage?.(message);
  };

  readonly #onClock = (why: 'timeout' | 'cancelled'): void => this.end(why);

  #onResponse(message: Extract<Incoming, { kind: 'response' }>, bytes: number): void {
    this.#keepSession(this.#exchange?.responseHeaders ?? {});
    if (message.id !== this.#id) {
      this.#fault('upstream.protocol', 'the answer carries another id than the request', true);
      return;
    }
    if (message.error !== undefined) this.#settle({ kind: 'error', error: message.error, bytes, requestId: this.#id });
    else this.#settle({ kind: 'result', result: message.result ?? {}, bytes, requestId: this.#id });
  }

  /** The upstream refused at the HTTP level, so it did not execute the request. */
  #onRefusal(status: number, body: Buffer): void {
    const state = this.#state;
    if (state === undefined) return;
    if (this.#resumes > 0) {
      this.#onLostAnswer(`resuming was refused with status ${status}`);
      return;
    }
    const refusal = sortRefusal(status, body, this.#id, state.sessionId !== undefined);
    switch (refusal.kind) {
      case 'credential':
        if (this.#reauthorised || !this.#port.credentialRefused(state)) {
          this.#fault('upstream.credential', `status ${status}`, false);
          return;
        }
        this.#reauthorised = true;
        this.start();
        return;
      case 'lost':
        this.#port.lost(state);
        if (this.#reopened) {
          this.#fault('upstream.unreachable', 'the session was lost twice', false);
          return;
        }
        this.#reopened = true;
        this.start();
        return;
      case 'answer':
        this.#onResponse({ kind: 'response', id: this.#id, result: undefined, error: refusal.error }, body.length);
        return;
      case 'redirect':
        this.#fault('upstream.protocol', `a redirect with status ${status}: redirects are not followed`, false);
        return;
      case 'down':
        this.#fault('upstream.unreachable', `status ${status}`, status >= 500);
        return;
      case 'refused':
        this.#fault('upstream.protocol', `status ${status}`, false, this.#port.doubtful?.(status));
        return;
      default:
        refusal satisfies never;
    }
  }

  /** The connection went away after the request was sent: resume where the upstream gave event ids, else see whether to send again. */
  #onCut(why: string, cause?: unknown): void {
    const lastEventId = this.#exchange?.lastEventId;
    const state = this.#state;
    if (lastEventId === undefined || state === undefined || this.#port.resume === undefined) {
      this.#onLostAnswer(why, cause);
      return;
    }
    if (++this.#resumes > maxResumes) {
      this.#onLostAnswer('the stream was cut again and again', cause);
      return;
    }
    const retryMs = this.#exchange?.retryMs;
    this.#resumeTimer = setTimeout(
      () => {
        if (this.#settled || this.#port.resume === undefined) return;
        this.#exchange = this.#port.resume(state, lastEventId, this);
        // A resumed stream that brings nothing new is resumed from the same place.
        this.#exchange.lastEventId = lastEventId;
        this.#exchange.retryMs = retryMs;
      },
      Math.min(retryMs ?? defaultResumeMs, this.#options.timeoutMs),
    );
  }

  #onLostAnswer(why: string, cause?: unknown): void {
    if (this.#repeated || this.#heard || !this.#port.retrySafe(this.#message)) {
      this.#fault('upstream.unreachable', why, true, cause);
      return;
    }
    this.#repeated = true;
    this.#resumes = 0;
    this.start();
  }

  #keepSession(headers: ResponseHeaders): void {
    const header = headers['mcp-session-id'];
    if (typeof header === 'string') this.sessionHeader = header;
  }

  #fault(code: UpstreamFault, why: string, mayHaveRun: boolean, cause?: unknown): void {
    this.#fail(mayHaveRun ? callFault(code, this.#port.upstream, why, cause) : fault(code, this.#port.upstream, why, cause));
  }

  readonly #fail = (error: GatewayError): void => {
    if (this.#settled) return;
    this.#close();
    this.#reject(error);
  };

  #settle(reply: UpstreamReply): void {
    this.#close();
    this.#resolve(reply);
  }

  #close(): void {
    this.#settled = true;
    this.#clock.stop();
    clearTimeout(this.#resumeTimer);
    this.#forgetProgress();
    this.#port.settled(this);
  }

  #forgetProgress(): void {
    if (this.#id !== 0) this.#port.inbox.forgetProgress(this.#id);
  }
}
