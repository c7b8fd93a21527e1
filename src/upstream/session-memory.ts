import type { JsonObject } from '../model/json.ts';
import type { OutgoingRequest } from './channel.ts';
import type { UpstreamReply } from './types.ts';

/** Beyond this a subscription is not asked for again after a loss. */
const maxUris = 10_000;

/** What an owner asked of an upstream that outlives a session there: it has to be asked again after a loss. */
export class SessionMemory {
  readonly uris = new Set<string>();
  logLevel: string | undefined;

  /** Whether a method leaves something to remember. */
  static concerns(method: string): boolean {
    return method === 'resources/subscribe' || method === 'resources/unsubscribe' || method === 'logging/setLevel';
  }

  /** Takes note of a request that was answered. */
  note(message: OutgoingRequest, reply: UpstreamReply): void {
    if (reply.kind === 'error') return;
    const { uri, level } = message.params ?? {};
    if (message.method === 'logging/setLevel' && typeof level === 'string') this.logLevel = level;
    if (typeof uri !== 'string') return;
    if (message.method === 'resources/subscribe' && this.uris.size < maxUris) this.uris.add(uri);
    if (message.method === 'resources/unsubscribe') this.uris.delete(uri);
  }

  /** The same request, whose answer is taken note of where it has to be. */
  async follow(message: OutgoingRequest, answered: Promise<UpstreamReply>): Promise<UpstreamReply> {
    const reply = await answered;
    this.note(message, reply);
    return reply;
  }

  /** The requests that bring a new session of the legacy eras to where the old one was. */
  replay(): OutgoingRequest[] {
    const request = (method: string, params: JsonObject): OutgoingRequest => ({ kind: 'request', method, params });
    return [
      ...(this.logLevel === undefined ? [] : [request('logging/setLevel', { level: this.logLevel })]),
      ...[...this.uris].map((uri) => request('resources/subscribe', { uri })),
    ];
  }
}
