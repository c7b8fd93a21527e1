import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Json } from '../../src/model/json.ts';
import { findAll, getAt, pointerSteps, removeAt, replaceAt, toPointer } from '../../src/model/json-pointer.ts';

const specimen: Json = { foo: ['bar', 'baz'], '': 0, 'a/b': 1, 'c%d': 2, 'e^f': 3, 'g|h': 4, 'i\\j': 5, 'k"l': 6, ' ': 7, 'm~n': 8 };

describe('RFC 6901, section 5', () => {
  const rows: readonly [string, Json][] = [
    ['', specimen],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/e^f', 3],
    ['/g|h', 4],
    ['/i\\j', 5],
    ['/k"l', 6],
    ['/ ', 7],
    ['/m~0n', 8],
  ];
  for (const [pointer, value] of rows) it(`\`${pointer}\``, () => assert.deepEqual(getAt(specimen, pointer), value));
});

it('finds nothing where nothing is, and nothing inherited', () => {
  for (const pointer of ['/foo/2', '/foo/01', '/foo/-', '/foo/length', '/foo/0/0', '/constructor', '/__proto__', '/nope/x']) {
    assert.equal(getAt(specimen, pointer), undefined, pointer);
    assert.equal(
      replaceAt(specimen, pointer, () => 'x'),
      specimen,
      pointer,
    );
    assert.equal(removeAt(specimen, pointer), specimen, pointer);
  }
});

it('refuses what is no pointer', () => {
  for (const pointer of ['foo', '/a~', '/a~2b']) assert.throws(() => pointerSteps(pointer), SyntaxError);
});

it('a `*` step matches each key or index', () => {
  const value: Json = { rows: [{ ssn: 1, n: 2 }, { n: 3 }, { ssn: 4 }], map: { a: { ssn: 5 }, 'b/c': { ssn: 6 } } };
  assert.deepEqual(findAll(value, '/*/*/ssn'), [
    { pointer: '/rows/0/ssn', value: 1 },
    { pointer: '/rows/2/ssn', value: 4 },
    { pointer: '/map/a/ssn', value: 5 },
    { pointer: '/map/b~1c/ssn', value: 6 },
  ]);
  assert.deepEqual(removeAt(value, '/rows/*/ssn'), { rows: [{ n: 2 }, { n: 3 }, {}], map: { a: { ssn: 5 }, 'b/c': { ssn: 6 } } });
  assert.deepEqual(removeAt([1, 2, 3], '/*'), []);
});

it('copies along the path only, and changes nothing in the original', () => {
  const value = Object.freeze({ a: Object.freeze({ x: 1, y: Object.freeze([1, 2]) }), b: Object.freeze({ z: 1 }) });
  const after = replaceAt(value, '/a/y/1', (old) => (old as number) + 40) as typeof value;
  assert.deepEqual(after, { a: { x: 1, y: [1, 42] }, b: { z: 1 } });
  assert.equal(after.b, value.b);
  assert.deepEqual(value, { a: { x: 1, y: [1, 2] }, b: { z: 1 } });
  assert.deepEqual(removeAt(value, '/a/y/0'), { a: { x: 1, y: [2] }, b: { z: 1 } });
});

it('steps survive being made into a pointer', () => {
  fc.assert(fc.property(fc.array(fc.string()), (steps) => assert.deepEqual(pointerSteps(toPointer(steps)), steps)));
});
