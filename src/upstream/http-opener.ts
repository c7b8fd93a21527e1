import type { OutgoingRequest } from './channel.ts';
import { fault } from './faults.ts';
import { initializeParams, readHandshake, type Handshake, type Introduction } from './handshake.ts';
import { HttpCall } from './http-call.ts';
import type { HttpCallPort, HttpState, IdentifiedRequest } from './http-call-port.ts';
import type { ExchangeEvents, HttpExchange } from './http-exchange.ts';
import type { Inbox } from './inbox.ts';
import { olderTransport } from './older-transport.ts';
import type { UpstreamReply } from './types.ts';
import { WrongEra } from './wrong-era.ts';
import { isModernError } from './modern-wire.ts';
import { errorCodeOf } from './wire.ts';

/** A channel that can send beside its calls. */
export interface OpeningChannel<State extends HttpState> extends HttpCallPort<State> {
  post(state: State, request: IdentifiedRequest, events: ExchangeEvents, pool?: 'calls' | 'streams'): HttpExchange;
  resume(state: State, lastEventId: string, events: ExchangeEvents): HttpExchange;
}

/** Sends `initialize` outside of any session. */
export class SessionOpener<State extends HttpState> implements HttpCallPort<State> {
  readonly upstream: string;
  readonly inbox: Inbox;
  readonly #channel: OpeningChannel<State>;
  readonly #bare: () => Promise<State>;
  #used: State | undefined;

  constructor(channel: OpeningChannel<State>, bare: () => Promise<State>) {
    this.upstream = channel.upstream;
    this.inbox = channel.inbox;
    this.#channel = channel;
    this.#bare = bare;
  }

  async open(introduction: Introduction, timeoutMs: number): Promise<{ handshake: Handshake; sessionId: string | undefined; bare: State }> {
    const message: OutgoingRequest = { kind: 'request', method: 'initialize', params: initializeParams(introduction) };
    let sessionId: string | undefined;
    const reply = await new Promise<UpstreamReply>((resolve, reject) => {
      const call: HttpCall<State> = new HttpCall(
        this,
        message,
        { timeoutMs },
        (answer) => {
          sessionId = call.sessionHeader;
          resolve(answer);
        },
        reject,
      );
      call.start();
    });
    if (reply.kind === 'error') {
      const code = errorCodeOf(reply.error);
      const cause = isModernError(code) ? new WrongEra('it only speaks the modern era') : undefined;
      throw fault('upstream.protocol', this.upstream, `initialize was refused with code ${code}`, cause);
    }
    if (sessionId !== undefined && !/^[\x21-\x7e]{1,512}$/.test(sessionId))
      throw fault('upstream.protocol', this.upstream, 'the session id is not visible ASCII');
    if (this.#used === undefined) throw fault('upstream.protocol', this.upstream, 'initialize was answered before it was sent');
    try {
      return { handshake: readHandshake(reply.result), sessionId, bare: this.#used };
    } catch (error) {
      throw fault('upstream.protocol', this.upstream, 'initialize was answered wrongly', error);
    }
  }

  async ready(): Promise<State> {
    return (this.#used = await this.#bare());
  }
  lost(): void {
    throw new TypeError('there is no session to lose while one is opened');
  }
  credentialRefused(state: State): boolean {
    return this.#channel.credentialRefused(state);
  }
  nextId(): number {
    return this.#channel.nextId();
  }
  post(state: State, request: IdentifiedRequest, events: ExchangeEvents): HttpExchange {
    // Not behind calls that wait: a new session must not need a free one of their connections.
    return this.#channel.post(state, request, events, 'streams');
  }
  resume(state: State, lastEventId: string, events: ExchangeEvents): HttpExchange {
    return this.#channel.resume(state, lastEventId, events);
  }
  giveUp(): void {
    // `initialize` must not be cancelled: lifecycle, 2025-11-25.
  }
  retrySafe(): boolean {
    return true;
  }
  unreachable(): void {
    // The channel that asked for the session tells it.
  }
  doubtful(status: number): Error | undefined {
    return olderTransport(status);
  }
  settled(): void {
    // It is not counted as a call.
  }
}
