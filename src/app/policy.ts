import { hash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { PolicyFolders, PolicyTools } from '../cli/application.ts';
import type { PolicyConfig } from '../config/schema-types.ts';
import { compileModule } from '../model/compile-module.ts';
import type { Entrypoint } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import { workerUrl } from '../model/worker-url.ts';
import { createPolicyEngine } from '../policy/pool.ts';
import { Opa, RegoError, type Build, type Program } from '../rego/opa.ts';
import { servedBuiltins } from '../rego/served-builtins.ts';
import { gitCommit } from '../release/git-commit.ts';
import { entrypointsOf, type PolicySource } from '../release/policy-source.ts';
import { prebuiltRelease } from '../release/prebuilt.ts';
import { readPolicy, type PolicyPlace } from '../release/read-policy.ts';
import { createReleaseManager } from '../release/release-manager.ts';
import type { BuiltRelease, KeptRelease, ReleaseEvent, ReleaseManager } from '../release/release-ports.ts';
import { version } from '../version.ts';
import type { InterpretedTest } from '../workshop/two-engines.ts';
import { RuleTimer } from './time-rule.ts';

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
  const program = programOf(source, folders, false);
  // What reaches outside is refused by name and place, also where the policy pins no capabilities of its own.
  const capabilities = program.capabilities ?? (await opa.capabilities()).text;
  return opa.build({ ...program, capabilities, entrypoints: entries, ignore: ['*_test.rego'] });
}

/** A release of what was read: compiled here, or a bundle's own module. @throws GatewayError `policy.invalid` */
export async function builtFrom(
  opa: Opa,
  source: PolicySource,
  folders: PolicyFolders,
): Promise<BuiltRelease & { readonly builtins?: readonly string[] }> {
  const wasm = source.bundle?.wasm;
  return wasm === undefined
    ? build(opa, source, folders, entrypointsOf(source))
    : prebuiltRelease(source, wasm, (bundle) => dataOf(opa, bundle));
}

export interface ReleaseOptions {
  readonly config: PolicyConfig;
  readonly compiler: Compiler;
  readonly onEvent: (event: ReleaseEvent) => void;
  readonly keep?: (release: KeptRelease) => void;
  readonly onWorkerEnd: (end: { readonly reason: string; readonly message: string }) => void;
}

/** Where the configured policy is. Its tests are not part of what is in force. */
export function policyPlace({ bundle, path }: Pick<PolicyConfig, 'bundle' | 'path'>): PolicyPlace {
  return bundle === undefined ? { kind: 'folder', path } : { kind: 'bundle', path: bundle };
}

/** The release manager over the configured folder: OPA compiles and tests, the WASM engine evaluates. */
export async function openReleases({ config, compiler, onEvent, keep, onWorkerEnd }: ReleaseOptions): Promise<ReleaseManager> {
  const place = policyPlace(config);
  const folders = { policy: place.path, tests: config.tests };
  const ruleTimer = new RuleTimer();
  const manager = await createReleaseManager({
    source: { ...place, testsPath: config.run_tests ? config.tests : undefined },
    build: (source, entries) => compiler.use((opa) => build(opa, source, folders, entries)),
    ...(config.run_tests ? { test: (source: PolicySource) => compiler.use((opa) => testProblem(opa, source, folders)) } : {}),
    readData: (source) => compiler.use((opa) => dataOf(opa, source)),
    timeRule: ruleTimer.time,
    createEngine: (module, dataJson, isTrial = false) =>
      createPolicyEngine({
        module,
        dataJson,
        workers: isTrial ? 1 : config.workers,
        ...(isTrial ? { spares: 0 } : {}),
        maxMemoryBytes: config.memory_mb * mebibyte,
        onWorkerEnd,
        builtins: { names: servedBuiltins, callerUrl: workerUrl(import.meta.url, '../rego/builtins').href },
      }),
    partial: (query) => compiler.use((opa) => opa.partial(query)),
    compiler: `opa 1.22.0, castellan ${version}, v8 ${process.versions.v8}`,
    cacheDir: config.cache_dir,
    watch: config.watch,
    onEvent,
    keep,
  });
  return {
    current: () => manager.current(),
    status: () => manager.status(),
    reload: () => manager.reload(),
    close: async () => {
      await manager.close();
      await ruleTimer.close();
    },
  };
}

