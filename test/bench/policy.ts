/**
 * What a policy decision costs, beside native OPA where the `opa` command is present: one table, each ratio from the same run. Run by
 * `npm run bench:policy`; needs an idle machine to mean anything.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileModule } from '../../src/model/compile-module.ts';
import { entrypoints, type Entrypoint } from '../../src/model/decision.ts';
import type { JsonObject } from '../../src/model/json.ts';
import type { PolicyEngine } from '../../src/model/ports.ts';
import { createPolicyEngine } from '../../src/policy/pool.ts';
import { Opa, type Build } from '../../src/rego/opa.ts';
import { servedBuiltins } from '../../src/rego/served-builtins.ts';
import { readGoldenCases } from '../../src/release/golden-cases.ts';
import { readPolicySource } from '../../src/release/policy-source.ts';
import { createReleaseManager } from '../../src/release/release-manager.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sourceAt = performance.now();
const opa = new Opa();
const source = await readPolicySource(join(root, 'policies'), join(root, 'policy-tests'));
const shipped = await opa.build({ files: source.files, entrypoints });
const coldMs = performance.now() - sourceAt + process.uptime() * 1000 - performance.now();
const folder = mkdtempSync(join(tmpdir(), 'castellan-bench-'));
const rows: string[][] = [];

function row(what: string, measured: string, bound = '', native = ''): void {
  rows.push([what, measured, bound, native]);
}

const golden = readGoldenCases(source.cases).find(
  ({ entrypoint, expect, data, input }) =>
    entrypoint === 'gateway/call' &&
    (expect as JsonObject)['effect'] === 'allow' &&
    data === undefined &&
    (input['target'] as JsonObject)['kind'] === 'tool',
);
if (golden === undefined) throw new Error('there is no golden case of an allowed tool call');
const call = golden.input;
const tool = call['tool'] as JsonObject;

/** The case's input with more of what agents send, to a size of `bytes`. */
function inputOf(bytes: number, more: JsonObject = {}): string {
  const whole = (pad: number): string =>
    JSON.stringify({ ...call, arguments: { ...(call['arguments'] as JsonObject), note: 'x'.repeat(pad) }, ...more });
  return whole(Math.max(0, bytes - whole(0).length));
}

const historyOf = (count: number): JsonObject => ({
  history: Array.from({ length: count }, (_, index) => ({
    at: '2026-11-21T07:29:00.000Z',
    method: 'tools/call',
    server: 'files',
    tool: `list_directory_${index}`,
    effect: 'allow',
    outcome: 'ok',
    labels: [],
    arguments_digest: 'sha256:0123456789abcdef',
    same_session: true,
  })),
});

const toolsOf = (count: number): JsonObject => ({
  phase: 'list',
  items: [],
  tools: Array.from({ length: count }, (_, index) => ({ ...tool, name: `tool_${index}`, exposed_name: `t_${index}` })),
});

/** The keys that the release reads, as the gateway sends them. */
function sent(built: Build, entry: Entrypoint, input: string): string {
  const reads = built.entrypoints[entry]?.reads?.map((path) => path[0]);
  const parsed = JSON.parse(input) as JsonObject;
  return JSON.stringify(Object.fromEntries(Object.entries(parsed).filter(([key]) => !reads || reads.includes(key) || key === 'at_ns')));
}

async function engineOf(built: Build, data = built.data): Promise<PolicyEngine> {
  const callerUrl = new URL('../../src/rego/builtins.ts', import.meta.url).href;
  const module = await compileModule(built.wasm);
  return await createPolicyEngine({
    module,
    dataJson: data,
    maxMemoryBytes: 512 * 1_048_576,
    builtins: { names: servedBuiltins, callerUrl },
  });
}

interface Times {
  readonly p50: number;
  readonly p99: number;
}

