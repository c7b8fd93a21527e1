import { ownsSession } from '../call/pipeline.ts';
import { Session, type SessionOptions } from '../call/session.ts';
import { GatewayError } from '../model/errors.ts';
import { identityKey, type Identity } from '../model/identity.ts';
import { newId } from '../model/ids.ts';
import type { ServerResponse } from 'node:http';
import { EventStream } from './event-stream.ts';

export interface SessionLimits {
  readonly maxSessions: number;
  readonly maxPerIdentity: number;
  readonly idleMs: number;
  /** Kept events of one session's streams, together. */
  readonly maxStreamBytes: number;
}

/** A session with the streams that carry it. */
export interface LiveSession {
  readonly session: Session;
  readonly streams: Map<string, EventStream>;
  nextStream: number;
  /** Under which requests without a session find it; `undefined` for a session that an agent opened. */
  readonly implicitKey?: string;
}

/** How long an ended stream is kept for a reader that lost its end. */
const endedStreamMs = 60_000;

/** Sessions in memory, bound to identities: another identity's id is as unknown as one that never was. */
export class SessionBook {
  readonly #sessions = new Map<string, LiveSession>();
  readonly #perIdentity = new Map<string, number>();
  readonly #implicit = new Map<string, LiveSession>();
  readonly #limits: () => SessionLimits;
  readonly #onEnd: (session: Session) => void;

  constructor(limits: () => SessionLimits, onEnd: (session: Session) => void) {
    this.#limits = limits;
    this.#onEnd = onEnd;
  }

  get size(): number {
    return this.#sessions.size;
  }

  all(): Iterable<LiveSession> {
    return this.#sessions.values();
  }

  /** Makes a session that is not in the book yet: it gets there by {@link keep}, once policy allowed `initialize`. */
  make(options: Omit<SessionOptions, 'id'>): LiveSession {
    return { session: new Session({ ...options, id: newId('session') }), streams: new Map(), nextStream: 0 };
  }

