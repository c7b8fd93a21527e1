import { Cancellation } from '../model/cancellation.ts';
import type { Identity } from '../model/identity.ts';
import type { Json, JsonObject } from '../model/json.ts';
import { isJsonObject } from '../model/json.ts';
import type { UpstreamReply } from '../upstream/types.ts';
import type { AgentChannel } from './call.ts';
import type { MessageLane } from './messages.ts';
import { logLevels, type LogLevel } from './modern-meta.ts';

/** Who waits for a call at the moment, and what it wants to hear meanwhile. */
export interface Attendance {
  readonly channel: AgentChannel;
  readonly progressToken: Json | undefined;
  readonly logLevel: LogLevel | undefined;
}

/** Questions of the upstream that are not answered, or how the call ended. */
export type Turn =
  { readonly questions: Readonly<Record<string, JsonObject>> } | { readonly reply: UpstreamReply } | { readonly fault: unknown };

/** Questions that an upstream asks at once arrive one after the other: this long the first waits for the others. */
const gatherMs = 20;
/** Questions that wait for one call at most; an upstream is told that what comes beyond that cannot be asked. */
const maxQuestions = 32;
/** What only a listening stream may carry in this era. */
const ofNoCall = /^notifications\/(resources\/updated|(tools|prompts|resources)\/list_changed)$/;

/**
 * A call at an upstream in an era in which the agent cannot be asked while it waits: it outlives the agent's request when the upstream
 * asks back, and the agent's next request goes on with it. What may pass to the agent meanwhile is decided here too: progress that it asked
 * for, log messages from its level on, and never a request.
 */
export class RunningCall implements AgentChannel {
  readonly abort = new Cancellation();
  /** Who waits for the call, as of the latest round: a token that was refreshed since may carry other groups. */
  identity: Identity;
  readonly #questions = new Map<string, JsonObject>();
  #attendance: Attendance | undefined;
  #ended: Turn | undefined;
  #wake: (() => void) | undefined;
  /** Takes what belongs to no call although it came with one. */
  readonly #elsewhere: (message: JsonObject) => boolean;

  constructor(identity: Identity, elsewhere: (message: JsonObject) => boolean) {
    this.identity = identity;
    this.#elsewhere = elsewhere;
  }

  /** Takes the upstream's answer once it is there and all that came before it is delivered. */
  follow(reply: Promise<UpstreamReply>, lane: MessageLane): void {
    const end = async (turn: Turn): Promise<void> => {
      await lane.drain();
      this.#ended = turn;
      this.#wake?.();
    };
    reply.then(
      (one) => end({ reply: one }),
      (fault: unknown) => end({ fault }),
    );
  }

  /** Ids of the questions that wait for an answer. */
  questions(): readonly string[] {
    return [...this.#questions.keys()];
  }

  /** A question is being answered. */
  answered(id: string): void {
    this.#questions.delete(id);
  }

  attend(attendance: Attendance | undefined): void {
    this.#attendance = attendance;
  }

  /** Resolves when the agent has something to do or to get. */
  async next(): Promise<Turn> {
    if (this.#ended === undefined && this.#questions.size === 0) await new Promise<void>((wake) => (this.#wake = wake));
    if (this.#ended === undefined) {
      // The end may come right behind a question that it makes needless.
      await new Promise<void>((wake) => {
        this.#wake = undefined;
        setTimeout(wake, gatherMs);
      });
    }
    this.#wake = undefined;
    if (this.#ended !== undefined) return this.#ended;
    return this.#questions.size === 0 ? this.next() : { questions: Object.fromEntries(this.#questions) };
  }

  send(message: JsonObject): boolean {
    const { id, method, params } = message;
    if (typeof id === 'string' && typeof method === 'string') {
      if (this.#questions.size >= maxQuestions) return false;
      this.#questions.set(id, params === undefined ? { method } : { method, params });
      this.#wake?.();
      return true;
    }
    if (method === 'notifications/cancelled') {
      const asked = isJsonObject(params) ? params['requestId'] : undefined;
      if (typeof asked === 'string') this.#questions.delete(asked);
      return true;
    }
    if (typeof method === 'string' && ofNoCall.test(method)) return this.#elsewhere(message);
    const attendance = this.#attendance;
    const shown = attendance === undefined ? undefined : asWanted(message, attendance);
    return shown !== undefined && attendance?.channel.send(shown) === true;
  }
}

/** The message as this agent wants it, `undefined` where it does not. */
function asWanted(message: JsonObject, { progressToken, logLevel }: Attendance): JsonObject | undefined {
  const { method, params } = message;
  if (method === 'notifications/progress') {
    if (progressToken === undefined || !isJsonObject(params)) return undefined;
    // Another round may have named another token than the one that began the call.
    return { ...message, params: { ...params, progressToken } };
  }
  if (method !== 'notifications/message') return message;
  const level = isJsonObject(params) ? logLevels.findIndex((one) => one === params['level']) : -1;
  return logLevel !== undefined && level >= logLevels.indexOf(logLevel) ? message : undefined;
}
