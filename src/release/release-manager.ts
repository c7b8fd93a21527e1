import { createHash } from 'node:crypto';
import { compileModule } from '../model/compile-module.ts';
import { entrypoints, type Entrypoint } from '../model/decision.ts';
import { buildDigest } from '../model/build-digest.ts';
import { GatewayError } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import type { ActiveRelease, InputReads } from '../model/ports.ts';
import { openBuildCache, type BuildCache } from './build-cache.ts';
import { CulpritSearch } from './culprit.ts';
import { gitCommit } from './git-commit.ts';
import { readGoldenCases, type GoldenCase } from './golden-cases.ts';
import { entrypointsOf, type PolicySource } from './policy-source.ts';
import { maskMattersBy } from './mask-proof.ts';
import { prebuiltRelease } from './prebuilt.ts';
import { readPolicy } from './read-policy.ts';
import { ReleaseEngine } from './release-engine.ts';
import { releaseId } from './release-id.ts';
import type { BuiltRelease, ReleaseEvent, ReleaseManager, ReleaseManagerOptions, ReleaseStatus } from './release-ports.ts';
import { resultMattersBy } from './result-proof.ts';
import { tryRelease } from './trial.ts';
import { watchFolders } from './watch-folder.ts';

/** Part of the cache's keys: a new way of storing finds nothing of the old one. */
const cacheFormat = 2;

/**
 * Keeps the release in force in step with a folder of Rego: reads it, compiles it, runs its tests, brings it up in a new engine, asks it each
 * entrypoint once, and only then puts it in the place of the old one, at once and for all later calls. What does not get that far leaves
 * the old release in force and is told in {@link ReleaseManager.status}. Resolves after the first attempt, also when that failed.
 */
export async function createReleaseManager(options: ReleaseManagerOptions): Promise<ReleaseManager> {
  const manager = new FolderReleases(options);
  await manager.reload();
  if (options.watch !== false) manager.watch();
  return manager;
}

interface InForce {
  readonly release: ActiveRelease;
  readonly engine: ReleaseEngine;
  /** Without files where a kept build was resumed: then nothing can be proved about it. */
  readonly source: Pick<PolicySource, 'digest' | 'testsDigest' | 'bundle'> & Partial<Pick<PolicySource, 'files'>>;
  readonly built: BuiltRelease;
}

class FolderReleases implements ReleaseManager {
  readonly #options: ReleaseManagerOptions;
  readonly #cache: BuildCache | undefined;
  readonly #engines = new Set<WeakRef<ReleaseEngine>>();
  readonly #culprits: CulpritSearch | undefined;
  #inForce: InForce | undefined;
  #candidate: ReleaseStatus['candidate'];
  #running: Promise<void> | undefined;
  #again: Promise<void> | undefined;
  #unwatch: (() => void) | undefined;
  #isClosed = false;

  constructor(options: ReleaseManagerOptions) {
    this.#options = options;
    this.#cache = options.cacheDir === undefined ? undefined : openBuildCache(options.cacheDir);
    const { timeRule } = options;
    this.#culprits =
      timeRule &&
      new CulpritSearch(
        timeRule,
        () => this.#now(),
        (rule, given) => {
          if (!given.ok)
            this.#tell({ kind: 'culprit', id: this.#inForce?.release.id ?? '', rule, fault: given.fault, message: given.message });
        },
      );
  }

  current(): ActiveRelease | undefined {
    return this.#inForce?.release;
  }

  status(): ReleaseStatus {
    const release = this.#inForce?.release;
    const active = release && { id: release.id, digest: release.digest, commit: release.commit, loadedAtMs: release.loadedAtMs };
    return { active, ...(this.#candidate === undefined ? {} : { candidate: this.#candidate }) };
  }

  /** One at a time; whoever asks while one runs gets the next, which begins after it and so sees what they saw. */
  async reload(): Promise<ReleaseStatus> {
    if (this.#running === undefined) {
      this.#running = this.#step().finally(() => (this.#running = undefined));
      await this.#running;
    } else {
      this.#again ??= this.#running.then(async () => {
        this.#again = undefined;
        await this.reload();
      });
      await this.#again;
    }
    return this.status();
  }

