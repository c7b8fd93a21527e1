import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectFolder = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');
/** What the benchmark makes: copies, configurations, databases, results. */
export const benchFolder = join(projectFolder, '.castellan', 'bench');
/** Where the candidates' configurations are. */
export const runFolder = join(benchFolder, 'run');

/** One way in which the gateway is measured. */
export interface Candidate {
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  readonly durability: 'full' | 'relaxed';
  /** Whether the whole input of each decision is kept, sealed: the default. */
  readonly inputs: boolean;
}

export const ours: readonly Candidate[] = [
  { name: 'castellan', folder: join(runFolder, 'full'), port: 9410, durability: 'full', inputs: true },
  { name: 'castellan-relaxed', folder: join(runFolder, 'relaxed'), port: 9411, durability: 'relaxed', inputs: true },
  { name: 'castellan-digests', folder: join(runFolder, 'digests'), port: 9412, durability: 'full', inputs: false },
  { name: 'castellan-digests-relaxed', folder: join(runFolder, 'digests-relaxed'), port: 9413, durability: 'relaxed', inputs: false },
];

/** How the shipped data is changed, for the table: a benchmark is one agent that makes the same call as often as it can. */
export const changedData =
  'data.json: rate and loop limits raised; an entry for the server `bench` (trust_annotations, read_only_for: anyone)';

/** Writes each candidate's folder anew: configuration, the shipped policies with {@link changedData}, their tests. Compiled releases are kept. */
export async function writeCandidates(): Promise<string> {
  const template = await readFile(join(projectFolder, 'test/bench/castellan.yaml.template'), 'utf8');
  for (const { folder, port, durability, inputs } of ours) {
    await mkdir(folder, { recursive: true });
    for (const copied of ['policies', 'policy-tests']) {
      await rm(join(folder, copied), { recursive: true, force: true });
      await cp(join(projectFolder, copied), join(folder, copied), { recursive: true });
    }
    await changeData(join(folder, 'policies', 'data.json'));
    await dropCasesOfLimits(join(folder, 'policy-tests', 'cases'));
    const text = template.replaceAll('@PORT@', String(port)).replaceAll('@DURABILITY@', durability).replaceAll('@INPUTS@', String(inputs));
    await writeFile(join(folder, 'castellan.yaml'), text);
  }
  const candidates = join(benchFolder, 'castellan.json');
  const text = await readFile(join(projectFolder, 'test/bench/castellan.json'), 'utf8');
  await writeFile(candidates, text.replaceAll('@PROJECT@', projectFolder).replaceAll('@RUN@', runFolder));
  return candidates;
}

/** Leaves out the golden cases in which a limit speaks: they say what happens at the shipped numbers. */
async function dropCasesOfLimits(cases: string): Promise<void> {
  await rm(join(cases, 'limits'), { recursive: true });
  const path = join(cases, 'gateway', 'call.json');
  const { call } = JSON.parse(await readFile(path, 'utf8')) as { readonly call: readonly object[] };
  await writeFile(path, JSON.stringify({ call: call.filter((one) => !JSON.stringify(one).includes('"limits/')) }));
}

interface PolicyData {
  readonly servers: Record<string, unknown>;
  readonly limits: { readonly rate: Record<string, { calls_1m: number; calls_1h: number }>; readonly loop: { same_call_1m: number } };
}

export async function changeData(path: string): Promise<void> {
  const never = 1_000_000_000;
  const data = JSON.parse(await readFile(path, 'utf8')) as PolicyData;
  data.servers['bench'] = { trust_annotations: true, read_only_for: 'anyone', may_ask: {} };
  for (const rate of Object.values(data.limits.rate)) rate.calls_1m = rate.calls_1h = never;
  data.limits.loop.same_call_1m = never;
  await writeFile(path, `${JSON.stringify(data, null, 2)}\n`);
}
