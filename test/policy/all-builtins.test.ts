import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { loadWasmPolicy } from '../../src/policy/wasm.ts';
import { createBuiltinCaller } from '../../src/rego/builtins.ts';
import { RegoError } from '../../src/rego/opa.ts';
import { servedBuiltins } from '../../src/rego/served-builtins.ts';
import { builtinCases, caseTexts } from './builtin-cases.ts';
import { Compiler } from './compile.ts';

const compiler = new Compiler();
after(() => compiler.close());

interface Capabilities {
  readonly builtins: readonly { readonly name: string; readonly deprecated?: boolean; readonly infix?: string }[];
}
const all = (JSON.parse((await compiler.opa.capabilities({ full: true })).text) as Capabilities).builtins;

/** They reach outside, answer otherwise each time, or sign; `policies/capabilities.json` leaves them out. */
const refused: Readonly<Record<string, string>> = {
  'http.send': 'http.send({"method": "get", "url": "http://localhost"})',
  'net.lookup_ip_addr': 'net.lookup_ip_addr("localhost")',
  'opa.runtime': 'opa.runtime()',
  'rand.intn': 'rand.intn("a", 5)',
  'uuid.rfc4122': 'uuid.rfc4122("a")',
  'io.jwt.encode_sign': 'io.jwt.encode_sign({"alg": "HS256"}, {}, {"kty": "oct", "k": "a"})',
  'io.jwt.encode_sign_raw': 'io.jwt.encode_sign_raw("{}", "{}", "{}")',
};
/** Part of the language: the compiler makes them something else, or nothing. */
const language = ['assign', 'eq', 'internal.print', 'internal.test_case', 'print'];

const nowNs = 1_795_246_200_123_456_789n;
const input = `{"at_ns": ${nowNs}}`;

/** The expression of a case: the arguments go through a function, so that no type is known when it is compiled. */
function expression(name: string, row: string, texts: ReadonlyMap<string, string>): string {
  const filled = row.replace(/\$([A-Z][A-Z0-9_]*)/g, (all, key: string) => texts.get(key) ?? all);
  if (filled.startsWith('=')) return filled.slice(1);
  const args = filled
    .replace(/^!/, '')
    .split(' ; ')
    .map((arg) => `v(${arg})`);
  const infix = all.find((builtin) => builtin.name === name)?.infix;
  return infix === undefined ? `${name}(${args.join(', ')})` : `${args[0] ?? ''} ${infix} ${args[1] ?? ''}`;
}

describe('every builtin of OPA', () => {
  const rows = Object.entries(builtinCases).flatMap(([name, cases]) => cases.map((row, index) => ({ name, row, key: `${name} ${index}` })));
  const answers: { opa: Record<string, unknown>; wasm: Record<string, unknown> } = { opa: {}, wasm: {} };

  before(async () => {
    const texts = caseTexts();
    const rules = rows.map(
      ({ name, row, key }) => `# METADATA\n# title: a title\ncall[${JSON.stringify(key)}] := x if x := ${expression(name, row, texts)}\n`,
    );
    const files = { 'gateway/all.rego': `package gateway\n\nv(x) := x\n\n${rules.join('\n')}` };
    const { result } = await compiler.opa.eval({ files, bundle: true, query: 'data.gateway.call', input, nowNs });
    const built = await compiler.opa.build({ files, entrypoints: ['gateway/call'] });
    const caller = createBuiltinCaller((await compiler.builtins()).module, { notation: 'rego' });
    const policy = loadWasmPolicy({
      module: await WebAssembly.compile(built.wasm),
      dataJson: '{}',
      entrypoints: [],
      maxMemoryBytes: 64 * 1_048_576,
      builtins: { names: new Set(servedBuiltins), caller: () => caller },
    });
    answers.wasm = texts_(policy.evaluate('gateway/call', input) ?? '{}');
    answers.opa = texts_(result.slice('[{"expressions":[{"value":'.length, result.indexOf(',"text":"data.gateway.call"')));
  });

  test('has two cases at least, or is refused, or is part of the language', () => {
    const lacking = all
      .filter(({ name, deprecated }) => deprecated !== true && refused[name] === undefined && !language.includes(name))
      .filter(({ name }) => (builtinCases[name]?.length ?? 0) < 2);
    assert.deepEqual(
      lacking.map(({ name }) => name),
      [],
    );
    assert.equal(all.length, 206);
  });

  for (const [name, cases] of Object.entries(builtinCases)) {
    test(`\`${name}\` answers in the engine what OPA answers`, () => {
      cases.forEach((row, index) => {
        const key = `${name} ${index}`;
        assert.equal(answers.wasm[key], answers.opa[key], `${name} ${row}`);
        assert.equal(answers.opa[key] === undefined, row.startsWith('!'), `${name} ${row}: ${String(answers.opa[key])}`);
      });
    });
  }

  test('that reaches outside or is not deterministic is refused at compile time, by name and place', async () => {
    const { text } = await compiler.opa.capabilities();
    for (const [name, call] of Object.entries(refused)) {
      const files = { 'rules/a/b.rego': `package rules.a.b\n\np := ${call}` };
      const fault = await compiler.opa.build({ files, entrypoints: ['rules/a/b/p'], capabilities: text }).catch((error: unknown) => error);
      assert.ok(fault instanceof RegoError, name);
      assert.deepEqual([fault.faults[0]?.builtin, fault.faults[0]?.file, fault.faults[0]?.row], [name, 'rules/a/b.rego', 3]);
    }
  });

  test('that OPA calls deprecated is refused as OPA refuses it', async () => {
    for (const { name } of all.filter(({ deprecated }) => deprecated === true)) {
      const files = { 'a.rego': `package a\n\np := ${name}(input.x${/match|overlap|diff/.test(name) ? ', input.y' : ''})` };
      await assert.rejects(compiler.opa.build({ files, entrypoints: ['a/p'] }), /deprecated built-in function calls/, name);
    }
  });
});

/** Each member as its own JSON text, so that no number is rounded before it is compared. */
function texts_(json: string): Record<string, unknown> {
  const parse = JSON.parse as (text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown) => unknown;
  const exact = parse(json, (_key, value, context) => (typeof value === 'number' ? `number ${context.source ?? ''}` : value));
  return Object.fromEntries(Object.entries(exact as object).map(([key, value]) => [key, JSON.stringify(value)]));
}
