import { isJsonObject, type JsonObject } from '../model/json.ts';
import { Child, type ChildEvents } from './child.ts';
import type { ChannelEvents } from './channel.ts';
import { Correlator } from './correlator.ts';
import { fault, reasonOf } from './faults.ts';
import type { Handshake, Introduction } from './handshake.ts';
import { Inbox } from './inbox.ts';
import type { ListenEvents } from './modern-carrier.ts';
import { metaKey, readDiscovery } from './modern-wire.ts';
import type { ProbedChild } from './probed-child.ts';
import type { ProcessGroups } from './process-groups.ts';
import { greetChild } from './stdio-greeting.ts';
import type { Era, UpstreamMessage, UpstreamOptions, UpstreamTiming } from './types.ts';
import { answerText, parseMessage, type Incoming } from './wire.ts';

/** The longest line that a child may write, whatever the configured limit. */
const maxLineBytes = 4 * 1024 * 1024;
const window = { ms: 60_000, starts: 6 } as const;
const firstRestartMs = 250;

/** The longest line that is taken from an upstream's program. */
export function childLineBytes(options: UpstreamOptions): number {
  return Math.min(maxLineBytes, options.maxResponseBytes);
}

/** What a link is made of. */
export interface StdioLinkParts {
  readonly options: UpstreamOptions;
  readonly era: Era;
  readonly introduction: Introduction;
  readonly groups: ProcessGroups;
  readonly events: ChannelEvents;
  readonly timing: UpstreamTiming;
  /** A program of the modern era that runs already. */
  readonly running?: ProbedChild | undefined;
}

/** A running child that answered its first message. */
export interface StdioConnection {
  readonly child: Child;
  readonly correlator: Correlator;
  readonly inbox: Inbox;
  readonly handshake: Handshake;
  /** Streams of notices by the id of the request that opened them; the modern era only. */
  readonly notices: Map<number, ListenEvents>;
}

/** What a line of the child is taken with. */
type Ears = Pick<StdioConnection, 'correlator' | 'inbox' | 'notices'>;

/**
 * The one supervised child of a stdio upstream, shared by all sessions. Started when it is first needed; after a crash each call in flight
 * ends once, and it is started again after a growing wait, five times a minute at most.
 */
export class StdioLink {
  readonly #parts: StdioLinkParts;
  readonly #subscribers = new Map<string, Map<string, (message: UpstreamMessage) => void>>();
  /** The params of the last `logging/setLevel`: the child has one level for all. */
  logLevel: JsonObject | undefined;
  #connection: StdioConnection | undefined;
  #opening: Promise<StdioConnection> | undefined;
  #child: Child | undefined;
  #running: ProbedChild | undefined;
  #wake: (() => void) | undefined;
  #starts: number[] = [];
  #generation = 0;
  #closed = false;

  constructor(parts: StdioLinkParts) {
    this.#parts = parts;
    this.#running = parts.running;
  }

  get upstream(): string {
    return this.#parts.options.name;
  }

  get connection(): StdioConnection | undefined {
    return this.#connection;
  }

  /** Who hears of changes of a resource; shared, because the child sees one client only. */
  subscribersOf(uri: string): Map<string, (message: UpstreamMessage) => void> {
    let subscribers = this.#subscribers.get(uri);
    if (subscribers === undefined) this.#subscribers.set(uri, (subscribers = new Map<string, (message: UpstreamMessage) => void>()));
    return subscribers;
  }

  /** Forgets an owner's subscriptions; gives the resources that nobody hears of any more. */
  forgetSubscriber(owner: string): string[] {
    const orphaned: string[] = [];
    for (const [uri, subscribers] of this.#subscribers) {
      if (subscribers.delete(owner) && subscribers.size === 0) orphaned.push(uri);
      if (subscribers.size === 0) this.#subscribers.delete(uri);
    }
    return orphaned;
  }

