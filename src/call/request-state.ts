import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { GatewayError } from '../model/errors.ts';
import type { Asked } from './question.ts';

/** What a `requestState` is bound to. All of it must be the same when the agent comes back with it. */
export interface StateBinding {
  /** Key of the identity: tenant, issuer, subject and client. */
  readonly identity: string;
  readonly endpoint: string;
  readonly method: string;
  readonly upstream: string;
  /** The target's name at the upstream. */
  readonly target: string;
  /** Digest of what policy sees as arguments. */
  readonly arguments: string;
}

/**
 * What waits for the answers: a call that its upstream goes on with, or nothing but what the upstream wants to have back. `asked` has
 * each question, by which its answer is judged. With `again` the call is sent once more as it was: its upstream asked with an error.
 */
export type Waiting =
  | { readonly kind: 'parked'; readonly id: string }
  | {
      readonly kind: 'upstream';
      readonly state: string | undefined;
      readonly asked: Readonly<Record<string, Asked>>;
      readonly again: boolean;
    };

interface Envelope {
  readonly nonce: string;
  readonly expiresAtMs: number;
  readonly waiting: Waiting;
}

/** Unspent states at most, of one identity and of all; beyond that the oldest can no longer be used. An unspent one costs about 150 bytes. */
const maxOfIdentity = 256;
const maxUnspent = 20_000;
const maxLength = 256 * 1024;

/**
 * Seals what an agent must bring back to go on with a call: AES-256-GCM under a key of this process, bound to who asked what, with an expiry,
 * and good for one use. An agent can neither read nor change it, and nobody else can use it.
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/mrtr#server-requirements-basic-workflow
 */
export class RequestStates {
  readonly #key = randomBytes(32);
  /** Expiry by nonce, by identity: one that asks without end spends its own room. */
  readonly #unspent = new Map<string, Map<string, number>>();
  #size = 0;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @throws GatewayError `upstream.too_large` when what the upstream wants to have back is too much for a request */
  seal(binding: StateBinding, waiting: Waiting, lifeMs: number): string {
    const nonce = randomBytes(16).toString('base64url');
    const expiresAtMs = this.#now() + lifeMs;
    this.#remember(binding.identity, nonce, expiresAtMs);
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv).setAAD(boundTo(binding));
    const body = Buffer.concat([cipher.update(JSON.stringify({ nonce, expiresAtMs, waiting } satisfies Envelope), 'utf8'), cipher.final()]);
    const text = Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url');
    if (text.length > maxLength)
      throw new GatewayError('upstream.too_large', 'the `requestState` of the upstream is too long to be sent back');
    return text;
  }

  /** Opens a state without spending it. @throws GatewayError `state.invalid`, for whatever reason: which one is nobody's business */
  open(binding: StateBinding, text: string): { readonly nonce: string; readonly waiting: Waiting } {
    const envelope = this.#decrypt(binding, text);
    if (envelope === undefined || envelope.expiresAtMs <= this.#now() || this.#unspent.get(binding.identity)?.has(envelope.nonce) !== true)
      throw invalid();
    return envelope;
  }

  /** Spends a state: of several that come with the same one, one goes on. @throws GatewayError `state.invalid` */
  spend({ identity }: StateBinding, nonce: string): void {
    if (!this.#forget(identity, nonce)) throw invalid();
  }

  #decrypt(binding: StateBinding, text: string): Envelope | undefined {
    const bytes = Buffer.from(text, 'base64url');
    // Base64 can be written in many ways; only the one that was given out is taken.
    if (text.length > maxLength || bytes.length < 29 || bytes.toString('base64url') !== text) return undefined;
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, 12), { authTagLength: 16 });
      decipher.setAAD(boundTo(binding)).setAuthTag(bytes.subarray(12, 28));
      const plain = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]);
      return JSON.parse(plain.toString('utf8')) as Envelope;
    } catch {
      // Not sealed by this process, or for something else: both are refused in the same words.
      return undefined;
    }
  }

  #remember(identity: string, nonce: string, expiresAtMs: number): void {
    const nowMs = this.#now();
    const own = this.#unspent.get(identity) ?? new Map<string, number>();
    for (const [old, oldExpiresAtMs] of own) {
      if (oldExpiresAtMs > nowMs && own.size < maxOfIdentity) break;
      this.#forget(identity, old);
    }
    own.set(nonce, expiresAtMs);
    this.#unspent.delete(identity);
    this.#unspent.set(identity, own);
    this.#size++;
    // Whoever asked least lately goes first.
    for (const [other, theirs] of this.#unspent) {
      if (this.#size <= maxUnspent) break;
      for (const old of [...theirs.keys()]) this.#forget(other, old);
    }
  }

  #forget(identity: string, nonce: string): boolean {
    const own = this.#unspent.get(identity);
    if (own?.delete(nonce) !== true) return false;
    this.#size--;
    if (own.size === 0) this.#unspent.delete(identity);
    return true;
  }
}

function boundTo({ identity, endpoint, method, upstream, target, arguments: digest }: StateBinding): Buffer {
  return Buffer.from(JSON.stringify([identity, endpoint, method, upstream, target, digest]), 'utf8');
}

function invalid(): GatewayError {
  return new GatewayError('state.invalid', '`requestState` is not valid for this call, or not any more; repeat the call without it');
}
