import type { JsonObject } from '../model/json.ts';
import type { Channel, ChannelEvents, OutgoingNotice, OutgoingRequest } from './channel.ts';
import { callFault, fault } from './faults.ts';
import type { Handshake, Introduction } from './handshake.ts';
import { answerInRounds, asksForInput } from './input-rounds.ts';
import { sortResult, translateError, withPlainStructure } from './modern-answer.ts';
import type { ModernCarrier } from './modern-carrier.ts';
import { envelopeOf, modernError, withEnvelope } from './modern-wire.ts';
import { OpenQuestions } from './open-questions.ts';
import type { SessionMemory } from './session-memory.ts';
import { Subscription } from './subscription.ts';
import type { RequestOptions, UpstreamReply, UpstreamTiming } from './types.ts';
import { errorCodeOf } from './wire.ts';

/** What a channel of the modern era is made of. */
export interface ModernChannelParts {
  readonly upstream: string;
  readonly carrier: ModernCarrier;
  readonly introduction: Introduction;
  /** True for the gateway's own channel: it hears of changed lists. */
  readonly hearsLists: boolean;
  readonly memory: SessionMemory;
  readonly events: ChannelEvents;
  readonly timing: UpstreamTiming;
}

const tasksExtension = 'io.modelcontextprotocol/tasks';
const emptyReply: UpstreamReply = { kind: 'result', result: {}, bytes: 0 };

/**
 * One owner's way to an upstream of the modern era (2026-07-28), in the form that sessions know: what a session would keep is kept here,
 * what an upstream asks with a result becomes requests, and answers lose what only that era has.
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning
 */
export class ModernChannel implements Channel {
  /** How long the lists that were read are good, as the upstream says; the shortest of them, in ms. */
  freshForMs: number | undefined;
  readonly questions = new OpenQuestions();
  readonly upstream: string;
  readonly #parts: ModernChannelParts;
  readonly #envelope: JsonObject;
  readonly #takesTasks: boolean;
  readonly #subscription: Subscription;
  #closed = false;

  constructor(parts: ModernChannelParts) {
    this.#parts = parts;
    this.upstream = parts.upstream;
    this.#envelope = envelopeOf(parts.introduction);
    const extensions = parts.introduction.capabilities['extensions'] as JsonObject | undefined;
    this.#takesTasks = extensions?.[tasksExtension] !== undefined;
    this.#subscription = new Subscription({
      upstream: parts.upstream,
      timing: parts.timing,
      events: parts.events,
      open: (notifications, events) => parts.carrier.listen(this.#addressed({ notifications }), events),
    });
    for (const uri of parts.memory.uris) this.#subscription.add(uri);
  }

  get busy(): number {
    return this.#parts.carrier.busy;
  }

  async open(): Promise<Handshake> {
    this.freshForMs = undefined;
    const handshake = await this.#parts.carrier.discover(this.#envelope);
    if (this.#parts.hearsLists && !this.#closed) this.#subscription.followLists(handshake.capabilities);
    return handshake;
  }

  async request(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> {
    if (this.#closed) throw fault('upstream.unreachable', this.upstream, 'the session was closed');
    if (options.signal?.aborted === true) throw fault('call.cancelled', this.upstream, 'cancelled before it was sent');
    const kept = this.#keep(message, options);
    if (kept !== undefined) return kept;
    const startedMs = performance.now();
    const reply = await this.send(message, options);
    if (options.inputRequired === 'return') return reply;
    if (!asksForInput(reply)) return forSession(message.method, reply);
    const timeoutMs = Math.max(1, options.timeoutMs - (performance.now() - startedMs));
    return forSession(message.method, await answerInRounds(this, message, reply, { ...options, timeoutMs }));
  }

  /** One leg of a call. */
  async send(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> {
    const { method } = message;
    const reply = await this.#parts.carrier.send({ ...message, params: this.#addressed(message.params) }, options);
    if (reply.kind === 'error') {
      // What is mirrored into headers comes from the definition that was listed: it must have changed.
      if (errorCodeOf(reply.error) === modernError.headerMismatch) this.#parts.events.onListChanged('tools');
      return translateError(this.upstream, method, reply);
    }
    const { type, result, ttlMs } = sortResult(method, reply.result);
    if (type !== 'complete' && type !== 'input_required' && !(type === 'task' && this.#takesTasks))
      throw callFault('upstream.protocol', this.upstream, `the result has the type \`${type.slice(0, 40)}\`, which was not offered`);
    if (ttlMs !== undefined && method.endsWith('/list')) this.freshForMs = Math.min(this.freshForMs ?? ttlMs, ttlMs);
    return { ...reply, result };
  }

  notify(message: OutgoingNotice): Promise<void> {
    if (this.#closed) return Promise.reject(fault('upstream.unreachable', this.upstream, 'the session was closed'));
    // This era knows no notices of a client: nothing at the upstream waits for one.
    if (message.kind === 'reply') this.questions.answer(message.to, message);
    return Promise.resolve();
  }

  listen(): void {
    // What belongs to no call comes where it was subscribed to.
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#subscription.close();
    await this.#parts.carrier.close();
  }

  /** Answers what only sessions know; `undefined` for what the upstream answers. */
  #keep(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> | undefined {
    const { method, params } = message;
    const uri = params?.['uri'];
    if (method === 'ping') return Promise.resolve(emptyReply);
    if (method === 'logging/setLevel') {
      this.#parts.memory.note(message, emptyReply);
      return Promise.resolve(emptyReply);
    }
    if (typeof uri !== 'string') return undefined;
    if (method === 'resources/subscribe') return this.#subscribe(uri, message, options);
    if (method !== 'resources/unsubscribe') return undefined;
    this.#parts.memory.note(message, emptyReply);
    this.#subscription.remove(uri);
    return Promise.resolve(emptyReply);
  }

  async #subscribe(uri: string, message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> {
    const reply = await this.#subscription.confirm(uri, options);
    this.#parts.memory.note(message, reply);
    return reply;
  }

  #addressed(params: JsonObject | undefined): JsonObject {
    return withEnvelope(params, this.#envelope, this.#parts.memory.logLevel);
  }
}

/** Whoever does not take questions as results is an agent of the eras with sessions. */
function forSession(method: string, reply: UpstreamReply): UpstreamReply {
  return method === 'tools/call' && reply.kind === 'result' ? { ...reply, result: withPlainStructure(reply.result) } : reply;
}