/** The data document of files that OPA mounts by folder. */
export async function dataOf(opa: Opa, source: PolicySource): Promise<string> {
  const { result } = await opa.eval({ files: source.files, bundle: true, query: 'data' });
  const data = /^\[\{"expressions":\[\{"value":(.*),"text":"data"/s.exec(result)?.[1];
  if (data === undefined) throw new GatewayError('policy.invalid', 'the data of the bundle cannot be read');
  return data;
}

/** Why the release must not come into force, in words. Its golden cases are asked when it is tried. */
async function testProblem(opa: Opa, source: PolicySource, folders: PolicyFolders): Promise<string | undefined> {
  const answer = await opa.test({ ...programOf(source, folders, true) });
  return answer.exit_code === 0 ? firstDifference(opa, source, folders, answer.results) : answer.text;
}

/**
 * Runs the tests, golden cases included, in OPA's interpreter and in the engine.
 * @throws GatewayError `policy.invalid` when one fails, or ends otherwise in the other
 */
async function passBoth(opa: Opa, source: PolicySource, folders: PolicyFolders): Promise<void> {
  const answer = await opa.test({ ...programOf(source, folders, true, true) });
  if (answer.exit_code !== 0) throw new GatewayError('policy.invalid', `the policy's tests fail; fix them or the rules: ${answer.text}`);
  const difference = await firstDifference(opa, source, folders, answer.results);
  if (difference !== undefined) throw new GatewayError('policy.invalid', difference);
}

/** The first test that ends otherwise in the engine than in OPA's interpreter, in words. */
async function firstDifference(
  opa: Opa,
  source: PolicySource,
  folders: PolicyFolders,
  results: readonly InterpretedTest[],
): Promise<string | undefined> {
  const repository = { ...source, policyFolder: shown(folders.policy), testsFolder: shown(folders.tests) };
  // What compares the engines is loaded where it is asked for: a start that finds its release compiled needs none of it.
  const [{ compareTests }, { engineTools }] = await Promise.all([import('../workshop/two-engines.ts'), import('./engine-tools.ts')]);
  const compared = compareTests(await engineTools(opa), repository, results).catch((error: unknown) => {
    // Tests that replace a builtin compile for the interpreter alone; the golden cases stand for them.
    if (error instanceof RegoError && error.kind === 'rego') return { differences: [] };
    throw error;
  });
  const [first] = (await compared).differences;
  if (first === undefined) return undefined;
  const words = `test \`${first.name}\` of \`${first.file}\` is ${first.interpreter} in OPA and ${first.wasm} in the engine`;
  return `${words}; write the rule otherwise, docs/reference/rego-in-wasm.md says what differs`;
}

/** `castellan policy build`; what authors use besides is in `authoring.ts`. */
export const policyTools: PolicyTools = {
  build: (folders, output) =>
    withSource(folders, async (opa, source) => {
      const built = await build(opa, source, folders, entrypointsOf(source));
      await passBoth(opa, source, folders);
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
export function withSource<T>({ policy, tests }: PolicyFolders, work: (opa: Opa, source: PolicySource) => Promise<T>): Promise<T> {
  return withPolicy({ kind: 'folder', path: policy, testsPath: tests }, work);
}

async function withPolicy<T>(place: PolicyPlace, work: (opa: Opa, source: PolicySource) => Promise<T>): Promise<T> {
  const compiler = new Compiler();
  try {
    const source = await readPolicy(place);
    return await compiler.use((opa) => work(opa, source));
  } finally {
    await compiler.close();
  }
}

/** Compiles and tests a configuration's policy without putting it in force: what `castellan check` says of it. */
export async function tryPolicy(
  config: PolicyConfig,
): Promise<{ readonly problems: readonly string[]; readonly release: string | null; readonly tests: number }> {
  const place = policyPlace(config);
  const folders = { policy: place.path, tests: config.tests };
  try {
    return await withPolicy({ ...place, testsPath: config.tests }, async (opa, source) => {
      await compileModule((await builtFrom(opa, source, folders)).wasm);
      // The rules that its tests would test are not in a bundle with a module.
      if (source.bundle?.wasm !== undefined) return { problems: [], release: source.digest, tests: 0 };
      const answer = await opa.test({ ...programOf(source, folders, true) });
      const problems = answer.exit_code === 0 ? [] : [answer.text.trimEnd()];
      return { problems, release: source.digest, tests: answer.results.length };
    });
  } catch (error) {
    if (error instanceof GatewayError) return { problems: [error.message], release: null, tests: 0 };
    throw error;
  }
}
