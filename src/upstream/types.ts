import type { CancelSignal } from '../model/cancellation.ts';
import type { Finding } from '../model/input.ts';
import type { Permit } from '../model/permit.ts';
import type { Digest } from '../model/ids.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { Awaitable } from '../model/ports.ts';
import type { Catalogue } from './catalogue.ts';
import type { LockedServer } from './lockfile.ts';

/** How an upstream is reached. */
export type UpstreamTransport =
  | { readonly kind: 'http'; readonly url: string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'sse'; readonly url: string; readonly headers?: Readonly<Record<string, string>> }
  | {
      readonly kind: 'stdio';
      readonly command: string;
      readonly args: readonly string[];
      /** All that the child gets, beside a short list of harmless names (PATH, HOME, LANG, TERM, …). */
      readonly env: Readonly<Record<string, string>>;
      readonly cwd?: string;
    };

/** What the gateway presents to an upstream. The agent's own token never reaches this room. */
export type UpstreamCredential =
  | { readonly kind: 'none' }
  | { readonly kind: 'static'; readonly header: string; readonly value: string }
  | {
      readonly kind: 'client_credentials';
      readonly issuer: string;
      readonly clientId: string;
      readonly clientSecret: string;
      readonly scope?: string;
      readonly resource?: string;
    };

/** What the configuration says of one tool: trusted labels, and the digest of the definition that was reviewed. */
export interface ToolTerms {
  readonly labels: readonly string[];
  readonly digest?: Digest;
}

/** One upstream, as configured. */
export interface UpstreamOptions {
  readonly name: string;
  readonly transport: UpstreamTransport;
  readonly credential: UpstreamCredential;
  /** For the gateway's own requests: opening a session, lists, a token. A call brings its own. */
  readonly timeoutMs: number;
  /** The largest single message that is taken from the upstream, after inflating. */
  readonly maxResponseBytes: number;
  readonly tools: Readonly<Record<string, ToolTerms>>;
  readonly defaultLabels?: readonly string[];
  /**
   * A configured digest always decides. Else `config`: not pinned; `first_seen`: the pin book's digest, filled on first sight; `lockfile`:
   * the digest in `lock`.
   */
  readonly pinning: 'config' | 'first_seen' | 'lockfile';
  /** What the lockfile has of this upstream. */
  readonly lock?: LockedServer;
  /** What becomes of a tool whose definition is another than that: `hide` (the default) keeps it from lists, `policy` leaves that to policy. */
  readonly quarantine?: 'hide' | 'policy';
  /** Tools that may be called again when an answer was lost, whatever their annotations say. */
  readonly idempotentTools?: readonly string[];
  /** `false`: connections to private, loopback and link-local addresses are refused when they are made. */
  readonly allowPrivateNetwork?: boolean;
  /** What an upstream is told that its client can do where no agent speaks for itself: a shared stdio child, and whenever lists are read. */
  readonly offer?: readonly ('sampling' | 'elicitation' | 'roots')[];
  /** Which era of MCP it speaks; `auto`, the default, finds out by asking. */
  readonly era?: 'auto' | Era;
}

/** `legacy`: revisions that open a session with `initialize`. `modern`: 2026-07-28, where each request stands for itself. */
export type Era = 'legacy' | 'modern';

/** How messages get to an upstream that was found by asking: in its era, or by the transport that the legacy era had before (HTTP+SSE). */
export type Dialect = Era | 'sse';

/** The agent's session, as an upstream gets to know it. */
export interface SessionOwner {
  readonly id: string;
  readonly protocolVersion: string;
  readonly clientInfo: JsonObject;
  readonly capabilities: JsonObject;
  /** True where the agent can be sent messages outside of a call from the start; see {@link UpstreamSession.listen}. */
  readonly receives?: boolean;
  /** Notifications and requests from the upstream that belong to no call. Must not throw. */
  onMessage(message: UpstreamMessage): void;
}

/** What a call may cost and who hears of it while it runs. */
export interface RequestOptions {
  readonly signal?: CancelSignal | undefined;
  readonly timeoutMs: number;
  /**
   * Progress, log messages and the upstream's requests that belong to this call, in order, before its answer. Must not throw. Left out:
   * nobody takes them, so they are strays.
   */
  onMessage?(message: UpstreamMessage): void;
  /**
   * `return`: a result of an upstream of the modern era that says `resultType: "input_required"` is the answer, as it is. Left out: the
   * upstream's questions come as requests in `onMessage`, and the call goes on when they are answered.
   */
  readonly inputRequired?: 'return';
}