  open(): Promise<StdioConnection> {
    if (this.#closed) return Promise.reject(fault('upstream.unreachable', this.upstream, 'the upstream was closed'));
    if (this.#connection !== undefined) return Promise.resolve(this.#connection);
    this.#opening ??= this.#start().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake?.();
    await this.#running?.child.stop(this.#parts.timing.killGraceMs);
    await this.#child?.stop(this.#parts.timing.killGraceMs);
  }

  async #start(): Promise<StdioConnection> {
    await this.#waitForTurn();
    if (this.#closed) throw fault('upstream.unreachable', this.upstream, 'the upstream was closed');
    this.#starts.push(Date.now());
    const { options, era, introduction, events } = this.#parts;
    const generation = ++this.#generation;
    const send = (text: string): boolean => child.write(text);
    const inbox = new Inbox(`r${generation}.`, {
      ...(era === 'legacy' ? { answer: (id, answer) => void send(answerText(id, answer)) } : {}),
      onListChanged: (kind) => events.onListChanged(kind),
      onStray: events.onStray,
    });
    const notices = new Map<number, ListenEvents>();
    const correlator = new Correlator(this.upstream, inbox, send);
    if (options.transport.kind !== 'stdio') throw new TypeError('only a stdio upstream has a child');
    const running = this.#running?.isAlive === true ? this.#running : undefined;
    this.#running = undefined;
    const ears: ChildEvents = {
      onLine: (line) => this.#onLine(line, { correlator, inbox, notices }),
      onTooLong: () => {
        // Nobody can tell whose answer it was: none of those in flight can be waited for in good faith.
        this.#log('warn', 'line_too_long');
        correlator.failAll('upstream.too_large', 'a line was over the limit');
      },
      onStderr: (line) => this.#log('info', 'stderr', { line }),
      onExit: (why) => this.#onExit(generation, correlator, why),
    };
    const child = running?.hand(ears) ?? new Child(options.transport, childLineBytes(options), this.#parts.groups, ears);
    this.#child = child;
    try {
      const handshake =
        running === undefined
          ? await greetChild(era, correlator, send, introduction, options.timeoutMs)
          : readDiscovery(running.discovered);
      this.#connection = { child, correlator, inbox, handshake, notices };
      if (generation > 1) events.onReopened();
      this.#replay(correlator);
      return this.#connection;
    } catch (error) {
      await child.stop(this.#parts.timing.killGraceMs);
      this.#log('warn', 'open_failed', { reason: reasonOf(error) });
      throw fault('upstream.unreachable', this.upstream, 'the child did not open', error);
    }
  }

  /** Waits longer after each start within a minute, and gives up for the rest of the minute after five restarts. */
  async #waitForTurn(): Promise<void> {
    const now = Date.now();
    this.#starts = this.#starts.filter((at) => now - at < window.ms);
    const recent = this.#starts.length;
    if (recent >= window.starts) throw fault('upstream.unreachable', this.upstream, `the child ended ${recent} times within a minute`);
    if (recent === 0) return;
    const waitMs = firstRestartMs * 2 ** (recent - 1);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  #onExit(generation: number, correlator: Correlator, why: string): void {
    if (generation === this.#generation) this.#connection = undefined;
    correlator.failAll('upstream.unreachable', why);
    if (this.#closed) return;
    this.#log('warn', 'child_ended', { reason: why });
    this.#parts.events.onUnreachable();
  }

  /** Asks a new child for what was asked of the one before it. */
  #replay(correlator: Correlator): void {
    const uris = [...this.#subscribers].filter(([, subscribers]) => subscribers.size > 0);
    const again = [
      ...(this.logLevel === undefined ? [] : [{ method: 'logging/setLevel', params: this.logLevel }]),
      ...uris.map(([uri]) => ({ method: 'resources/subscribe', params: { uri } })),
    ];
    for (const { method, params } of again)
      correlator
        .request({ kind: 'request', method, params }, { timeoutMs: this.#parts.options.timeoutMs }, undefined)
        .catch((error: unknown) => this.#log('warn', 'replay_failed', { reason: reasonOf(error) }));
  }

  #onLine(line: Buffer, { correlator, inbox, notices }: Ears): void {
    const { onStray } = this.#parts.events;
    try {
      const message = parseMessage(line);
      if (message.kind === 'response') {
        if (!correlator.settle(message, line.length)) onStray({ form: 'response', method: undefined, why: 'no call waits for it' });
      } else if (message.kind === 'notification' && this.#parts.era === 'modern' && belongsToStream(message)) {
        if (!takeNotice(message, notices)) onStray({ form: 'notification', method: message.method, why: 'no open stream has its id' });
      } else if (message.kind === 'notification' && message.method === 'notifications/resources/updated') {
        const uri = message.params?.['uri'];
        const told = { kind: 'notification', method: message.method, params: message.params } as const;
        const hearing = (typeof uri === 'string' ? this.#subscribers.get(uri) : undefined) ?? new Map<string, never>();
        if (hearing.size === 0) onStray({ form: 'notification', method: message.method, why: 'nobody subscribed to its resource' });
        for (const deliver of hearing.values()) deliver(told);
      } else {
        inbox.accept(message, correlator.onlyCall(message.kind));
      }
    } catch (error) {
      // Many servers print a greeting to standard output: a line that is no message is noted and skipped.
      this.#log('warn', 'line_dropped', { reason: reasonOf(error) });
    }
  }

  #log(level: 'debug' | 'info' | 'warn', event: string, detail?: Record<string, string>): void {
    this.#parts.events.log({ level, event, upstream: this.upstream, ...(detail === undefined ? {} : { detail }) });
  }
}

/** Whether a notification is one of a stream of notices, or the end of one. */
function belongsToStream({ method, params }: Extract<Incoming, { kind: 'notification' }>): boolean {
  const meta = params?.['_meta'];
  return method === 'notifications/cancelled' || (isJsonObject(meta) && meta[metaKey.subscriptionId] !== undefined);
}

/** Gives it to its stream, or ends that; false where no such stream is open. */
function takeNotice(message: Extract<Incoming, { kind: 'notification' }>, notices: Map<number, ListenEvents>): boolean {
  const { method, params } = message;
  const meta = params?.['_meta'];
  const cancelled = method === 'notifications/cancelled';
  const id = cancelled ? params?.['requestId'] : isJsonObject(meta) ? meta[metaKey.subscriptionId] : undefined;
  const stream = typeof id === 'number' ? notices.get(id) : undefined;
  if (cancelled) stream?.onEnd({ kind: 'lost', why: 'the upstream cancelled it' });
  else stream?.onNotice(message);
  return stream !== undefined;
}