  watch(): void {
    const { path, testsPath } = this.#options.source;
    this.#unwatch = watchFolders(
      testsPath === undefined ? [path] : [path, testsPath],
      { debounceMs: this.#options.debounceMs ?? 100, recheckMs: this.#options.recheckMs ?? 15_000 },
      () => void this.reload(),
      (folder, error) => this.#tell({ kind: 'unwatched', message: `changes of \`${folder}\` are noticed late: ${String(error)}` }),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unwatch?.();
    await this.#running;
    await Promise.all([...this.#engines].map(async (engine) => engine.deref()?.close()));
  }

  async #step(): Promise<void> {
    if (this.#isClosed) return;
    let source: PolicySource | undefined;
    try {
      const place = this.#options.source;
      source = await readPolicy(place);
      await this.#adopt(source, place.kind === 'bundle' ? null : await gitCommit(place.path));
      this.#candidate = undefined;
    } catch (thrown) {
      await this.#refuse(thrown, source);
    }
  }

  async #adopt(source: PolicySource, commit: string | null): Promise<void> {
    const began = performance.now();
    const last = this.#inForce;
    if (last?.source.digest === source.digest && last.source.testsDigest === source.testsDigest) {
      if (last.release.commit !== commit) this.#relabel(last, commit);
      return;
    }
    const key = this.#key(source);
    const cached = await this.#cache?.read(key);
    const built = cached ?? (await this.#build(source));
    // What was kept has passed them all, and the key names what it passed in: cases over other data each need an engine of their own.
    const cases = readGoldenCases(source.cases).filter(({ data }) => cached === undefined || data === undefined);
    if (last?.source.digest === source.digest) {
      const fault = await this.#fault(last.engine, await compileModule(built.wasm), built, cases);
      if (fault !== undefined) throw new GatewayError('policy.invalid', fault);
      // Only tests changed, and they pass: the release in force stays as it is.
      this.#inForce = { ...last, source };
      if (last.release.commit !== commit) this.#relabel(this.#inForce, commit);
    } else {
      await this.#activate(built, source, cases, commit);
      this.#tell({
        kind: 'activated',
        id: this.#inForce?.release.id ?? '',
        digest: source.digest,
        build: this.#keep(),
        tookMs: performance.now() - began,
        isFromCache: cached !== undefined,
      });
    }
    await this.#remember(key, source, commit, cached === undefined ? built : undefined);
  }

  async #build(source: PolicySource): Promise<BuiltRelease> {
    const wasm = source.bundle?.wasm;
    // The rules that its tests would test are not in it: the golden cases are asked of it, like of any other.
    if (wasm !== undefined) return await prebuiltRelease(source, wasm, this.#options.readData);
    const built = await this.#options.build(source, entrypointsOf(source));
    const failed = await this.#options.test?.(source);
    if (failed !== undefined) throw new GatewayError('policy.invalid', `the policy's tests fail; fix them or the rules: ${failed}`);
    return built;
  }

  async #activate(
    built: BuiltRelease,
    source: InForce['source'],
    goldenCases: readonly GoldenCase[],
    commit: string | null,
  ): Promise<void> {
    const module = await compileModule(built.wasm);
    const { createEngine } = this.#options;
    const open = async (): ReturnType<typeof createEngine> => createEngine(module, built.data);
    const inner = await open();
    let isTried = false;
    const engine = new ReleaseEngine(inner, open, this.#options.retireIdleMs ?? 30_000, (inputJson, given) => {
      if (isTried && source.files !== undefined) void this.#culprits?.search({ files: source.files, ...built }, inputJson, given);
    });
    const fault = await this.#fault(engine, module, built, goldenCases);
    if (fault !== undefined || this.#isClosed) {
      await engine.close();
      throw new GatewayError('policy.invalid', fault ?? 'the gateway is stopping');
    }
    isTried = true;
    for (const known of this.#engines) if (known.deref() === undefined) this.#engines.delete(known);
    this.#engines.add(new WeakRef(engine));
    const replaced = this.#inForce?.engine;
    this.#inForce = { release: this.#release(built, engine, source, commit), engine, source, built };
    replaced?.retire();
  }

