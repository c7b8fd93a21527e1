import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { ListKind } from '../upstream/types.ts';
import type { AgentChannel } from './call.ts';
import { metaKey } from './modern-meta.ts';
import type { RpcId } from './rpc.ts';

/** One open stream of an agent that listens. */
export interface Subscription {
  readonly id: RpcId;
  readonly kinds: ReadonlySet<ListKind>;
  readonly channel: AgentChannel;
  readonly uris: Set<string>;
  /** What came before the acknowledgement was sent. */
  waiting: JsonObject[] | undefined;
}

/** Messages that wait for an acknowledgement at most. */
const maxWaiting = 100;
const listChanged = /^notifications\/(tools|prompts|resources)\/list_changed$/;

/**
 * Gives each listening stream of a session's agent what it asked for, marked with the stream's id, and nothing else: no request, no log
 * message, no change of what it did not name.
 */
export class ListenHub implements AgentChannel {
  readonly #open = new Set<Subscription>();

  get size(): number {
    return this.#open.size;
  }

  add(options: Pick<Subscription, 'id' | 'kinds' | 'channel'>): Subscription {
    const subscription = { ...options, uris: new Set<string>(), waiting: [] };
    this.#open.add(subscription);
    return subscription;
  }

  /** Whether the upstream is subscribed to already for another stream. */
  hasUpstream(uri: string): boolean {
    for (const { uris } of this.#open) if (uris.has(uri)) return true;
    return false;
  }

  subscribe(subscription: Subscription, uri: string): void {
    subscription.uris.add(uri);
  }

  /** Takes a stream out; gives the resources that no stream listens to any more. */
  remove(subscription: Subscription): readonly string[] {
    this.#open.delete(subscription);
    return [...subscription.uris].filter((uri) => !this.hasUpstream(uri));
  }

  /** Says what the stream will carry; what came meanwhile follows. */
  acknowledge(subscription: Subscription, notifications: JsonObject): void {
    const waiting = subscription.waiting ?? [];
    subscription.waiting = undefined;
    deliver(subscription, { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { notifications } });
    for (const message of waiting) deliver(subscription, message);
  }

  send(message: JsonObject): boolean {
    if ('id' in message) return false;
    let sent = false;
    for (const subscription of this.#open) {
      if (!wants(subscription, message)) continue;
      sent = true;
      if (subscription.waiting === undefined) deliver(subscription, message);
      else if (subscription.waiting.length < maxWaiting) subscription.waiting.push(message);
    }
    return sent;
  }
}

function wants({ kinds, uris }: Subscription, { method, params }: JsonObject): boolean {
  if (typeof method !== 'string') return false;
  const kind = listChanged.exec(method)?.[1];
  if (kind !== undefined) return kinds.has(kind as ListKind);
  const uri = isJsonObject(params) ? params['uri'] : undefined;
  if (method !== 'notifications/resources/updated' || typeof uri !== 'string') return false;
  // A server may tell of a part of what was subscribed to.
  return [...uris].some((one) => uri === one || uri.startsWith(one.endsWith('/') ? one : `${one}/`));
}

function deliver({ id, channel }: Subscription, message: JsonObject): void {
  const params = isJsonObject(message['params']) ? message['params'] : {};
  const meta = isJsonObject(params['_meta']) ? params['_meta'] : {};
  channel.send({ ...message, params: { ...params, _meta: { ...meta, [metaKey.subscriptionId]: id } } });
}
