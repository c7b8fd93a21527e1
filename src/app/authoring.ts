import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PolicyFolders } from '../cli/application.ts';
import type { AuthoringTools, EngineReport, EvalReport, FormatReport, TestOptions, TestResult } from '../cli/authoring-tools.ts';
import { compileModule } from '../model/compile-module.ts';
import { GatewayError } from '../model/errors.ts';
import { workerUrl } from '../model/worker-url.ts';
import { createPolicyEngine } from '../policy/pool.ts';
import { describeFaults, RegoError, Opa } from '../rego/opa.ts';
import { readGoldenCases, type GoldenCase } from '../release/golden-cases.ts';
import { entrypointsOf, readPolicySource, type PolicySource } from '../release/policy-source.ts';
import { watchFolders } from '../release/watch-folder.ts';
import { ruleCatalogue } from '../workshop/catalogue.ts';
import { timeDecisions } from '../workshop/decision-times.ts';
import { compareGoldenCases } from '../workshop/golden-comparison.ts';
import { lintFileName } from '../workshop/lint-settings.ts';
import { lintPolicies, listLints } from '../workshop/lint.ts';
import type { PolicyRepository } from '../workshop/ports.ts';
import { startRepository } from '../workshop/start-repository.ts';
import { compareTests, type EngineTools } from '../workshop/two-engines.ts';
import { unifiedDiff } from '../workshop/unified-diff.ts';
import { engineTools } from './engine-tools.ts';
import { build, programOf, shown, withSource } from './policy.ts';

const maxMemoryBytes = 256 * 1_048_576;
const deadlineMs = 5_000;
const watchTiming = { debounceMs: 150, recheckMs: 10_000 };

/** The commands for authors of policy, over OPA and the engine that the gateway evaluates with. */
export const authoringTools: AuthoringTools = {
  async lints() {
    const opa = new Opa();
    try {
      return await listLints(opa);
    } finally {
      await opa.close();
    }
  },
  check: ({ disable, lintFile, ...folders }) =>
    withSource(folders, async (opa, source) => {
      const { files, errors: faults } = await opa.check({ ...programOf(source, folders, false), strict: true });
      const errors = faults.map((fault) => ({ ...fault, text: describeFaults([fault]) }));
      if (errors.length > 0) return { files, errors, findings: [] };
      const settingsFile = await lintSettings(folders, lintFile);
      return { files, errors, findings: await lintPolicies(opa, repositoryOf(source, folders), { settingsFile, disable }) };
    }),
  test: (options) => withSource(options, (opa, source) => runTests(opa, source, options)),
  compareCases: (folders) =>
    withSource(folders, async (opa, source) => (await compareCases(opa, await engineTools(opa), source, folders)).differences),
  format: (folders) => withSource(folders, (opa, source) => format(opa, source, folders)),
  async write(path, text) {
    try {
      await writeFile(path, text);
    } catch (cause) {
      throw new GatewayError('request.invalid', `\`${path}\` cannot be written; check its folder and its permissions`, { cause });
    }
  },
  evaluate: ({ query, inputFile, dataFile, explain, ...folders }) =>
    withSource(folders, async (opa, source): Promise<EvalReport> => {
      const asked = opa.eval({
        ...programOf(source, folders, true),
        query,
        ...(inputFile === undefined ? {} : { input: await readJson(inputFile, '--input') }),
        ...(dataFile === undefined ? {} : { data: await readJson(dataFile, '--data') }),
        ...(explain === undefined ? {} : { explain }),
      });
      const answer = await asked.catch((error: unknown) => {
        // OPA indents its quotation of the query with tabs.
        if (error instanceof GatewayError) throw new GatewayError(error.code, error.message.replaceAll('\t', '  '), { cause: error });
        throw error;
      });
      const result = answer.undefined ? [] : (JSON.parse(answer.result) as EvalReport['result']);
      return { result, trace: answer.trace ?? [], prints: answer.prints ?? '' };
    }),
  catalogue: (folders) => withSource(folders, (opa, source) => ruleCatalogue(opa, repositoryOf(source, folders))),
  bench: ({ count, ...folders }) =>
    withSource(folders, async (opa, source) => {
      const built = await build(opa, source, folders, entrypointsOf(source));
      const engine = await createPolicyEngine({
        module: await compileModule(built.wasm),
        dataJson: built.data,
        maxMemoryBytes,
        ...(built.hostBuiltins.some((name) => name !== 'time.now_ns') ? { builtins: await workerBuiltins(opa) } : {}),
      });
      try {
        const cases = goldenCases(source).filter(({ data }) => data === undefined);
        const ask = (entrypoint: string, json: string): ReturnType<typeof engine.evaluate> =>
          engine.evaluate(entrypoint as 'gateway/call', json, deadlineMs);
        return { wasm_bytes: built.wasm.length, sets: await timeDecisions(ask, cases, count) };
      } finally {
        await engine.close();
      }
    }),
  watch,
  startRepository,
};

