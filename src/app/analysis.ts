import { readFile, writeFile } from 'node:fs/promises';
import type { AnalysisTools, MatrixOptions, ToolSource } from '../cli/analysis-tools.ts';
import { readDocument } from '../config/document.ts';
import { loadConfig } from '../config/load.ts';
import { scanDefinition } from '../content/definition-scan.ts';
import type { Config } from '../config/schema-types.ts';
import { compileModule } from '../model/compile-module.ts';
import type { Effect } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import { isJsonObject } from '../model/json.ts';
import { workerUrl } from '../model/worker-url.ts';
import { createPolicyEngine } from '../policy/pool.ts';
import { Opa } from '../rego/opa.ts';
import { readPolicySource } from '../release/policy-source.ts';
import { createUpstreams } from '../upstream/upstreams.ts';
import { version } from '../version.ts';
import { readRoles, readTools } from '../workshop/catalogue-file.ts';
import { explain } from '../workshop/explain.ts';
import { changedCells, rolesOfData, whoMayDoWhat, type CatalogueRow, type Matrix, type Role } from '../workshop/matrix.ts';
import { prove } from '../workshop/prove.ts';
import { analysedEntrypoints } from '../workshop/rule-sets.ts';
import { readStatements } from '../workshop/statements.ts';
import type { ToolQuestion } from '../workshop/tool-question.ts';
import { withRevision } from './git-folder.ts';
import { upstreamOptions } from './upstreams.ts';

type Files = Readonly<Record<string, string>>;
type Surroundings = Pick<ToolQuestion, 'environment'> & { readonly tools: readonly CatalogueRow[] };

const deadlineMs = 5_000;

/** The commands that say what a policy means, over OPA and the engine that the gateway evaluates with. */
export const analysisTools: AnalysisTools = {
  explain: async ({ policy, inputFile }) => {
    const inputJson = await text(inputFile);
    const files = await filesOf(policy);
    return withOpa((opa) => explain(opa, { inputJson, files }));
  },
  matrix: async (options) => {
    const around = await surroundings(options.source);
    const files = await filesOf(options.policy);
    return withOpa((opa) => matrixOf(opa, files, options, around));
  },
  diff: async ({ revisions: [before, after], ...options }) => {
    const around = await surroundings(options.source);
    const at = (revision: string): Promise<Files> => withRevision(options.policy, revision, filesOf);
    const [old, now] = [await at(before), await at(after)];
    return withOpa(async (opa) => {
      const was = await matrixOf(opa, old, options, around);
      const is = await matrixOf(opa, now, options, around);
      return { after: is, changes: changedCells(was, is) };
    });
  },
  prove: async ({ policy, statementsFile, source }) => {
    const statements = readStatements(await document(statementsFile));
    const { tools, environment } = await surroundings(source);
    const files = await filesOf(policy);
    return withOpa((opa) => withDecider(opa, files, (decide) => prove(opa, { files, statements, tools, environment, decide })));
  },
  async write(path, content) {
    try {
      await writeFile(path, content);
    } catch (cause) {
      throw new GatewayError('request.invalid', `\`${path}\` cannot be written; check its folder and its permissions`, { cause });
    }
  },
};

async function matrixOf(opa: Opa, files: Files, { rolesFile }: MatrixOptions, around: Surroundings): Promise<Matrix> {
  const roles: readonly Role[] =
    rolesFile === undefined
      ? rolesOfData((await opa.analyse({ files, entrypoints: analysedEntrypoints })).data)
      : readRoles(await document(rolesFile));
  return whoMayDoWhat(opa, { files, roles, ...around });
}

async function withOpa<T>(work: (opa: Opa) => Promise<T>): Promise<T> {
  const opa = new Opa();
  try {
    return await work(opa);
  } finally {
    await opa.close();
  }
}

/** What the compiled policy answers: an input on which it fails is denied, as the gateway does it. */
async function withDecider<T>(opa: Opa, files: Files, work: (decide: (inputJson: string) => Promise<Effect>) => Promise<T>): Promise<T> {
  const built = await opa.build({ files, entrypoints: analysedEntrypoints });
  const builtins = {
    names: (await opa.version()).builtins,
    callerUrl: workerUrl(import.meta.url, '../rego/builtins').href,
    module: await opa.module(),
  };
  const module = await compileModule(built.wasm);
  const engine = await createPolicyEngine({
    module,
    dataJson: built.data,
    spares: 0,
    ...(built.hostBuiltins.length === 0 ? {} : { builtins }),
  });
  try {
    return await work(async (inputJson) => {
      const evaluation = await engine.evaluate('gateway/call', inputJson, deadlineMs);
      return evaluation.ok ? evaluation.answer.effect : 'deny';
    });
  } finally {
    await engine.close();
  }
}

async function filesOf(policy: string): Promise<Files> {
  return (await readPolicySource(policy, undefined)).files;
}

async function surroundings({ toolsFile, configPath, env }: ToolSource): Promise<Surroundings> {
  if (toolsFile !== undefined) return { tools: readTools(await document(toolsFile)), environment: { name: 'analysis', labels: {} } };
  const { config } = loadConfig(configPath ?? 'castellan.yaml', env);
  const { name, labels } = config.environment;
  return { tools: await catalogueOf(config), environment: { name, labels: isJsonObject(labels) ? labels : {} } };
}

/** The tools of the upstreams as they answer now. Pins are those of a gateway that sees them for the first time. */
async function catalogueOf(config: Config): Promise<readonly CatalogueRow[]> {
  const pins = { get: (): Digest | undefined => undefined, put: (): void => undefined };
  const upstreams = createUpstreams(upstreamOptions(config), {
    pins,
    log: () => undefined,
    clientInfo: { name: 'castellan', version },
    scan: scanDefinition,
  });
  try {
    await upstreams.settled();
    const down = upstreams.status().filter(({ state }) => state !== 'ready');
    // A matrix that leaves tools out would not be exhaustive, and would not say so.
    if (down.length > 0) {
      const names = down.map(({ name, error }) => `\`${name}\`${error === undefined ? '' : ` (${error})`}`).join(', ');
      throw new GatewayError('upstream.unreachable', `the tools of ${names} are not known; start it, or give \`--tools\``);
    }
    return [...upstreams.catalogue().upstreams.values()].flatMap((entry) =>
      [...entry.tools.values()].map(({ upstream, name, annotations, labels, digest, pinned, findings, definition }) => ({
        facts: {
          server: upstream,
          name,
          exposed_name: name,
          ...(typeof definition['title'] === 'string' ? { title: definition['title'] } : {}),
          annotations,
          labels,
          definition_digest: digest,
          pinned,
          findings,
        },
        ...(isJsonObject(definition['inputSchema']) ? { inputSchema: definition['inputSchema'] } : {}),
      })),
    );
  } finally {
    await upstreams.close();
  }
}

async function document(path: string): Promise<unknown> {
  const { value, syntax } = readDocument(await text(path));
  const [first] = syntax;
  if (first !== undefined) {
    const { line, column } = first.position;
    throw new GatewayError('request.invalid', `${path}:${line}:${column}: ${first.message}`);
  }
  return value;
}

async function text(path: string): Promise<string> {
  try {
    if (path !== '-') return await readFile(path, 'utf8');
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  } catch (cause) {
    throw new GatewayError('request.invalid', `\`${path}\` cannot be read; check that it is there`, { cause });
  }
}
