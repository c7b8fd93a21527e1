import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { CallClock } from './call-clock.ts';
import type { ChannelEvents } from './channel.ts';
import { callFault } from './faults.ts';
import type { ListenEnd, ListenEvents } from './modern-carrier.ts';
import { metaKey } from './modern-wire.ts';
import { Backoff } from './timing.ts';
import type { ListKind, RequestOptions, UpstreamReply, UpstreamTiming } from './types.ts';
import { errorCodeOf, type Incoming } from './wire.ts';

/** What a subscription is made of. */
export interface SubscriptionParts {
  readonly upstream: string;
  readonly timing: UpstreamTiming;
  readonly events: ChannelEvents;
  /** Opens one stream for what `notifications` names. */
  open(notifications: JsonObject, events: ListenEvents): { close(): void };
}

type Notice = Extract<Incoming, { kind: 'notification' }>;
type Waiting = (reply: UpstreamReply) => void;

const listFilters: readonly (readonly [ListKind, string, string])[] = [
  ['tools', 'toolsListChanged', 'notifications/tools/list_changed'],
  ['resources', 'resourcesListChanged', 'notifications/resources/list_changed'],
  ['prompts', 'promptsListChanged', 'notifications/prompts/list_changed'],
];
const maxUris = 1_000;
const methodUnknownCode = -32601;
const invalidRequestCode = -32600;

/**
 * What one owner wants to hear of an upstream of the modern era: one `subscriptions/listen` stream, opened again whole when what it is for
 * changes or when it was lost. The old stream goes on until the new one is acknowledged, so that nothing falls between them.
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/subscriptions
 */