function repositoryOf(source: PolicySource, folders: PolicyFolders): PolicyRepository {
  return { ...source, policyFolder: shown(folders.policy), testsFolder: shown(folders.tests) };
}

async function runTests(opa: Opa, source: PolicySource, options: TestOptions): Promise<Awaited<ReturnType<AuthoringTools['test']>>> {
  const { run, coverage, threshold, verbose, failOnEmpty, oneEngine, ...folders } = options;
  const answer = await opa.test({
    // With the golden cases: a start asks them of the compiled module, `opa test` of the interpreter.
    ...programOf(source, folders, true, true),
    ...(run === undefined ? {} : { run }),
    ...(coverage === undefined ? {} : { coverage }),
    ...(threshold === undefined ? {} : { threshold }),
    ...(verbose === undefined ? {} : { verbose }),
    ...(failOnEmpty === undefined ? {} : { failOnEmpty }),
  });
  const engines =
    oneEngine === true
      ? { cases: 0, tests: 0, differences: [], note: 'the WASM engine was not asked' }
      : await compareEngines(opa, source, folders, answer.results, run === undefined);
  const exitCode = answer.exit_code === 0 && engines.differences.length > 0 ? testFailed : answer.exit_code;
  return { ...answer, exit_code: exitCode, engines };
}

/** What `opa test` exits with when a test fails. */
const testFailed = 2;

async function compareEngines(
  opa: Opa,
  source: PolicySource,
  folders: PolicyFolders,
  results: readonly TestResult[],
  withCases: boolean,
): Promise<EngineReport> {
  const engines = await engineTools(opa);
  const repository = repositoryOf(source, folders);
  const { cases, differences } = withCases ? await compareCases(opa, engines, source, folders) : { cases: 0, differences: [] };
  try {
    const compared = await compareTests(engines, repository, results);
    return { cases, tests: compared.compared, differences: [...differences, ...compared.differences] };
  } catch (error) {
    // Tests that replace a builtin compile for the interpreter alone; the golden cases stand for them.
    if (!(error instanceof RegoError) || error.kind !== 'rego') throw error;
    return { cases, tests: 0, differences, note: `the tests do not compile to WASM: ${error.message}` };
  }
}

/** The golden cases in both engines. */
async function compareCases(
  opa: Opa,
  engines: EngineTools,
  source: PolicySource,
  folders: PolicyFolders,
): Promise<{ readonly cases: number; readonly differences: EngineReport['differences'] }> {
  const cases = goldenCases(source).map((golden) => ({ ...golden, file: `${shown(folders.tests)}/${golden.file}` }));
  if (cases.length === 0) return { cases: 0, differences: [] };
  const asked = [...new Set(cases.map(({ entrypoint }) => entrypoint))];
  const built = await build(opa, source, folders, asked);
  return {
    cases: cases.length,
    differences: await compareGoldenCases(opa, engines, { ...built, files: source.files, entrypoints: asked }, cases),
  };
}

