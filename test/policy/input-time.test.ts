import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { topLevelInteger } from '../../src/policy/input-time.ts';

test('only the key at the top level counts, whatever else the document holds', () => {
  const noise = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('at_ns', '\\', '"', '{"at_ns":7}')), fc.jsonValue());
  fc.assert(
    fc.property(noise, noise, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (before, after, time) => {
      delete before['at_ns'];
      delete after['at_ns'];
      const parts = [before, after].map((part) => JSON.stringify({ x: part, ...part }).slice(1, -1));
      assert.equal(topLevelInteger(`{${parts[0]},"at_ns":${time},${parts[1]}}`, 'at_ns'), String(time));
      assert.equal(topLevelInteger(`{${parts[0]},${parts[1]}}`, 'at_ns'), undefined);
    }),
  );
});

test('a time that is no integer is none', () => {
  for (const text of [
    '{"at_ns":"5"}',
    '{"at_ns":1.5}',
    '{"at_ns":1e18}',
    '{"at_ns":null}',
    '["at_ns",5]',
    '"at_ns"',
    '5',
    '{"a":{"at_ns":5}}',
  ]) {
    assert.equal(topLevelInteger(text, 'at_ns'), undefined, text);
  }
});
