import type { JsonObject } from '../model/json.ts';
import type { OutgoingRequest } from './channel.ts';
import type { Handshake } from './handshake.ts';
import type { RequestOptions, UpstreamReply } from './types.ts';
import type { Incoming } from './wire.ts';

/** How one listening ended. `refused`: the upstream answered with an error. `lost`: anything else; it may be opened again. */
export type ListenEnd = { readonly kind: 'refused'; readonly error: JsonObject } | { readonly kind: 'lost'; readonly why: string };

/** Who hears of one `subscriptions/listen` stream. */
export interface ListenEvents {
  onNotice(notice: Extract<Incoming, { kind: 'notification' }>): void;
  /** Once, unless it was closed from our side. */
  onEnd(end: ListenEnd): void;
}

/** What carries messages of the modern era to one upstream: each request stands for itself. */
export interface ModernCarrier {
  /** Asks the upstream what it is. @throws GatewayError */
  discover(envelope: JsonObject): Promise<Handshake>;
  /** One request and its one answer, as the upstream gave it. The params carry the envelope already. @throws GatewayError */
  send(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply>;
  /** Opens a stream of notices; the params carry the envelope already. */
  listen(params: JsonObject, events: ListenEvents): { close(): void };
  /** Ends all that is in flight. */
  close(): Promise<void>;
  readonly busy: number;
}