/** One after the other, from the asking to the answer: the hop to the worker is in it. Microseconds. */
async function times(engine: PolicyEngine, entry: Entrypoint, input: string, count: number): Promise<Times> {
  const took: number[] = [];
  for (let turn = 0; turn < count + count / 4; turn++) {
    const began = performance.now();
    const given = await engine.evaluate(entry as 'gateway/call', input, 10_000);
    if (!given.ok) throw new Error(`${entry}: ${given.message}`);
    if (turn >= count / 4) took.push((performance.now() - began) * 1000);
  }
  took.sort((a, b) => a - b);
  return { p50: took[Math.floor(count / 2)] ?? 0, p99: took[Math.floor(count * 0.99)] ?? 0 };
}

/** What `opa bench` gives for the same policy and input, in microseconds; absent where there is no `opa`. */
function native(files: Readonly<Record<string, string>>, entry: Entrypoint, input: string): number | undefined {
  const place = mkdtempSync(join(folder, 'native-'));
  for (const [name, text] of Object.entries({ ...files, '../input.json': input })) {
    const path = join(place, 'policy', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  const query = `data.${entry.replace('/', '.')}`;
  const args = ['bench', '-b', join(place, 'policy'), '-i', join(place, 'input.json'), '--count', '1', '-f', 'json', query];
  const { stdout, status } = spawnSync('opa', args, { encoding: 'utf8', timeout: 60_000 });
  if (status !== 0) return undefined;
  const { N, T } = JSON.parse(stdout) as { N: number; T: number };
  return T / N / 1000;
}

async function decision(
  what: string,
  built: Build,
  files: Readonly<Record<string, string>>,
  entry: Entrypoint,
  input: string,
  bound = '',
  count = 2_000,
): Promise<void> {
  const engine = await engineOf(built);
  try {
    const { p50, p99 } = await times(engine, entry, sent(built, entry, input), count);
    const go = native(files, entry, input);
    const compared = go === undefined ? '' : `${us(go)}, ${(go / p50).toFixed(1)}×`;
    row(what, `p50 ${us(p50)}, p99 ${us(p99)}`, bound, compared);
  } finally {
    await engine.close();
  }
}

const us = (value: number): string => (value < 1_000 ? `${value.toFixed(0)} µs` : `${(value / 1000).toFixed(2)} ms`);

/** So many more rules of one tool each, which deny what nobody asks for. */
const moreRules = (count: number): Readonly<Record<string, string>> => ({
  ...source.files,
  ...Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `rules/more/rule_${index}.rego`,
      `package rules.more.rule_${index}\n\ndeny contains "no" if {\n\tinput.target.name == "never_${index}"\n\tinput.arguments.amount > ${index}\n}\n`,
    ]),
  ),
});

