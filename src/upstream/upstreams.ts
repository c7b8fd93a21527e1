import { isDeepStrictEqual } from 'node:util';
import type { Catalogue, CatalogueEntry } from './catalogue.ts';
import { fault } from './faults.ts';
import { ProcessGroups } from './process-groups.ts';
import { Shadows } from './shadows.ts';
import { defaultTiming } from './timing.ts';
import type { ListKind, SessionOwner, UpstreamOptions, UpstreamPorts, Upstreams, UpstreamSession, UpstreamStatus } from './types.ts';
import { Upstream } from './upstream.ts';

type Listener = (upstream: string, kinds: readonly ListKind[]) => void;

/**
 * Builds all upstreams and begins to read what they offer, without waiting for any.
 * @throws TypeError when an upstream's options cannot work (two of one name, a URL that is not http)
 */
export function createUpstreams(options: readonly UpstreamOptions[], ports: UpstreamPorts): Upstreams {
  return new AllUpstreams(options, ports);
}

class AllUpstreams implements Upstreams {
  readonly #ports: UpstreamPorts;
  readonly #groups = new ProcessGroups();
  readonly #listeners = new Set<Listener>();
  readonly #shadows = new Shadows();
  readonly #draining = new Set<Promise<void>>();
  #upstreams: ReadonlyMap<string, Upstream>;
  #catalogue: Catalogue = { revision: 0, upstreams: new Map() };
  #settled: Promise<unknown>;
  #closed = false;

  constructor(options: readonly UpstreamOptions[], ports: UpstreamPorts) {
    this.#ports = ports;
    requireOneOfEach(options);
    this.#upstreams = new Map(options.map((each) => [each.name, this.#build(each)]));
    this.#settled = Promise.all([...this.#upstreams.values()].map((each) => each.refresh()));
  }

  catalogue(): Catalogue {
    return this.#catalogue;
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  session(upstream: string, owner: SessionOwner): UpstreamSession {
    const found = this.#upstreams.get(upstream);
    if (found === undefined || this.#closed) throw fault('upstream.unreachable', upstream, 'there is no such upstream now');
    return found.session(owner);
  }

  async release(ownerId: string): Promise<void> {
    await Promise.all([...this.#upstreams.values()].map((each) => each.release(ownerId)));
  }

  isStill(upstream: string, tool: string, digest: string, pinned: boolean): boolean | Promise<boolean> {
    const isSame = (): boolean => {
      const now = this.#catalogue.upstreams.get(upstream)?.tools.get(tool);
      return now?.digest === digest && now.pinned === pinned;
    };
    const upToDate = this.#upstreams.get(upstream)?.upToDate() ?? true;
    if (upToDate === true) return isSame();
    return Promise.resolve(upToDate).then((known) => known && isSame());
  }

  async reconfigure(options: readonly UpstreamOptions[]): Promise<void> {
    requireOneOfEach(options);
    // INVARIANT: all new ones are built before the first old one is touched, so that options that cannot work change nothing.
    const next = new Map<string, Upstream>();
    const added: Upstream[] = [];
    for (const each of options) {
      const old = this.#upstreams.get(each.name);
      const upstream = old?.canKeep(each) === true ? old : this.#build(each);
      if (upstream !== old) added.push(upstream);
      next.set(each.name, upstream);
    }
    const removed = [...this.#upstreams.values()].filter((old) => next.get(old.status.name) !== old);
    this.#upstreams = next;
    this.#swap();
    for (const old of removed) this.#drain(old);
    for (const { status } of removed) if (!next.has(status.name)) this.#tell(status.name, ['tools', 'resources', 'prompts']);
    const isAdded = new Set(added);
    await Promise.all(
      options.map(async (each) => {
        const upstream = next.get(each.name);
        if (upstream !== undefined && !isAdded.has(upstream)) await upstream.relabel(each);
      }),
    );
    this.#settled = Promise.all(added.map((each) => each.refresh()));
    await this.#settled;
  }

  status(): readonly UpstreamStatus[] {
    return [...this.#upstreams.values()].map((each) => each.status);
  }

  async settled(): Promise<void> {
    await this.#settled;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners.clear();
    await Promise.all([...this.#upstreams.values()].map((each) => each.close()));
    await Promise.all(this.#draining);
    this.#groups.close();
  }

  #build(options: UpstreamOptions): Upstream {
    const upstream: Upstream = new Upstream({
      options,
      ports: this.#ports,
      timing: { ...defaultTiming, ...this.#ports.timing },
      groups: this.#groups,
      onEntry: (entry, changed, announced) => {
        if (this.#upstreams.get(options.name) === upstream) this.#take(entry, changed, announced);
      },
    });
    return upstream;
  }

  #take(entry: CatalogueEntry, changed: readonly ListKind[], announced: readonly ListKind[]): void {
    const heard = [...new Set([...changed, ...announced])];
    // Whoever keeps something per revision need not build it again for a list that is as it was.
    const before = this.#catalogue.upstreams.get(entry.name);
    const isSame =
      changed.length === 0 &&
      isDeepStrictEqual(before?.problems, entry.problems) &&
      isDeepStrictEqual(before?.instructions, entry.instructions);
    const touched = isSame ? [] : this.#swap();
    if (heard.length > 0) this.#tell(entry.name, heard);
    for (const name of touched) if (name !== entry.name) this.#tell(name, ['tools']);
  }

  /** A new snapshot of what each upstream last said. Gives the upstreams with tools on which another one throws a new light. */
  #swap(): readonly string[] {
    const entries = new Map<string, CatalogueEntry>();
    for (const [name, upstream] of this.#upstreams) if (upstream.entry !== undefined) entries.set(name, upstream.entry);
    const { upstreams, touched } = this.#shadows.cast(entries, this.#catalogue.upstreams);
    this.#catalogue = { revision: this.#catalogue.revision + 1, upstreams };
    return touched;
  }

  #drain(upstream: Upstream): void {
    const draining: Promise<void> = upstream.drain().finally(() => this.#draining.delete(draining));
    this.#draining.add(draining);
  }

  #tell(upstream: string, kinds: readonly ListKind[]): void {
    for (const listener of this.#listeners) listener(upstream, kinds);
  }
}

function requireOneOfEach(options: readonly UpstreamOptions[]): void {
  const names = new Set<string>();
  for (const { name } of options) {
    if (names.has(name)) throw new TypeError(`there are two upstreams named \`${name}\`; give each its own name`);
    names.add(name);
  }
}
