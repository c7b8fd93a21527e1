import type { ListKind } from '../upstream/types.ts';
import { Cancellation, type CancelSignal } from '../model/cancellation.ts';
import { GatewayError } from '../model/errors.ts';
import { identityKey } from '../model/identity.ts';
import { isJsonObject, type Json } from '../model/json.ts';
import { member, type AgentChannel, type Answer, type Call } from './call.ts';
import { judge } from './judge.ts';
import { ListenHub } from './listen-hub.ts';
import { listenUpstreams } from './messages.ts';
import { metaKey } from './modern-meta.ts';
import { asModern } from './modern-reply.ts';
import type { Parts } from './parts.ts';
import { finishedRecord } from './record.ts';
import { heldAnswer, refusal } from './reply.ts';
import { relay } from './relay.ts';
import { resolve } from './resolve.ts';
import type { RpcId } from './rpc.ts';
import type { Session } from './session.ts';

/** Open streams of one identity at most, and resources of one stream. */
const maxPerIdentity = 64;
const maxResources = 100;

const listChanges: Readonly<Record<string, ListKind>> = {
  toolsListChanged: 'tools',
  promptsListChanged: 'prompts',
  resourcesListChanged: 'resources',
};

/** What a stream is asked to carry. */
interface Wanted {
  readonly kinds: readonly [name: string, kind: ListKind][];
  readonly uris: readonly string[];
}

/**
 * The streams of `subscriptions/listen`: changes of the gateway's own lists, and of resources, each of which is judged and subscribed to on its
 * own.
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/subscriptions
 */
export class Listens {
  readonly #parts: Parts;
  readonly #hubs = new WeakMap<Session, ListenHub>();
  readonly #open = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Serves one stream until the agent leaves or the session ends. Gives the answer where the stream was refused or has nothing to carry, and
   * `undefined` where it has ended already.
   * @throws GatewayError `rpc.params`, `session.limit`, `audit.unavailable`
   */
  async serve(call: Call, id: RpcId, channel: AgentChannel, signal: CancelSignal): Promise<Answer | undefined> {
    const wanted = readWanted(member(call.subject, 'notifications'));
    const identity = identityKey(call.identity);
    const open = this.#open.get(identity) ?? 0;
    if (open >= maxPerIdentity)
      throw new GatewayError('session.limit', `this identity has ${String(maxPerIdentity)} open streams; close one first`);
    this.#open.set(identity, open + 1);
    try {
      return await this.#serve(call, id, wanted, channel, signal);
    } finally {
      const left = (this.#open.get(identity) ?? 1) - 1;
      if (left <= 0) this.#open.delete(identity);
      else this.#open.set(identity, left);
    }
  }

  async #serve(call: Call, id: RpcId, wanted: Wanted, channel: AgentChannel, signal: CancelSignal): Promise<Answer | undefined> {
    const { decision, held } = await judge(this.#parts, call, { track: false, signal });
    const finish = (status: 'ok' | 'denied' | 'held'): void =>
      this.#parts.audit.hand(
        finishedRecord(call, { status, bytes: 0, total_ms: this.#parts.now() - call.arrival.receivedAtMs }, this.#parts.now()),
      );
    if (decision.effect === 'deny' || held !== undefined) {
      finish(held === undefined ? 'denied' : 'held');
      return held === undefined || decision.effect === 'deny' ? refusal(call, decision) : heldAnswer(call, decision, held);
    }
    const { session } = call;
    const hub = this.#hub(session);
    const kinds = wanted.kinds.filter(([, kind]) => isJsonObject(call.snapshot.endpoint.capabilities[kind]));
    const subscription = hub.add({ id, kinds: new Set(kinds.map(([, kind]) => kind)), channel });
    const uris: string[] = [];
    try {
      // The acknowledgement is the first message, so what changes meanwhile waits in the hub.
      for (const uri of wanted.uris) {
        if (signal.aborted) break;
        // Also where another stream has it already: that one was opened under a token of its own, perhaps with other groups.
        if (!(await this.#toUpstream(call, 'resources/subscribe', uri, signal))) continue;
        hub.subscribe(subscription, uri);
        uris.push(uri);
      }
      if (hub.size > 0) listenUpstreams(this.#parts, session, true);
      const honored: Record<string, Json> = Object.fromEntries(kinds.map(([name]) => [name, true]));
      if (uris.length > 0) honored['resourceSubscriptions'] = uris;
      hub.acknowledge(subscription, honored);
      if (Object.keys(honored).length === 0) return endOf(id);
      await ended(session, signal, () => channel.send({ jsonrpc: '2.0', id, ...this.#farewell(id) }));
      return undefined;
    } finally {
      finish('ok');
      const unused = hub.remove(subscription);
      // The agent may be gone: what is told to upstreams now is not to be cut off by that.
      for (const uri of unused) if (!session.closed) await this.#toUpstream(call, 'resources/unsubscribe', uri, new Cancellation());
      if (hub.size === 0 && !session.closed) listenUpstreams(this.#parts, session, false);
    }
  }

  /** Judges and sends what a session would have sent itself; gives whether it was done. */
  async #toUpstream({ session, identity, arrival, snapshot }: Call, method: string, uri: string, signal: CancelSignal): Promise<boolean> {
    try {
      const resolved = resolve({ session, identity, arrival, snapshot, method, params: { uri } });
      return 'result' in (await relay(this.#parts, resolved, { send: () => false }, signal));
    } catch (error) {
      // Unknown, or not to be recorded: it is left out of what is acknowledged.
      if (!(error instanceof GatewayError && error.code === 'resource.unknown')) this.#parts.observer.failed('', error);
      return false;
    }
  }

  #hub(session: Session): ListenHub {
    let hub = this.#hubs.get(session);
    if (hub === undefined) this.#hubs.set(session, (hub = new ListenHub()));
    session.standalone = hub;
    return hub;
  }

  #farewell(id: RpcId): Answer {
    return asModern(endOf(id), 'subscriptions/listen', this.#parts.settings().serverInfo);
  }
}

/** The answer that ends a stream in order. */
function endOf(id: RpcId): Answer {
  return { result: { _meta: { [metaKey.subscriptionId]: id } } };
}

/** Resolves when the agent leaves, or when the session ends: then the agent is told so first. */
function ended(session: Session, signal: CancelSignal, tell: () => void): Promise<void> {
  return new Promise((resolve) => {
    const leave = (): void => {
      session.atEnd.delete(end);
      signal.removeEventListener('abort', leave);
      resolve();
    };
    const end = (): void => {
      tell();
      leave();
    };
    if (signal.aborted) resolve();
    else {
      signal.addEventListener('abort', leave);
      session.atEnd.add(end);
    }
  });
}

function readWanted(filter: Json | undefined): Wanted {
  const wrong = (words: string): GatewayError => new GatewayError('rpc.params', `\`params.notifications\` ${words}`);
  if (!isJsonObject(filter)) throw wrong('must say what to listen for');
  const kinds: [string, ListKind][] = [];
  for (const [name, kind] of Object.entries(listChanges)) {
    const value = member(filter, name);
    if (value !== undefined && typeof value !== 'boolean') throw wrong(`has a \`${name}\` that is not a boolean`);
    if (value === true) kinds.push([name, kind]);
  }
  const uris = member(filter, 'resourceSubscriptions') ?? [];
  if (!Array.isArray(uris) || uris.length > maxResources || !uris.every((uri) => typeof uri === 'string'))
    throw wrong(`has \`resourceSubscriptions\` that are not a list of at most ${String(maxResources)} URIs`);
  return { kinds, uris: [...new Set(uris as readonly string[])] };
}