async function workerBuiltins(opa: Opa): Promise<NonNullable<Parameters<typeof createPolicyEngine>[0]['builtins']>> {
  const callerUrl = workerUrl(import.meta.url, '../rego/builtins').href;
  return { names: (await opa.version()).builtins, callerUrl, module: await opa.module() };
}

function goldenCases(source: PolicySource): GoldenCase[] {
  try {
    return readGoldenCases(source.cases);
  } catch (cause) {
    throw new GatewayError('policy.invalid', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

async function format(opa: Opa, source: PolicySource, folders: PolicyFolders): Promise<FormatReport> {
  const files: FormatReport['files'][number][] = [];
  const errors: FormatReport['errors'][number][] = [];
  for (const [folder, texts] of [
    [folders.policy, source.files],
    [folders.tests, source.tests],
  ] as const) {
    for (const { file, text, errors: faults } of await opa.format(texts)) {
      const path = join(folder, file);
      for (const fault of faults ?? []) errors.push({ ...fault, file: path, text: describeFaults([{ ...fault, file: path }]) });
      const before = texts[file] ?? '';
      if (text !== undefined) files.push({ path, before, after: text, diff: unifiedDiff(path, before, text) });
    }
  }
  return { files, errors };
}

/** The lint file that was named, or the one in the policy folder, or the one beside it. */
async function lintSettings(
  { policy }: PolicyFolders,
  named: string | undefined,
): Promise<{ readonly name: string; readonly text: string } | undefined> {
  for (const name of named === undefined ? [join(policy, lintFileName), join(dirname(policy), lintFileName)] : [named]) {
    try {
      return { name, text: await readFile(name, 'utf8') };
    } catch (cause) {
      const isAbsent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
      if (named !== undefined || !isAbsent)
        throw new GatewayError('config.invalid', `\`${name}\` cannot be read; check \`--lint-file\``, { cause });
    }
  }
  return undefined;
}

/** A JSON text as it stands, so that no number is rounded; `-` is standard input. */
async function readJson(file: string, option: string): Promise<string> {
  let text: string;
  try {
    text = file === '-' ? await standardInput() : await readFile(file, 'utf8');
  } catch (cause) {
    throw new GatewayError('request.invalid', `\`${file}\` cannot be read; give \`${option}\` a file of JSON`, { cause });
  }
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new GatewayError(
      'request.invalid',
      `\`${file}\` is no JSON (${cause instanceof Error ? cause.message : ''}); \`${option}\` takes one JSON value`,
      { cause },
    );
  }
  return text;
}

async function standardInput(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

async function watch({ policy, tests }: PolicyFolders, signal: AbortSignal, changed: () => Promise<void>): Promise<void> {
  let seen: string | undefined;
  let isRunning = false;
  let isStale = false;
  let failed: (error: unknown) => void = () => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    failed = reject;
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  const run = async (): Promise<void> => {
    isStale = true;
    if (isRunning) return;
    isRunning = true;
    while (isStale && !signal.aborted) {
      isStale = false;
      const now = await contentOf(policy, tests);
      if (now === seen) continue;
      seen = now;
      await changed();
    }
    isRunning = false;
  };
  const again = (): void => void run().catch(failed);
  const stop = watchFolders([policy, tests], watchTiming, again, (path, error) =>
    failed(new GatewayError('request.invalid', `\`${path}\` cannot be watched; check that it is there`, { cause: error })),
  );
  // Watching keeps no process alive by itself.
  const alive = setInterval(() => undefined, watchTiming.recheckMs);
  again();
  try {
    await ended;
  } finally {
    clearInterval(alive);
    stop();
  }
}

/** Changes when the folders do. A folder that cannot be read is a state too, which the run then tells. */
function contentOf(policy: string, tests: string): Promise<string> {
  return readPolicySource(policy, tests).then(
    ({ digest, testsDigest }) => `${digest} ${testsDigest}`,
    (error: unknown) => String(error),
  );
}
