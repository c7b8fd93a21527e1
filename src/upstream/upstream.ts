import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '../model/json.ts';
import type { CatalogueEntry, Listing } from './catalogue.ts';
import { buildEntry, changedKinds } from './catalogue-entry.ts';
import { readListing } from './catalogue-reader.ts';
import type { Channel } from './channel.ts';
import { reasonOf } from './faults.ts';
import { legacyVersions } from './wire.ts';
import { PermitSession } from './permit-session.ts';
import type { ProcessGroups } from './process-groups.ts';
import { isRetrySafe } from './retry-safe.ts';
import { Backoff, refreshWaitMs } from './timing.ts';
import { transportOf, type TransportFactory } from './transport.ts';
import type { ListKind, SessionOwner, UpstreamOptions, UpstreamPorts, UpstreamSession, UpstreamStatus, UpstreamTiming } from './types.ts';

/** What an upstream is built with. */
export interface UpstreamParts {
  readonly options: UpstreamOptions;
  readonly ports: UpstreamPorts;
  readonly timing: UpstreamTiming;
  readonly groups: ProcessGroups;
  onEntry(entry: CatalogueEntry, changed: readonly ListKind[], announced: readonly ListKind[]): void;
}

/**
 * One upstream: its sessions, and a reader of its own that keeps the catalogue entry right: at start, on a changed list, after a loss, and
 * now and then. An upstream that is down is tried again with back-off; nothing waits for it.
 */
