import type { JsonObject } from '../model/json.ts';
import type { Outgoing } from '../model/permit.ts';
import type { Handshake } from './handshake.ts';
import type { ListKind, RequestOptions, StrayMessage, UpstreamLog, UpstreamMessage, UpstreamReply } from './types.ts';

/** A request as a channel sends it. */
export type OutgoingRequest = Extract<Outgoing, { kind: 'request' }>;
/** What goes out without an answer. */
export type OutgoingNotice = Exclude<Outgoing, { kind: 'request' }>;

/**
 * One way to one upstream, whatever carries it. It takes messages without a permit, so only two things hold one: the permit-checking
 * session of an agent, and the gateway's own reader of lists.
 */
export interface Channel {
  /** Opens the session if it is not open; single-flight. @throws GatewayError */
  open(): Promise<Handshake>;
  request(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply>;
  notify(message: OutgoingNotice): Promise<void>;
  listen(active: boolean): void;
  close(): Promise<void>;
  /** Calls that wait for an answer now. */
  readonly busy: number;
  /** How long the upstream says that its lists, as last read, stay good, in ms; only the modern era says so. */
  readonly freshForMs?: number | undefined;
}

/** What a channel tells its surroundings. */
export interface ChannelEvents {
  /** What belongs to no call; `undefined` where nobody can take it. */
  readonly onMessage: ((message: UpstreamMessage) => void) | undefined;
  /** The upstream said that a list changed. */
  readonly onListChanged: (kind: ListKind) => void;
  /** A session was opened again after a loss. */
  readonly onReopened: () => void;
  /** The upstream could not be reached. */
  readonly onUnreachable: () => void;
  readonly log: UpstreamLog;
  /** The upstream sent what nobody takes. */
  readonly onStray: OnStray;
}

/** Hears of a message that nobody takes. */
export type OnStray = (message: Omit<StrayMessage, 'upstream'>) => void;

/** Whether a request may be sent twice when its answer was lost. */
export type RetrySafe = (method: string, params: JsonObject | undefined) => boolean;