/** Releases are swapped by a real release manager, one file edited each time, while decisions are asked for one after the other. */
async function swap(input: string): Promise<void> {
  const place = join(folder, 'swapped');
  for (const [name, text] of Object.entries(source.files)) {
    mkdirSync(dirname(join(place, name)), { recursive: true });
    writeFileSync(join(place, name), text);
  }
  const callerUrl = new URL('../../src/rego/builtins.ts', import.meta.url).href;
  const manager = await createReleaseManager({
    source: { kind: 'folder', path: place },
    build: (read, entries) => opa.build({ files: read.files, entrypoints: entries }),
    createEngine: (module, dataJson) => createPolicyEngine({ module, dataJson, builtins: { names: servedBuiltins, callerUrl } }),
    watch: false,
  });
  const state = { isOver: false };
  const took: number[] = [];
  const decide = async (): Promise<void> => {
    while (!state.isOver) {
      const began = performance.now();
      const given = await manager.current()?.engine.evaluate('gateway/call', input, 1_000);
      if (given?.ok !== true) throw new Error('a decision failed while a release was swapped');
      took.push((performance.now() - began) * 1000);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const deciding = decide();
  const swaps = 5;
  const began = performance.now();
  for (let turn = 0; turn < swaps; turn++) {
    writeFileSync(join(place, 'rules', 'extra.rego'), `package rules.extra.extra${turn}\n`);
    await manager.reload();
  }
  const eachMs = (performance.now() - began) / swaps;
  state.isOver = true;
  await deciding;
  await manager.close();
  took.sort((a, b) => a - b);
  const during = `p99 ${us(took[Math.floor(took.length * 0.99)] ?? 0)}, longest ${us(took.at(-1) ?? 0)}, none failed`;
  row('swap: from an edit to its being in force, tests left out', `${eachMs.toFixed(0)} ms; decisions meanwhile ${during}`);
}

try {
  row('compile the shipped policies, from process start', `${coldMs.toFixed(0)} ms`, '< 3,000 ms');
  const warmAt = performance.now();
  await opa.build({ files: { ...source.files, 'rules/extra/extra.rego': 'package rules.extra.extra\n' }, entrypoints });
  row('compile them again, one file changed', `${(performance.now() - warmAt).toFixed(0)} ms`, '< 500 ms');

  const input = inputOf(2_400);
  await decision(
    `decision, ${input.length} bytes of input`,
    shipped,
    source.files,
    'gateway/call',
    input,
    'p50 < 100 µs, p99 < 1 ms',
    8_000,
  );
  for (const count of [0, 20, 200]) {
    await decision(`history of ${count}`, shipped, source.files, 'gateway/call', inputOf(2_400, historyOf(count)));
  }
  for (const count of [20, 200, 500]) {
    await decision(
      `list of ${count} tools`,
      shipped,
      source.files,
      'gateway/list',
      inputOf(0, toolsOf(count)),
      count === 200 ? 'p50 < 2 ms' : '',
      500,
    );
  }
  for (const count of [10, 100, 1_000]) {
    const files = moreRules(count);
    const built = await opa.build({ files, entrypoints });
    await decision(`${count} more rules (${(built.wasm.length / 1024).toFixed(0)} KiB of module)`, built, files, 'gateway/call', input);
  }
  const rowsOfData = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, index) => [`row-${index}`, { owner: `user-${index}`, labels: ['a', 'b'] }]),
  );
  const dataFiles = { ...source.files, 'more/data.json': JSON.stringify(rowsOfData) };
  const large = await opa.build({ files: dataFiles, entrypoints });
  await decision(`${(large.data.length / 1e6).toFixed(1)} MB of data`, large, dataFiles, 'gateway/call', input);

  const loadAt = performance.now();
  const first = await engineOf(shipped);
  const loadMs = performance.now() - loadAt;
  await first.evaluate('gateway/call', sent(shipped, 'gateway/call', input), 1_000);
  row('release load: module to first decision', `${(performance.now() - loadAt).toFixed(0)} ms (worker up after ${loadMs.toFixed(0)} ms)`);
  const largeAt = performance.now();
  const second = await engineOf(large);
  await second.evaluate('gateway/call', sent(large, 'gateway/call', input), 1_000);
  row('the same with 1 MB of data', `${(performance.now() - largeAt).toFixed(0)} ms`);
  await Promise.all([first.close(), second.close()]);
  const before = process.memoryUsage().rss;
  const many = await Promise.all(Array.from({ length: 4 }, async () => engineOf(shipped)));
  for (const engine of many) await times(engine, 'gateway/call', sent(shipped, 'gateway/call', input), 100);
  row('memory of a worker (its spare as much again)', `${((process.memoryUsage().rss - before) / many.length / 1_048_576).toFixed(1)} MiB`);
  await Promise.all(many.map(async (engine) => engine.close()));
  await swap(sent(shipped, 'gateway/call', input));
} finally {
  await opa.close();
  rmSync(folder, { recursive: true, force: true });
}

const head = ['what, shipped policies, one worker, hop included', 'measured', 'bound', 'native OPA (Go), as a multiple of ours'];
const table = [head, head.map(() => '---'), ...rows];
for (const line of table) console.log(`| ${line.join(' | ')} |`);
