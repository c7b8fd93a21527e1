import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { parseRego } from '../../src/policy/rego-value.ts';
import { jsonOfRego } from '../../src/policy/rego-write.ts';
import { loadWasmPolicy } from '../../src/policy/wasm.ts';
import { createBuiltinCaller } from '../../src/rego/builtins.ts';
import { Opa, type Build } from '../../src/rego/opa.ts';
import { servedBuiltins } from '../../src/rego/served-builtins.ts';

/**
 * OPA's own compliance suite (2,400 cases, in its Go module) through both engines. Where Go has the module; each tenth case, or all of them
 * with `CASTELLAN_ALL_OPA_CASES` set, which takes two minutes.
 */
const folder = complianceFolder();
const stride = process.env['CASTELLAN_ALL_OPA_CASES'] === undefined ? 10 : 1;
const nowNs = 1_700_000_000_123_456_789n;
const refused = /http\.send|net\.lookup_ip_addr|opa\.runtime|rand\.intn|uuid\.rfc4122|io\.jwt\.encode_sign/;

interface Case {
  readonly note: string;
  readonly query: string;
  readonly modules?: readonly string[];
  readonly data?: unknown;
  readonly input?: unknown;
  readonly input_term?: string;
}

test(
  'OPA’s own compliance cases come out alike in both engines',
  { skip: folder === undefined ? 'Go has no module of OPA here' : false },
  async () => {
    const opa = new Opa();
    after(() => opa.close());
    const caller = createBuiltinCaller(await opa.module(), { notation: 'rego' });
    const differences: string[] = [];
    let compared = 0;
    for (const { note, query, modules, data, input, input_term: term } of cases(folder ?? '')) {
      const path = /^data\.([\w.]+?)(?:\[.*\])?(?:\s*:?=\s*x)?$/.exec(query)?.[1];
      if (path === undefined || modules === undefined || modules.some((text) => refused.test(text))) continue;
      const files = Object.fromEntries(modules.map((text, index) => [`m${index}.rego`, text]));
      if (data !== undefined) files['data.json'] = jsonText(data);
      const inputJson = term === undefined ? jsonText(input ?? { at_ns: nowNs }) : await valueOf(opa, term);
      let built: Build;
      try {
        built = await opa.build({ files, entrypoints: [path.replaceAll('.', '/')] });
      } catch {
        continue; // it uses a builtin of OPA's own tests, or data and rules at one place, which a bundle refuses
      }
      if (built.hostBuiltins.includes('time.now_ns') && !/^\{"at_ns"/.test(inputJson)) continue;
      const theirs = await outcome(async () => {
        const { result } = await opa.eval({ files, bundle: true, query: `data.${path}`, input: inputJson, nowNs });
        return /^\[\{"expressions":\[\{"value":(.*),"text":/.exec(result)?.[1];
      });
      const ours = await outcome(async () => {
        const policy = loadWasmPolicy({
          module: await WebAssembly.compile(built.wasm),
          dataJson: built.data,
          entrypoints: [],
          maxMemoryBytes: 512 * 1_048_576,
          builtins: { names: new Set(servedBuiltins), caller: () => (name, args) => caller(name, args, nowNs) },
        });
        return policy.evaluate(path.replaceAll('.', '/'), inputJson);
      });
      compared++;
      if (ours !== theirs) differences.push(`${note}: engine ${ours}, interpreter ${theirs}`);
    }
    assert.deepEqual(differences, []);
    assert.ok(compared > 2_000 / stride, `only ${compared} were compared`);
  },
);

function* cases(root: string): Generator<Case> {
  let index = 0;
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.yaml')) continue;
    const { cases: found = [] } = parse(readFileSync(join(root, name), 'utf8'), { intAsBigInt: true }) as { cases?: Case[] };
    for (const one of found) if (index++ % stride === 0) yield one;
  }
}

/** The answer in one order and notation, or that there is none, or that it failed: messages are the engines' own. */
async function outcome(work: () => Promise<string | undefined>): Promise<string> {
  try {
    const json = await work();
    return json === undefined ? 'undefined' : jsonOfRego(parseRego(json));
  } catch {
    return 'an error';
  }
}

async function valueOf(opa: Opa, term: string): Promise<string> {
  const { result } = await opa.eval({ files: {}, query: `x := ${term}` });
  return /"bindings":\{"x":(.*)\}\}\]$/.exec(result)?.[1] ?? 'null';
}

function jsonText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}:${jsonText(item)}`)
    .join(',')}}`;
}

function complianceFolder(): string | undefined {
  const cwd = fileURLToPath(new URL('../../src/rego/opa', import.meta.url));
  const args = ['list', '-m', '-mod=mod', '-f', '{{.Dir}}', 'github.com/open-policy-agent/opa'];
  let stdout: string;
  try {
    stdout = execFileSync('go', args, { cwd, encoding: 'utf8', stdio: 'pipe', env: { ...process.env, GOFLAGS: '', GOPROXY: 'off' } });
  } catch {
    return undefined; // no Go, or it has not fetched the module
  }
  const found = join(stdout.trim(), 'v1/test/cases/testdata/v1');
  return stdout.trim() !== '' && existsSync(found) ? found : undefined;
}
