import type { Decision } from './decision.ts';
import type { CallId } from './ids.ts';
import type { JsonObject } from './json.ts';

/** What may be sent: a request, a notification, or the answer to a request that the upstream made. */
export type Outgoing =
  | { readonly kind: 'request'; readonly method: string; readonly params: JsonObject | undefined }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject | undefined }
  | { readonly kind: 'reply'; readonly to: string | number; readonly result?: JsonObject; readonly error?: JsonObject };

/**
 * Leave to send one message to one upstream, once. Only `call/act.ts` mints it, after the decision was recorded durably.
 * INVARIANT: `message` is the very value that policy judged, after its redactions.
 */
export class Permit {
  readonly #upstream: string;
  readonly #message: Outgoing;
  readonly #decision: Decision;
  readonly #callId: CallId;
  #used = false;

  private constructor(upstream: string, message: Outgoing, decision: Decision, callId: CallId) {
    this.#upstream = upstream;
    this.#message = message;
    this.#decision = decision;
    this.#callId = callId;
  }

  /** @throws TypeError when the decision does not let the call go on: a permit for a refusal cannot exist. */
  static mint(upstream: string, message: Outgoing, decision: Decision, callId: CallId): Permit {
    if (decision.effect !== 'allow' && decision.effect !== 'redact') throw new TypeError(`no permit for effect \`${decision.effect}\``);
    return new Permit(upstream, message, decision, callId);
  }

  get callId(): CallId {
    return this.#callId;
  }

  get upstream(): string {
    return this.#upstream;
  }

  get decision(): Decision {
    return this.#decision;
  }

  /** Hands out the message, once. @throws TypeError on a second use or for another upstream. */
  use(upstream: string): Outgoing {
    if (upstream !== this.#upstream) throw new TypeError(`this permit is for \`${this.#upstream}\`, not \`${upstream}\``);
    if (this.#used) throw new TypeError('a permit is used once');
    this.#used = true;
    return this.#message;
  }
}