  /**
   * The session that the requests of one identity's client at one endpoint share without knowing of it, made at the first of them. Other
   * identities, and clients that say something else of themselves, have others.
   * @throws GatewayError `session.limit`
   */
  implicit(options: Omit<SessionOptions, 'id'>): LiveSession {
    const { identity, endpoint, clientInfo, capabilities, startedAtMs: nowMs } = options;
    const key = JSON.stringify([identityKey(identity), endpoint, clientInfo, capabilities]);
    let live = this.#implicit.get(key);
    if (live !== undefined && this.#isIdle(live, nowMs)) this.end(live, nowMs);
    else if (live !== undefined) {
      live.session.lastUsedMs = nowMs;
      live.session.identity = identity;
      return live;
    }
    live = { ...this.make(options), implicitKey: key };
    this.keep(live);
    this.#implicit.set(key, live);
    return live;
  }

  /** @throws GatewayError `session.limit` when there are too many */
  assertRoom(identityKey: string): void {
    const limits = this.#limits();
    if (this.#sessions.size >= limits.maxSessions)
      throw new GatewayError('session.limit', 'the gateway holds as many sessions as it may; try again later');
    if ((this.#perIdentity.get(identityKey) ?? 0) >= limits.maxPerIdentity && !this.#dropIdlest(identityKey)) {
      throw new GatewayError('session.limit', `this identity holds ${limits.maxPerIdentity} sessions; end one with DELETE`);
    }
  }

  /** @throws GatewayError `session.limit` when others took the room while policy was asked */
  keep(live: LiveSession): void {
    this.assertRoom(live.session.identityKey);
    this.#sessions.set(live.session.id, live);
    const key = live.session.identityKey;
    this.#perIdentity.set(key, (this.#perIdentity.get(key) ?? 0) + 1);
  }

  /**
   * The session of this id, for its own identity at its own endpoint; for anybody else, and once it was idle too long, there is none.
   * @throws GatewayError `session.required`, `session.unknown`
   */
  find(id: string | undefined, identity: Identity, endpoint: string, nowMs: number): LiveSession {
    if (id === undefined || id === '')
      throw new GatewayError('session.required', 'the `mcp-session-id` header is missing; send `initialize` first');
    const live = this.#sessions.get(id);
    const isOwn =
      live !== undefined && live.implicitKey === undefined && ownsSession(live.session, identity) && live.session.endpoint === endpoint;
    const isIdle = isOwn && this.#isIdle(live, nowMs);
    if (isIdle) this.end(live, nowMs);
    if (!isOwn || isIdle) throw new GatewayError('session.unknown', 'unknown session; send `initialize` again');
    live.session.lastUsedMs = nowMs;
    live.session.identity = identity;
    return live;
  }

  end(live: LiveSession, nowMs: number): void {
    if (!this.#sessions.delete(live.session.id)) return;
    if (live.implicitKey !== undefined) this.#implicit.delete(live.implicitKey);
    const key = live.session.identityKey;
    const left = (this.#perIdentity.get(key) ?? 1) - 1;
    if (left <= 0) this.#perIdentity.delete(key);
    else this.#perIdentity.set(key, left);
    live.session.end();
    for (const stream of live.streams.values()) stream.end(nowMs);
    this.#onEnd(live.session);
  }

  /** A new stream of the session; ended ones make room when the kept events grow too many. */
  stream(live: LiveSession, standalone: boolean): EventStream {
    const { session, streams } = live;
    const options = {
      id: `s${live.nextStream++}`,
      maxKeptBytes: this.#limits().maxStreamBytes,
      primed: session.protocolVersion >= '2025-11-25',
      standalone,
    };
    const stream = new EventStream(options);
    streams.set(stream.id, stream);
    let bytes = 0;
    for (const one of streams.values()) bytes += one.keptBytes;
    for (const [id, one] of streams) {
      if (bytes <= options.maxKeptBytes) break;
      if (!one.ended) continue;
      bytes -= one.keptBytes;
      streams.delete(id);
    }
    return stream;
  }

  /** A stream that lives as long as its connection and is kept alive like the others. */
  attach(live: LiveSession, response: ServerResponse): EventStream {
    const id = `s${live.nextStream++}`;
    const stream = new EventStream({ id, maxKeptBytes: 0, primed: false, standalone: false, resumable: false });
    live.streams.set(id, stream);
    response.on('close', () => live.streams.delete(id));
    stream.attach(response, {});
    return stream;
  }

  /** Ends idle sessions, drops old ended streams, and keeps open connections alive. Called every few seconds. */
  sweep(nowMs: number): void {
    for (const live of this.#sessions.values()) {
      for (const [id, stream] of live.streams) {
        if (stream.endedAtMs !== undefined && nowMs - stream.endedAtMs > endedStreamMs) live.streams.delete(id);
        else stream.keepAlive();
      }
      if (this.#isIdle(live, nowMs)) this.end(live, nowMs);
    }
  }

  /** Tells every agent that listens, at the endpoints that are meant, that these lists may look different now. */
  announce(kinds: readonly string[], isMeant: (endpoint: string) => boolean): void {
    for (const { session } of this.#sessions.values()) {
      if (!isMeant(session.endpoint)) continue;
      for (const kind of kinds) session.standalone?.send({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed` });
    }
  }

  /** Unused for too long, with no call in flight and nobody who listens. */
  #isIdle({ session, streams }: LiveSession, nowMs: number): boolean {
    if (nowMs - session.lastUsedMs <= this.#limits().idleMs || session.inflight.size > 0) return false;
    for (const stream of streams.values()) if (stream.attached) return false;
    return true;
  }

  /**
   * Makes room by ending the identity's session that was unused the longest, unless that is younger than a minute. One that its agent does not
   * know of can end at any time: the next request makes another.
   */
  #dropIdlest(identityKey: string): boolean {
    let idlest: LiveSession | undefined;
    for (const live of this.#sessions.values()) {
      if (live.session.identityKey !== identityKey || live.session.inflight.size > 0) continue;
      if (live.implicitKey !== undefined && [...live.streams.values()].some((stream) => stream.attached)) continue;
      if (idlest === undefined || live.session.lastUsedMs < idlest.session.lastUsedMs) idlest = live;
    }
    const nowMs = Date.now();
    if (idlest === undefined || (idlest.implicitKey === undefined && nowMs - idlest.session.lastUsedMs < 60_000)) return false;
    this.end(idlest, nowMs);
    return true;
  }
}
