import type { Permit } from '../model/permit.ts';
import { GatewayError } from '../model/errors.ts';
import { withTraceMeta } from '../model/trace-scope.ts';
import type { Channel } from './channel.ts';
import type { RequestOptions, UpstreamReply, UpstreamSession } from './types.ts';

/** An agent's session: the one way on which a message of an agent leaves, and only under a permit for this upstream. */
export class PermitSession implements UpstreamSession {
  readonly #upstream: string;
  readonly #channel: Channel;

  constructor(upstream: string, channel: Channel) {
    this.#upstream = upstream;
    this.#channel = channel;
  }

  get busy(): number {
    return this.#channel.busy;
  }

  request(permit: Permit, options: RequestOptions): Promise<UpstreamReply> {
    const message = permit.use(this.#upstream);
    if (message.kind !== 'request') throw new TypeError('only a request has an answer');
    return this.#channel.request(withTraceMeta(message), options);
  }

  async notify(permit: Permit): Promise<void> {
    const message = permit.use(this.#upstream);
    if (message.kind === 'request') throw new TypeError('a request is not sent as a notification');
    if (message.kind === 'notification' && message.method === 'notifications/cancelled') {
      throw new GatewayError('request.invalid', 'a call is cancelled by its signal: its id at the upstream is not the agent’s');
    }
    await this.#channel.notify(message);
  }

  listen(active: boolean): void {
    this.#channel.listen(active);
  }

  close(): Promise<void> {
    return this.#channel.close();
  }
}
