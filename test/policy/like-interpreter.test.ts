import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { compareRego } from '../../src/policy/rego-order.ts';
import { parseRego } from '../../src/policy/rego-value.ts';
import { jsonOfRego } from '../../src/policy/rego-write.ts';
import { loadWasmPolicy } from '../../src/policy/wasm.ts';
import { createBuiltinCaller } from '../../src/rego/builtins.ts';
import { servedBuiltins } from '../../src/rego/served-builtins.ts';
import { Compiler } from './compile.ts';

const compiler = new Compiler();
after(() => compiler.close());

const data = { ports: { '1': 'one', '80': { b: 2 } }, rows: ['a', { b: 3 }], s: { b: { b: 2 }, a: 1, '1': 3 } };
const input = { at_ns: 1, one: 1, digit: '1', half: 1.5, list: [3, 1, 2], nested: { b: [1, { d: 1, c: 2 }], a: 'x' } };

/** What a module of stock OPA answers in another order than the interpreter, or otherwise. */
const expressions: readonly string[] = [
  '[x | some x in {3, 1, 2, "b", "a", null, [1]}]',
  '[k | some k, _ in {"b": 1, "a": 2, "c": 3}]',
  '[[k, v] | some k, vs in {"b": {3, 1}, "a": {2, 1}, "c": [3, 1]}; some v in vs]',
  '[x | some x in {1, 2, 3}; not x == 2]',
  '[x | x := input.list[_]; x > 1]',
  '[[i, x] | x := input.list[i]]',
  '[p | walk(input.nested, [p, _])]',
  '[x | walk(input.nested, [_, x]); is_string(x)]',
  '[x | some k; x := [k, data.s[k]]]',
  '[x | some i in {2, 1}; some j in {"b", "a"}; x := [i, j]]',
  'concat(",", {"b", "a", "z", "c"})',
  'concat(",", [x | some x in {"b", "a"}])',
  '{"b": {3, 1}, "a": [{2, 1}]}',
  '{1: "a", "1": "b", [2]: {3}}',
  'json.marshal({"b": {"z", "y"}, "a": 1})',
  '$"{ {"b": 1, "a": {2, 1}} }"',
  'data.ports[1]',
  'data.ports[input.one]',
  'data.ports[80].b',
  'data.ports[input.half]',
  'data.rows["0"]',
  'data.rows[input.digit].b',
  'data.rows["01"]',
  'data.s[input.one]',
  'y if { x := data.ports; y := x[1] }',
  'y if { x := data.ports; y := x["1"] }',
  'count({1, 1.0, 2})',
  'object.union_n([])',
  '123456789012 * 1000000007',
  '9007199254740993 + 1',
  '1 / 3',
  '{1, 2, 3} - {2}',
  'x if { x := input.one with input.one as 2 }',
  'x if { x := data.ports["1"] with data.ports as {"1": "mock"} }',
  '"\\ud800"',
];

test('a module answers what the interpreter answers, also where order and keys show', async () => {
  const caller = createBuiltinCaller((await compiler.builtins()).module, { notation: 'rego' });
  const rules = expressions.map((expression, index) => `x${index} := ${expression}`);
  const members = expressions.map((_, index) => `call["${index}"] := x${index}`);
  const files = { 'gateway/p.rego': `package gateway\n\n${[...rules, ...members].join('\n\n')}`, 'data.json': JSON.stringify(data) };
  const [inputJson, query] = [JSON.stringify(input), 'data.gateway.call'];
  const { result } = await compiler.opa.eval({ files, bundle: true, query, input: inputJson, nowNs: 1n });
  const built = await compiler.opa.build({ files, entrypoints: ['gateway/call'] });
  const policy = loadWasmPolicy({
    module: await WebAssembly.compile(built.wasm),
    dataJson: built.data,
    entrypoints: [],
    maxMemoryBytes: 64 * 1_048_576,
    builtins: { names: new Set(servedBuiltins), caller: () => caller },
  });
  const value = policy.evaluate('gateway/call', inputJson) ?? '';
  // To the byte, but for what Go escapes in JSON and JavaScript does not.
  assert.equal(`[{"expressions":[{"value":${value},"text":"${query}","location":{"row":1,"col":1}}]}]`, result.replaceAll('\\u003c', '<'));
  assert.ok(Object.keys(JSON.parse(value) as object).length > 30);
});

test('an index that is a whole number in the text is taken by the module itself, and another one by OPA', async () => {
  const literal = await compiler.build('call := [array.slice(input.a, 1, 2), substring(input.b, 0, -1)]');
  assert.deepEqual(literal.hostBuiltins, []);
  const other = await compiler.build('call := array.slice(input.a, 1, input.n)');
  assert.deepEqual(other.hostBuiltins, ['array.slice']);
});

test('JSON is read and written again as it was, and ordered as OPA orders it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const text = JSON.stringify(value).replaceAll('-0', '0');
      assert.deepEqual(JSON.parse(jsonOfRego(parseRego(text))), JSON.parse(text));
    }),
  );
  const ordered = [
    'null',
    'false',
    'true',
    '-1e400',
    '-1',
    '0.1',
    '9007199254740992',
    '9007199254740993',
    '1e400',
    '""',
    '"z"',
    '"ﬀ"',
    '"😀"',
  ];
  const values = [...ordered, '[]', '[1]', '[1, 0]', '{}', '{"a": 2}', '{"b": 1}', 'set()', '{1}', '{1, 2}', '{2}'].map(parseRego);
  for (const [i, a] of values.entries())
    for (const [j, b] of values.entries()) assert.equal(Math.sign(compareRego(a, b)), Math.sign(i - j), `${i} and ${j}`);
  for (const text of ['', '{', '{1: }', '{"a": 1, 2}', '[1', '1 2', 'nul', '"a']) assert.throws(() => parseRego(text), SyntaxError, text);
});