export class Upstream {
  readonly #parts: UpstreamParts;
  readonly #transport: TransportFactory;
  readonly #reader: Channel;
  readonly #sessions = new Map<string, PermitSession>();
  readonly #backoff: Backoff;
  #options: UpstreamOptions;
  #status: UpstreamStatus;
  #listing: Listing | undefined;
  #entry: CatalogueEntry | undefined;
  #refreshing: Promise<void> | undefined;
  #again = false;
  /** Changes that the upstream announced, and how many of them the entry is known to have. */
  #changes = 0;
  #changesRead = 0;
  /** Lists that the upstream said have changed: agents hear so once they were read, also where no difference is seen. */
  readonly #announced = new Set<ListKind>();
  #dueAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: UpstreamParts) {
    this.#parts = parts;
    this.#options = parts.options;
    this.#backoff = new Backoff(parts.timing.retryMinMs, parts.timing.retryMaxMs);
    this.#status = { name: parts.options.name, state: 'connecting', since: Date.now() };
    this.#transport = transportOf(parts.options, parts.ports, parts.timing, parts.groups, {
      onMessage: undefined,
      onListChanged: (kind) => {
        this.#changes++;
        this.#announced.add(kind);
        this.#refreshSoon();
      },
      onReopened: () => this.#refreshSoon(),
      onUnreachable: () => this.#refreshSoon(parts.timing.retryMinMs),
      log: parts.ports.log,
      onStray: (message) => parts.ports.stray?.({ ...message, upstream: parts.options.name }),
    });
    this.#reader = this.#transport.channel({
      owner: undefined,
      introduction: { protocolVersion: legacyVersions[0], clientInfo: parts.ports.clientInfo, capabilities: offered(parts.options) },
      onMessage: undefined,
      listens: true,
      retrySafe: () => true,
      schemaOf: () => undefined,
    });
  }

  get status(): UpstreamStatus {
    return this.#status;
  }

  get entry(): CatalogueEntry | undefined {
    return this.#entry;
  }

  /** Resolves to `false` where an announced change could not be read; `true`, at once, where none is outstanding. */
  upToDate(): boolean | Promise<boolean> {
    return this.#changes === this.#changesRead || this.#readChanges();
  }

  async #readChanges(): Promise<boolean> {
    await this.refresh();
    // What was announced while that was read.
    if (this.#changes !== this.#changesRead) await this.refresh();
    return this.#changes === this.#changesRead;
  }

  /** True where `options` need no new connection, only another look at what is known. */
  canKeep(options: UpstreamOptions): boolean {
    return isDeepStrictEqual(connectionPart(options), connectionPart(this.#options));
  }

  /** Takes labels, pins and idempotent tools of `options` over. */
  async relabel(options: UpstreamOptions): Promise<void> {
    this.#options = options;
    if (this.#listing !== undefined) await this.#publish(this.#listing);
  }

  session(owner: SessionOwner): UpstreamSession {
    let session = this.#sessions.get(owner.id);
    if (session === undefined) {
      const channel = this.#transport.channel({
        owner: owner.id,
        introduction: owner,
        onMessage: (message) => owner.onMessage(message),
        listens: owner.receives === true,
        retrySafe: (method, params) => isRetrySafe(method, params, this.#entry, this.#options.idempotentTools ?? []),
        schemaOf: (tool) => this.#entry?.tools.get(tool)?.definition['inputSchema'] as JsonObject | undefined,
      });
      session = new PermitSession(this.#options.name, channel);
      this.#sessions.set(owner.id, session);
    }
    return session;
  }

  async release(ownerId: string): Promise<void> {
    const session = this.#sessions.get(ownerId);
    this.#sessions.delete(ownerId);
    await session?.close();
  }

  /** Reads all lists now; single-flight, and once more when something changed while it was read. Never rejects. */
  refresh(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    if (this.#refreshing !== undefined) {
      this.#again = true;
      return this.#refreshing;
    }
    this.#refreshing = this.#refreshOnce().finally(() => {
      this.#refreshing = undefined;
      if (this.#again) this.#refreshSoon();
    });
    return this.#refreshing;
  }

  /** Lets calls in flight finish, for a bounded time, then closes all. */
  async drain(): Promise<void> {
    const untilMs = Date.now() + this.#parts.timing.drainMs;
    const isBusy = (): boolean => [...this.#sessions.values()].some((session) => session.busy > 0);
    while (isBusy() && Date.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 20));
    await this.close();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    await Promise.allSettled([...this.#sessions.values()].map((session) => session.close()));
    await Promise.allSettled([this.#reader.close()]);
    await this.#transport.close();
  }

  async #refreshOnce(): Promise<void> {
    clearTimeout(this.#timer);
    this.#again = false;
    const { timing, ports } = this.#parts;
    const { name, timeoutMs } = this.#options;
    const changes = this.#changes;
    try {
      const listing = await readListing(name, this.#reader, timeoutMs);
      this.#listing = listing;
      await this.#publish(listing);
      this.#changesRead = changes;
      this.#backoff.reset();
      const { protocolVersion, serverInfo } = listing.handshake;
      const { era } = this.#transport;
      this.#setStatus({ name, state: 'ready', since: Date.now(), ...(era === undefined ? {} : { era }), protocolVersion, serverInfo });
      this.#schedule(refreshWaitMs(timing.refreshMs, this.#reader.freshForMs));
    } catch (error) {
      if (this.#closed) return;
      const reason = reasonOf(error);
      ports.log({ level: 'warn', event: 'refresh_failed', upstream: name, detail: { reason } });
      this.#setStatus({ name, state: 'down', error: reason, since: Date.now() });
      this.#schedule(this.#backoff.nextMs());
    }
  }

  async #publish(listing: Listing): Promise<void> {
    const before = this.#entry;
    const entry = await buildEntry(this.#options, listing, before, this.#parts.ports);
    this.#entry = entry;
    const announced = [...this.#announced];
    this.#announced.clear();
    if (!this.#closed) this.#parts.onEntry(entry, changedKinds(before, entry), announced);
  }

  #setStatus(status: UpstreamStatus): void {
    if (this.#closed) return;
    this.#status = status.state === this.#status.state ? { ...status, since: this.#status.since } : status;
  }

  #refreshSoon(waitMs = this.#parts.timing.debounceMs): void {
    if (this.#closed) return;
    if (this.#refreshing !== undefined) this.#again = true;
    // Where it is down the next try is set already; calls that fail meanwhile must neither hurry nor postpone it.
    else if (this.#status.state !== 'down' && Date.now() + waitMs < this.#dueAtMs) this.#schedule(waitMs);
  }

  #schedule(waitMs: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#dueAtMs = Date.now() + waitMs;
    this.#timer = setTimeout(() => void this.refresh(), waitMs);
    this.#timer.unref();
  }
}

/** What the gateway says that it can do as the one client of a shared child. */
function offered(options: UpstreamOptions): JsonObject {
  return Object.fromEntries((options.offer ?? []).map((name) => [name, {}]));
}

/** The options without what only the catalogue reads. */
function connectionPart(options: UpstreamOptions): Partial<UpstreamOptions> {
  const { tools: _tools, defaultLabels: _labels, pinning: _pinning, idempotentTools: _idempotent, ...others } = options;
  const { lock: _lock, quarantine: _quarantine, ...rest } = others;
  return rest;
}
