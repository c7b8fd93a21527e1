/**
 * CPU per policy evaluation, with the shipped policies and inputs of three sizes: in this thread, and through the worker pool at concurrency 1
 * and 16 (user and system time of all threads). Run by `npm run bench:policy`; needs an idle machine to mean anything.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { entrypoints } from '../../src/model/decision.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { createPolicyEngine } from '../../src/policy/pool.ts';
import { loadWasmPolicy } from '../../src/policy/wasm.ts';
import { Opa } from '../../src/rego/opa.ts';
import { readGoldenCases } from '../../src/release/golden-cases.ts';
import { readPolicySource } from '../../src/release/policy-source.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const opa = new Opa();
const source = await readPolicySource(join(root, 'policies'), join(root, 'policy-tests'));
const built = await opa.build({ files: source.files, entrypoints });
await opa.close();
const module = await WebAssembly.compile(built.wasm);

const allowed = readGoldenCases(source.cases).find(
  ({ entrypoint, expect, data, input }) =>
    entrypoint === 'gateway/call' &&
    (expect as JsonObject)['effect'] === 'allow' &&
    data === undefined &&
    (input['target'] as JsonObject)['kind'] === 'tool',
);
if (allowed === undefined) throw new Error('there is no golden case of an allowed tool call');
const entry = {
  at: '2026-11-21T07:29:00.000Z',
  method: 'tools/call',
  server: 'files',
  tool: 'list_directory',
  effect: 'allow',
  outcome: 'ok',
  labels: [],
  arguments_digest: 'sha256:0123456789abcdef',
  same_session: true,
};

/** What `gateway/call` reads of the input, with `history` earlier calls. */
function input(history: number): string {
  const whole: JsonObject = { ...allowed?.input, history: Array.from({ length: history }, () => entry) };
  const reads = built.entrypoints['gateway/call']?.reads?.map((path) => path[0]);
  return JSON.stringify(
    Object.fromEntries(Object.entries(whole).filter(([key]) => reads === undefined || reads.includes(key) || key === 'at_ns')),
  );
}

async function measure(title: string, count: number, work: () => unknown): Promise<void> {
  await work();
  const before = process.cpuUsage();
  const began = performance.now();
  await work();
  const { user, system } = process.cpuUsage(before);
  const wallUs = ((performance.now() - began) * 1_000) / count;
  console.log(
    `${title.padEnd(34)} ${((user + system) / count).toFixed(1).padStart(7)} µs CPU ${wallUs.toFixed(1).padStart(7)} µs wall an evaluation`,
  );
}

const policy = loadWasmPolicy({ module, dataJson: built.data, entrypoints, maxMemoryBytes: 64 * 1_048_576 });
const engine = await createPolicyEngine({ module, dataJson: built.data });
const count = 4_000;
for (const history of [0, 6, 11]) {
  const json = input(history);
  console.log(
    `gateway/call, ${json.length} bytes of input, ${built.wasm.length} bytes of module: ${policy.evaluate('gateway/call', json)?.slice(0, 200) ?? 'undefined'}`,
  );
  await measure('  in this thread', count, () => {
    for (let turn = 0; turn < count; turn++) policy.evaluate('gateway/call', json);
  });
  for (const agents of [1, 16]) {
    await measure(`  pool, ${agents} at a time`, count, async () => {
      const agent = async (): Promise<void> => {
        for (let turn = 0; turn < count / agents; turn++) await engine.evaluate('gateway/call', json, 1_000);
      };
      await Promise.all(Array.from({ length: agents }, agent));
    });
  }
}
await engine.close();