/** One agent session's way to one upstream. */
export interface UpstreamSession {
  /**
   * Sends a request and gives the upstream's one answer. The session is opened on first use, and opened again when the upstream lost it.
   * @throws GatewayError `upstream.unreachable`, `upstream.protocol`, `upstream.too_large`, `upstream.timeout`, `upstream.credential`,
   * `call.cancelled`
   */
  request(permit: Permit, options: RequestOptions): Promise<UpstreamReply>;
  /**
   * Sends a notification, or the reply to a request that the upstream made. A cancellation is not sent this way: abort the call's signal.
   * @throws GatewayError as {@link request}; `request.invalid` when no request waits for this reply
   */
  notify(permit: Permit): Promise<void>;
  /** Opens or closes the stream on which the upstream sends what belongs to no call; asked for by an agent that listens. */
  listen(active: boolean): void;
  /** Ends the session at the upstream too; calls in flight end with `call.cancelled`. */
  close(): Promise<void>;
}

/** The upstream's one answer. `bytes` is the size of the message that carried it. */
export type UpstreamReply =
  | { readonly kind: 'result'; readonly result: JsonObject; readonly bytes: number; readonly requestId?: number }
  | { readonly kind: 'error'; readonly error: JsonObject; readonly bytes: number; readonly requestId?: number };

/** What an upstream sends beside answers. `id` is a reference to reply to, minted here; it is never the upstream's own id. */
export type UpstreamMessage =
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject | undefined }
  | { readonly kind: 'request'; readonly id: string; readonly method: string; readonly params: JsonObject | undefined };

/** A message of an upstream's that nobody can take: it goes nowhere. Nothing of what it holds is in here. */
export interface StrayMessage {
  readonly upstream: string;
  readonly form: 'request' | 'notification' | 'response';
  /** As the upstream wrote it, at most 200 characters; `undefined` for a response. */
  readonly method: string | undefined;
  /** Why nobody takes it. */
  readonly why: string;
  /** The agent session on whose own connection it came; `undefined` on one that many share, or the gateway's own. */
  readonly session?: string;
}

export type ListKind = 'tools' | 'resources' | 'prompts';

export interface UpstreamStatus {
  readonly name: string;
  readonly state: 'ready' | 'connecting' | 'down';
  readonly error?: string;
  readonly since: number;
  readonly era?: Era;
  readonly protocolVersion?: string;
  readonly serverInfo?: JsonObject;
}

/** All upstreams. */
export interface Upstreams {
  /** An immutable snapshot, swapped whole; its revision grows with each change. */
  catalogue(): Catalogue;
  /** Hears of each change of what an upstream offers. Gives the way to stop. */
  onChange(listener: (upstream: string, kinds: readonly ListKind[]) => void): () => void;
  /**
   * The owner's session with an upstream: the same object while the upstream's options stay; ask for it at each call. Nothing connects before
   * the first message. @throws GatewayError `upstream.unreachable` when there is no such upstream
   */
  session(upstream: string, owner: SessionOwner): UpstreamSession;
  /** Closes all that an owner has open. */
  release(ownerId: string): Promise<void>;
  /**
   * Whether a tool is still what a call was judged with: same definition, same pin. Where the upstream announced a change that was not read
   * yet, the answer waits for that; a change that cannot be read counts as one.
   */
  isStill(upstream: string, tool: string, digest: string, pinned: boolean): boolean | Promise<boolean>;
  /** Builds new upstreams, keeps unchanged ones connected, lets calls on removed ones finish and closes those. */
  reconfigure(options: readonly UpstreamOptions[]): Promise<void>;
  status(): readonly UpstreamStatus[];
  /** Resolves when each upstream was tried once, whatever came of it. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Where first-seen digests are kept. */
export interface PinBook {
  get(upstream: string, tool: string): Awaitable<Digest | undefined>;
  put(upstream: string, tool: string, digest: Digest): Awaitable<void>;
}

/** One line for the log. Never a secret, never a body. */
export interface UpstreamLogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly upstream: string;
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
}
export type UpstreamLog = (entry: UpstreamLogEntry) => void;

/** What the app supplies. */
export interface UpstreamPorts {
  readonly pins: PinBook;
  readonly log: UpstreamLog;
  /** Keeps account of what nobody takes. Left out: nobody does. */
  stray?(message: StrayMessage): void;
  /** Looks for what has no place in a tool's definition, or in instructions. Pointers of the findings are from the value's root. */
  scan(value: Json, kind: 'definition' | 'instructions'): readonly Finding[];
  /** What the gateway calls itself toward upstreams on its own sessions. */
  readonly clientInfo: JsonObject;
  readonly timing?: Partial<UpstreamTiming>;
}

/** Waits and periods; the defaults are in `timing.ts`. */
export interface UpstreamTiming {
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  readonly refreshMs: number;
  readonly debounceMs: number;
  readonly killGraceMs: number;
  readonly drainMs: number;
}
