import type { OutgoingRequest } from './channel.ts';
import type { HttpCall } from './http-call.ts';
import type { ExchangeEvents, HttpExchange } from './http-exchange.ts';
import type { Inbox } from './inbox.ts';

/** An open session at an upstream, as far as a request needs it. */
export interface HttpState {
  readonly sessionId: string | undefined;
}

/** A request with the id that it goes out under. */
export interface IdentifiedRequest {
  readonly id: number;
  readonly message: OutgoingRequest;
  readonly reports: boolean;
}

/** What a call needs of its channel. */
export interface HttpCallPort<State extends HttpState> {
  readonly upstream: string;
  readonly inbox: Inbox;
  /** The open session, at once where it is open. */
  ready(): State | Promise<State>;
  /** The upstream does not know this session any more. */
  lost(state: State): void;
  /** The upstream refused the credential; true when a fresh one is to be had. */
  credentialRefused(state: State): boolean;
  nextId(): number;
  /** Sends the message under this id; `reports`: with the id as its progress token. */
  post(state: State, request: IdentifiedRequest, events: ExchangeEvents): HttpExchange;
  /** Left out where the era knows no resuming. */
  resume?(state: State, lastEventId: string, events: ExchangeEvents): HttpExchange;
  /** The upstream refused with a status that an upstream of this era does not give here. */
  doubtful?(status: number): Error | undefined;
  /** Tells the upstream, without waiting, that a request is given up. */
  giveUp(state: State, id: number, why: string): void;
  retrySafe(message: OutgoingRequest): boolean;
  settled(call: HttpCall<State>): void;
  /** The connection failed. */
  unreachable(): void;
}