export class Subscription {
  readonly #parts: SubscriptionParts;
  readonly #backoff: Backoff;
  readonly #uris = new Set<string>();
  readonly #waiting = new Map<string, Set<Waiting>>();
  #lists: readonly string[] = [];
  #current: { close(): void } | undefined;
  #opening: { close(): void } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isWanted = false;
  #isLossy = false;
  #closed = false;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.timing.retryMinMs, parts.timing.retryMaxMs);
  }

  /** Hears of the lists whose changes the upstream says that it announces. */
  followLists(capabilities: JsonObject): void {
    const lists = listFilters.flatMap(([kind, filter]) => {
      const capability = capabilities[kind];
      return isJsonObject(capability) && capability['listChanged'] === true ? [filter] : [];
    });
    if (lists.join() === this.#lists.join()) return;
    this.#lists = lists;
    this.#changed();
  }

  /** Hears of a resource from now on, without waiting. */
  add(uri: string): void {
    this.#uris.add(uri);
    this.#changed();
  }

  /** Hears of a resource; resolves when the upstream said whether it does so. @throws GatewayError when the call ends first */
  confirm(uri: string, options: RequestOptions): Promise<UpstreamReply> {
    if (this.#uris.size >= maxUris && !this.#uris.has(uri))
      return Promise.resolve(
        errorReply(invalidRequestCode, `no more than ${maxUris} resources can be subscribed to; unsubscribe from some`),
      );
    return new Promise((resolve, reject) => {
      const settle: Waiting = (reply) => {
        clock.stop();
        this.#waiting.get(uri)?.delete(settle);
        resolve(reply);
      };
      const clock = new CallClock(options, (why) => {
        this.#waiting.get(uri)?.delete(settle);
        this.remove(uri);
        reject(callFault(why === 'timeout' ? 'upstream.timeout' : 'call.cancelled', this.#parts.upstream, `not acknowledged: ${why}`));
      });
      const waiting = this.#waiting.get(uri) ?? new Set();
      this.#waiting.set(uri, waiting.add(settle));
      this.#uris.add(uri);
      this.#changed();
    });
  }

  remove(uri: string): void {
    if (this.#uris.delete(uri)) this.#changed();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#opening?.close();
    this.#current?.close();
    for (const uri of [...this.#waiting.keys()]) this.#settle(uri, errorReply(invalidRequestCode, 'the session was closed'));
  }

  /** Opens the stream again for what is wanted now; several changes of one turn make one stream. */
  #changed(): void {
    if (this.#isWanted || this.#closed) return;
    this.#isWanted = true;
    setImmediate(() => {
      this.#isWanted = false;
      this.#reopen();
    });
  }

  #reopen(): void {
    clearTimeout(this.#timer);
    this.#opening?.close();
    this.#opening = undefined;
    if (this.#closed) return;
    if (this.#uris.size === 0 && this.#lists.length === 0) {
      this.#current?.close();
      this.#current = undefined;
      return;
    }
    const uris = [...this.#uris];
    const notifications: Record<string, Json> = Object.fromEntries(this.#lists.map((filter) => [filter, true]));
    if (uris.length > 0) notifications['resourceSubscriptions'] = uris;
    const stream = this.#parts.open(notifications, {
      onNotice: (notice) => {
        if (notice.method === 'notifications/subscriptions/acknowledged') this.#onAcknowledged(stream, uris, notice);
        else if (stream === this.#current) this.#onNotice(notice);
        else this.#stray(notice.method, 'its stream is not acknowledged, or was replaced');
      },
      onEnd: (end) => this.#onEnd(stream, end),
    });
    this.#opening = stream;
  }

  #onAcknowledged(stream: { close(): void }, uris: readonly string[], { params }: Notice): void {
    if (stream !== this.#opening) return;
    this.#opening = undefined;
    this.#current?.close();
    this.#current = stream;
    this.#backoff.reset();
    const granted = isJsonObject(params?.['notifications']) ? params['notifications']['resourceSubscriptions'] : undefined;
    for (const uri of uris) {
      if (Array.isArray(granted) && granted.includes(uri)) this.#settle(uri, { kind: 'result', result: {}, bytes: 0 });
      else this.#refuse(uri, errorReply(methodUnknownCode, 'the upstream does not take subscriptions to this resource'));
    }
    // What changed while nobody listened was not announced.
    if (this.#isLossy) for (const [kind, filter] of listFilters) if (this.#lists.includes(filter)) this.#parts.events.onListChanged(kind);
    this.#isLossy = false;
  }

  #onNotice({ method, params }: Notice): void {
    const list = listFilters.find(([, , announced]) => announced === method);
    if (list !== undefined) {
      this.#parts.events.onListChanged(list[0]);
      return;
    }
    const uri = params?.['uri'];
    const { onMessage } = this.#parts.events;
    // An upstream that talks of what nobody asked for is not heard.
    if (method === 'notifications/resources/updated' && (typeof uri !== 'string' || !this.#covers(uri)))
      this.#stray(method, 'nobody subscribed to its resource');
    else if (onMessage === undefined) this.#stray(method, 'it belongs to no call and no session that could take it');
    else onMessage({ kind: 'notification', method, params: withoutSubscriptionId(params) });
  }

  #stray(method: string, why: string): void {
    this.#parts.events.onStray({ form: 'notification', method, why });
  }

  /** Whether a changed resource is one that was subscribed to, or lies within one. */
  #covers(uri: string): boolean {
    if (this.#uris.has(uri)) return true;
    for (const subscribed of this.#uris) if (uri.startsWith(subscribed.endsWith('/') ? subscribed : `${subscribed}/`)) return true;
    return false;
  }

  #onEnd(stream: { close(): void }, end: ListenEnd): void {
    if (stream !== this.#opening && stream !== this.#current) return;
    if (stream === this.#current) this.#current = undefined;
    else this.#opening = undefined;
    this.#isLossy = true;
    const { upstream, events, timing } = this.#parts;
    if (end.kind === 'refused') {
      const code = errorCodeOf(end.error);
      events.log({ level: 'warn', event: 'listen_refused', upstream, detail: { code } });
      for (const uri of [...this.#waiting.keys()]) this.#refuse(uri, { kind: 'error', error: end.error, bytes: 0 });
      if (code === methodUnknownCode) {
        this.#lists = [];
        return;
      }
    } else {
      events.log({ level: 'debug', event: 'listen_lost', upstream, detail: { reason: end.why } });
    }
    if (this.#opening !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => this.#reopen(), Math.min(this.#backoff.nextMs(), timing.retryMaxMs));
    this.#timer.unref();
  }

  #refuse(uri: string, reply: UpstreamReply): void {
    this.#uris.delete(uri);
    this.#settle(uri, reply);
  }

  #settle(uri: string, reply: UpstreamReply): void {
    const waiting = this.#waiting.get(uri);
    this.#waiting.delete(uri);
    for (const settle of waiting ?? []) settle(reply);
  }
}

function errorReply(code: number, message: string): UpstreamReply {
  return { kind: 'error', error: { code, message }, bytes: 0 };
}

/** The id of the stream is the gateway's own. */
function withoutSubscriptionId(params: JsonObject | undefined): JsonObject | undefined {
  const meta = params?.['_meta'];
  if (!isJsonObject(meta)) return params;
  const { [metaKey.subscriptionId]: _id, ...rest } = meta;
  const { _meta: _old, ...bare } = params ?? {};
  return Object.keys(rest).length === 0 ? bare : { ...bare, _meta: rest };
}
