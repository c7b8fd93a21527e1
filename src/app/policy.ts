import { hash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { PolicyFolders, PolicyTools } from '../cli/application.ts';
import type { PolicyConfig } from '../config/schema-types.ts';
import type { Entrypoint } from '../model/decision.ts';

import { GatewayError } from '../model/errors.ts';
import { workerUrl } from '../model/worker-url.ts';
import { createPolicyEngine } from '../policy/pool.ts';
import { Opa, type Build, type Program } from '../rego/opa.ts';
import { servedBuiltins } from '../rego/served-builtins.ts';
import { gitCommit } from '../release/git-commit.ts';
import { entrypointsOf, readPolicySource, type PolicySource } from '../release/policy-source.ts';
import { createReleaseManager } from '../release/release-manager.ts';
import type { ReleaseEvent, ReleaseManager } from '../release/release-ports.ts';

const mebibyte = 1024 * 1024;

/** How long the compiler stays in memory after its last use: an edit is often followed by another. */
const compilerIdleMs = 5_000;

/** OPA, started when needed and ended when it has been idle: compiled policy does not need it. */
export class Compiler {
  #opa: Opa | undefined;
  #using = 0;
  #timer: NodeJS.Timeout | undefined;

  async use<T>(work: (opa: Opa) => Promise<T>): Promise<T> {
    clearTimeout(this.#timer);
    this.#opa ??= new Opa();
    this.#using++;
    try {
      return await work(this.#opa);
    } finally {
      if (--this.#using === 0) this.#timer = setTimeout(() => void this.close(), compilerIdleMs).unref();
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const opa = this.#opa;
    this.#opa = undefined;
    await opa?.close();
  }
}

/** The folders' files under the names that messages show: as one would type them from here. */
export function programOf(source: PolicySource, folders: PolicyFolders, withTests: boolean, withCases = false): Program {
  const [policy, tests] = [shown(folders.policy), shown(folders.tests)];
  const under = (folder: string, files: Readonly<Record<string, string>>): [string, string][] =>
    Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]);
  return {
    files: Object.fromEntries([
      ...under(policy, source.files),
      ...(withTests ? under(tests, source.tests) : []),
      ...(withCases ? under(tests, source.cases) : []),
    ]),
    paths: withTests && Object.keys(source.tests).length > 0 ? [policy, tests] : [policy],
    ...(source.capabilities === undefined ? {} : { capabilities: source.capabilities }),
    ...(Object.keys(source.schemas).length === 0 ? {} : { schemas: source.schemas }),
  };
}

/** A folder as messages show it: from here, or its last step. */
export function shown(folder: string): string {
  const path = relative(process.cwd(), folder).replaceAll('\\', '/');
  return path === '' || path.startsWith('..') ? basename(folder) : path;
}

/** The release of a folder, compiled as it is for the gateway. */
export async function build(opa: Opa, source: PolicySource, folders: PolicyFolders, entries: readonly Entrypoint[]): Promise<Build> {
  return opa.build({ ...programOf(source, folders, false), entrypoints: entries, ignore: ['*_test.rego'] });
}

export interface ReleaseOptions {
  readonly config: PolicyConfig;
  readonly compiler: Compiler;
  readonly onEvent: (event: ReleaseEvent) => void;
  readonly onWorkerEnd: (end: { readonly reason: string; readonly message: string }) => void;
}

/** The release manager over the configured folder: OPA compiles and tests, the WASM engine evaluates. */
export function openReleases({ config, compiler, onEvent, onWorkerEnd }: ReleaseOptions): Promise<ReleaseManager> {
  const folders = { policy: config.path, tests: config.tests };
  return createReleaseManager({
    source: { kind: 'folder', path: config.path, testsPath: config.run_tests ? config.tests : undefined },
    build: (source, entries) => compiler.use((opa) => build(opa, source, folders, entries)),
    ...(config.run_tests ? { test: (source: PolicySource) => compiler.use((opa) => runTests(opa, source, folders)) } : {}),
    createEngine: (module, dataJson) =>
      createPolicyEngine({
        module,
        dataJson,
        workers: config.workers,
        maxMemoryBytes: config.memory_mb * mebibyte,
        onWorkerEnd,
        builtins: { names: servedBuiltins, callerUrl: workerUrl(import.meta.url, '../rego/builtins').href },
      }),
    partial: (query) => compiler.use((opa) => opa.partial(query)),
    compiler: 'opa 1.22.0',
    cacheDir: config.cache_dir,
    watch: config.watch,
    onEvent,
  });
}

async function runTests(opa: Opa, source: PolicySource, folders: PolicyFolders): Promise<string | undefined> {
  const answer = await opa.test({ ...programOf(source, folders, true) });
  return answer.exit_code === 0 ? undefined : answer.text;
}

/** `castellan policy build`; what authors use besides is in `authoring.ts`. */
export const policyTools: PolicyTools = {
  build: (folders, output) =>
    withSource(folders, async (opa, source) => {
      const built = await build(opa, source, folders, entrypointsOf(source));
      const commit = await gitCommit(folders.policy);
      const release = `${commit === null ? 'local' : commit.replace(/^(.{12})[0-9a-f]*/, '$1')}@${source.digest.slice('sha256:'.length, 'sha256:'.length + 12)}`;
      const facts = {
        release,
        digest: source.digest,
        commit,
        wasm_digest: `sha256:${hash('sha256', built.wasm)}`,
        wasm_bytes: built.wasm.length,
        entrypoints: built.entrypoints,
        builtins: built.hostBuiltins,
      };
      await mkdir(output, { recursive: true });
      await writeFile(join(output, 'policy.wasm'), built.wasm);
      await writeFile(join(output, 'data.json'), built.data);
      await writeFile(join(output, 'release.json'), `${JSON.stringify(facts, null, 2)}\n`);
      return facts;
    }),
};

/** Reads the folders, and starts OPA for as long as `work` takes. */
export async function withSource<T>(folders: PolicyFolders, work: (opa: Opa, source: PolicySource) => Promise<T>): Promise<T> {
  const compiler = new Compiler();
  try {
    const source = await readPolicySource(folders.policy, folders.tests);
    return await compiler.use((opa) => work(opa, source));
  } finally {
    await compiler.close();
  }
}

/** Compiles and tests a configuration's policy without putting it in force: what `castellan check` says of it. */
export async function tryPolicy(
  config: PolicyConfig,
): Promise<{ readonly problems: readonly string[]; readonly release: string | null; readonly tests: number }> {
  const folders = { policy: config.path, tests: config.tests };
  try {
    return await withSource(folders, async (opa, source) => {
      await build(opa, source, folders, entrypointsOf(source));
      const answer = await opa.test({ ...programOf(source, folders, true) });
      const problems = answer.exit_code === 0 ? [] : [answer.text.trimEnd()];
      return { problems, release: source.digest, tests: answer.results.length };
    });
  } catch (error) {
    if (error instanceof GatewayError) return { problems: [error.message], release: null, tests: 0 };
    throw error;
  }
}
