import { GatewayError } from '../model/errors.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { Incoming } from './wire.ts';
import type { OnStray } from './channel.ts';
import type { ListKind, UpstreamMessage } from './types.ts';

type Unanswered = Exclude<Incoming, { kind: 'response' }>;
type Deliver = (message: UpstreamMessage) => void;

/** Requests of an upstream that may wait for a reply at one time on one connection. */
const maxOpenRequests = 256;

const nobodys = 'it belongs to no call and no session that could take it';

const listKinds: Readonly<Record<string, ListKind>> = {
  'notifications/tools/list_changed': 'tools',
  'notifications/resources/list_changed': 'resources',
  'notifications/prompts/list_changed': 'prompts',
};

/** What an inbox does for its connection. */
export interface InboxPorts {
  /** Sends an answer to the upstream's own id. Left out in the era where an upstream makes no requests. */
  answer?(id: Json, answer: { readonly result?: JsonObject; readonly error?: JsonObject }): void;
  /** A message came that nobody takes. */
  readonly onStray: OnStray;
  onListChanged(kind: ListKind): void;
}

/**
 * Sorts what an upstream sends beside answers on one connection: answers its pings, keeps changed lists for the catalogue, maps progress
 * tokens and request ids. A token or id of another connection is not known here, so nothing can cross.
 */
export class Inbox {
  readonly #ports: InboxPorts;
  readonly #prefix: string;
  #progress: Map<number, { readonly token: Json; readonly deliver: Deliver }> | undefined;
  #requests: Map<string, Json> | undefined;
  #minted = 0;

  /** `prefix` sets this connection's references apart from all others'. */
  constructor(prefix: string, ports: InboxPorts) {
    this.#prefix = prefix;
    this.#ports = ports;
  }

  /** From now on progress on the gateway's `token` goes to `deliver` under the agent's own token. */
  expectProgress(token: number, agentToken: Json, deliver: Deliver): void {
    this.#progress ??= new Map();
    this.#progress.set(token, { token: agentToken, deliver });
  }

  forgetProgress(token: number): void {
    this.#progress?.delete(token);
  }

  /** The session ended: its requests can no longer be answered, and the next session may use their ids again. */
  forgetRequests(): void {
    this.#requests = undefined;
  }

  /** Takes one message; `deliver` is where it belongs, `undefined` where nobody can take it. */
  accept(message: Unanswered, deliver: Deliver | undefined): void {
    if (message.kind === 'request') this.#acceptRequest(message, deliver);
    else this.#acceptNotification(message, deliver);
  }

  /** The upstream's own id behind a reference, once. @throws GatewayError `request.invalid` when nothing waits for it */
  take(reference: string | number): Json {
    const key = String(reference);
    const id = this.#requests?.get(key);
    if (id === undefined)
      throw new GatewayError('request.invalid', 'no request of the upstream waits for this reply; it was answered or given up');
    this.#requests?.delete(key);
    return id;
  }

  #acceptRequest(message: Extract<Unanswered, { kind: 'request' }>, deliver: Deliver | undefined): void {
    if (this.#ports.answer === undefined) {
      this.#stray(message, 'servers of its era make no requests');
      return;
    }
    if (message.method === 'ping') {
      this.#ports.answer(message.id, { result: {} });
      return;
    }
    this.#requests ??= new Map();
    if (deliver === undefined || this.#requests.size >= maxOpenRequests) {
      this.#stray(message, deliver === undefined ? nobodys : 'too many requests wait for a reply');
      this.#ports.answer(message.id, { error: { code: -32600, message: 'this request belongs to no single call that is in flight' } });
      return;
    }
    const reference = `${this.#prefix}${++this.#minted}`;
    this.#requests.set(reference, message.id);
    deliver({ kind: 'request', id: reference, method: message.method, params: message.params });
  }

  #acceptNotification(message: Extract<Unanswered, { kind: 'notification' }>, deliver: Deliver | undefined): void {
    const { method, params } = message;
    // Own names only: an upstream may well send a method that is called `constructor`.
    const kind = Object.hasOwn(listKinds, method) ? listKinds[method] : undefined;
    if (kind !== undefined) {
      this.#ports.onListChanged(kind);
    } else if (method === 'notifications/progress') {
      const token = params?.['progressToken'];
      const call = typeof token === 'number' ? this.#progress?.get(token) : undefined;
      // A token that no call of this connection has could only confuse another call.
      if (call === undefined) this.#stray(message, 'no call that is in flight asked for progress under its token');
      else call.deliver({ kind: 'notification', method, params: { ...params, progressToken: call.token } });
    } else if (method === 'notifications/cancelled') {
      const reference = this.#referenceOf(params?.['requestId']);
      if (reference === undefined || deliver === undefined) {
        this.#stray(message, 'it cancels no request that is open');
        return;
      }
      this.#requests?.delete(reference);
      deliver({ kind: 'notification', method, params: { ...params, requestId: reference } });
    } else if (deliver === undefined) {
      this.#stray(message, nobodys);
    } else {
      deliver({ kind: 'notification', method, params });
    }
  }

  #stray({ kind, method }: Unanswered, why: string): void {
    this.#ports.onStray({ form: kind, method, why });
  }

  #referenceOf(id: Json | undefined): string | undefined {
    for (const [reference, known] of this.#requests ?? []) if (known === id) return reference;
    return undefined;
  }
}
