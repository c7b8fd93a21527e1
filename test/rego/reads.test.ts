import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Opa } from '../../src/rego/opa.ts';
import { release } from './fixture.ts';

const opa = new Opa();
after(() => opa.close());

async function readsOf(body: string, entrypoint = 'p/x', more: Record<string, string> = {}) {
  const files = { 'p.rego': `package p\n\n${body}\n`, ...more };
  const { entrypoints } = await opa.analyse({ files, entrypoints: [entrypoint] });
  return entrypoints[entrypoint]?.reads;
}

const rows: [title: string, body: string, reads: string[][] | null][] = [
  ['a constant path', 'x := input.a.b', [['a', 'b']]],
  ['a path is cut at a variable', 'x if { some k; input.a[k].c == 1 }', [['a']]],
  ['a path is cut at an index', 'x := input.a[0].b', [['a']]],
  ['a path inside a path', 'x := input.a[input.b.c]', [['a'], ['b', 'c']]],
  ['a shorter path covers a longer one', 'x if { input.a.b == 1; input.a }', [['a']]],
  ['a sibling with the same beginning is not covered', 'x if { input.a == 1; input.ab == 1 }', [['a'], ['ab']]],
  ['a key that is no identifier', 'x := input["a-b"]["c/d"]', [['a-b', 'c/d']]],
  ['input as a value is everything', 'x := input', null],
  ['input as an argument is everything', 'x := count(input)', null],
  ['input under a variable is everything', 'x if { some k; input[k] == 1 }', null],
  ['object.get with a constant key', 'x := object.get(input, "a", 1)', [['a']]],
  ['object.get with a constant path', 'x := object.get(input, ["a", "b"], input.d)', [['a', 'b'], ['d']]],
  ['object.get with a path that begins with a variable', 'x := object.get(input, [data.k, "b"], 1)', null],
  ['object.get of a part is all of the part', 'x := object.get(input.a, "b", 1)', [['a']]],
  ['object.get beside another use', 'x if { object.get(input, "a", 1) == 1; count(input) == 2 }', null],
  ['a local that is input', 'x if { y := input; y.a == 1; y.b.c == 1 }', [['a'], ['b', 'c']]],
  ['a local that is input and is returned', 'x := y if { y := input; y.a == 1 }', null],
  ['object.get with a variable key is everything', 'x := object.get(input, data.k, 1)', null],
  ['nothing', 'x := data.y', []],
  [
    'a comprehension, every and not',
    'x if { count([1 | input.a[_] == 1]) > 0; every y in input.b { y == input.c }; not input.d }',
    [['a'], ['b'], ['c'], ['d']],
  ],
  ['the else branch', 'x := 1 if input.a\n\nelse := input.b', [['a'], ['b']]],
  ['a rule head', 'x[input.a] := input.b if input.c', [['a'], ['b'], ['c']]],
  ['a default and its rule', 'default x := 1\n\nx := 2 if input.a', [['a']]],
  ['through a function', 'f(y) := y + input.f\n\nx := f(input.a)', [['a'], ['f']]],
  ['what with writes is not read, what it gives is', 'y if input.a.b == 1\n\nx if y with input.a as input.z', [['a', 'b'], ['z']]],
  ['a rule out of reach is not counted', 'y := input.b\n\nx := input.a', [['a']]],
  ['an import', 'import input.tool as t\n\nx := t.name', [['tool', 'name']]],
];

for (const [title, body, reads] of rows) {
  test(`reads: ${title}`, async () => {
    assert.deepEqual(await readsOf(body), reads);
  });
}

test('a dynamic reference to data reaches every rule below its prefix, and no other', async () => {
  const more = {
    'a.rego': 'package rules.t.a\n\ndeny contains "x" if input.a\n',
    'b.rego': 'package rules.u.b\n\ndeny contains "x" if input.b\n\nallow contains "x" if input.c\n',
    'c.rego': 'package other\n\ndeny contains "x" if input.d\n',
  };
  assert.deepEqual(await readsOf('x if { some t, r; count(data.rules[t][r].deny) > 0 }', 'p/x', more), [['a'], ['b']]);
});

test('each entrypoint has its own reads, and the release their union', async () => {
  const { entrypoints, reads } = await opa.analyse({ ...release, entrypoints: ['gateway/call', 'gateway/result'] });
  assert.deepEqual(entrypoints['gateway/call']?.reads, [['arguments', 'amount'], ['identity', 'groups'], ['target']]);
  assert.deepEqual(entrypoints['gateway/result']?.reads, [['findings'], ['phase']]);
  assert.deepEqual(reads, [['arguments', 'amount'], ['findings'], ['identity', 'groups'], ['phase'], ['target']]);
  assert.deepEqual(entrypoints['gateway/result'].packages, ['gateway', 'rules/content/secrets']);
});