  /** What a release that is up answers wrongly, in words. */
  #fault(
    engine: ReleaseEngine,
    module: WebAssembly.Module,
    built: BuiltRelease,
    cases: readonly GoldenCase[],
  ): Promise<string | undefined> {
    const entries = entrypoints.filter((entry) => Object.hasOwn(built.entrypoints, entry));
    return tryRelease(engine, built.data, (dataJson) => this.#options.createEngine(module, dataJson, true), entries, cases);
  }

  #release(built: BuiltRelease, engine: ReleaseEngine, { digest, files, bundle }: InForce['source'], commit: string | null): ActiveRelease {
    const reads = new Map(Object.entries(built.entrypoints).map(([entry, info]) => [entry, readKeys(info.reads)]));
    const { partial } = this.#options;
    const kept = {
      read: async () => (await this.#cache?.readProofs(digest)) ?? {},
      write: async (proofs: Readonly<Record<string, boolean>>) => this.#cache?.writeProofs(digest, proofs),
    };
    const resultMatters = partial && files && resultMattersBy(built, files, partial, kept);
    const maskMatters = maskMattersBy(built, files, partial, kept);
    return {
      id: releaseId(digest, commit, bundle?.revision),
      digest,
      commit,
      loadedAtMs: this.#now(),
      engine,
      reads: (entry: Entrypoint) => reads.get(entry) ?? null,
      ...(resultMatters === undefined ? {} : { resultMatters }),
      maskMatters,
    };
  }

  /** The same policy under another commit: the engine stays. */
  #relabel(last: InForce, commit: string | null): void {
    const release = this.#release(last.built, last.engine, last.source, commit);
    this.#inForce = { ...last, release: { ...release, loadedAtMs: last.release.loadedAtMs } };
    this.#tell({ kind: 'relabelled', id: release.id, digest: release.digest, build: this.#keep() });
  }

  async #refuse(thrown: unknown, source: PolicySource | undefined): Promise<void> {
    const error = thrown instanceof Error ? thrown.message : String(thrown);
    if (this.#candidate?.error !== error) this.#tell({ kind: 'refused', message: error });
    this.#candidate = { error, atMs: this.#now(), ...(source === undefined ? {} : { digest: source.digest }) };
    if (this.#inForce === undefined && !this.#isClosed) await this.#resume(error);
  }

  /** At a start with broken sources: what was in force last, where it is kept. */
  async #resume(because: string): Promise<void> {
    try {
      const last = await this.#cache?.readLast(this.#options.source.path);
      const built = last && (await this.#cache?.read(last.key));
      if (last === undefined || built === undefined) return;
      const { digest, commit, revision } = last;
      const bundle = revision === undefined ? {} : { bundle: { revision, entrypoints: [] } };
      await this.#activate(built, { digest: digest as Digest, testsDigest: 'sha256:' as Digest, ...bundle }, [], commit);
      this.#tell({ kind: 'resumed', id: releaseId(digest, commit, revision), digest, build: this.#keep(), because });
    } catch (thrown) {
      this.#tell({ kind: 'refused', message: `the last good release cannot be resumed: ${String(thrown)}` });
    }
  }

  async #remember(key: string, source: PolicySource, commit: string | null, built: BuiltRelease | undefined): Promise<void> {
    try {
      if (built !== undefined) await this.#cache?.write(key, built);
      await this.#cache?.writeLast(this.#options.source.path, {
        key,
        digest: source.digest,
        commit,
        ...(source.bundle === undefined ? {} : { revision: source.bundle.revision }),
      });
    } catch (thrown) {
      // The release is in force all the same; the next start compiles it again.
      this.#tell({
        kind: 'unwatched',
        message: `the compiled release cannot be kept in \`${this.#options.cacheDir ?? ''}\`: ${String(thrown)}`,
      });
    }
  }

  /** Only what passed is kept, so the tests are part of the key. */
  #key(source: PolicySource): string {
    const parts = [cacheFormat, this.#options.compiler ?? '', source.digest, this.#options.test === undefined ? '' : source.testsDigest];
    return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  }

  /** Hands over what came into force, and names it. */
  #keep(): Digest | '' {
    if (this.#inForce === undefined) return '';
    const { built, release, source } = this.#inForce;
    const build = buildDigest(built.wasm, built.data);
    this.#options.keep?.({
      id: release.id,
      digest: release.digest,
      build,
      built,
      ...(source.files === undefined ? {} : { files: source.files }),
    });
    return build;
  }

  #tell(event: ReleaseEvent): void {
    this.#options.onEvent?.(event);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

/** The top-level keys of what is read. The time is always among them: builtins take it from the input, which no analysis of `input.…` shows. */
function readKeys(paths: readonly (readonly string[])[] | null): InputReads | null {
  if (paths?.every((path) => path.length > 0) !== true) return null;
  const reads = new Map<string, Set<string> | null>([['at_ns', null]]);
  for (const [key = '', member] of paths) {
    const known = reads.get(key);
    if (member === undefined || known === null) reads.set(key, null);
    else if (known === undefined) reads.set(key, new Set([member]));
    else known.add(member);
  }
  return reads;
}
