import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TokenCache } from '../../src/identity/token-cache.ts';

const step = fc.record({ does: fc.constantFrom('get', 'set', 'delete', 'forget'), key: fc.constantFrom('a', 'b', 'c', 'd', 'e') });

test('what was used longest ago goes first, in whatever order entries are used, replaced and dropped', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, maxEntries) => {
      const cache = new TokenCache<{ readonly key: string }>(maxEntries);
      // The keys that should be there, the one used last at the end.
      let expected: string[] = [];
      for (const { does, key } of steps) {
        const others = expected.filter((one) => one !== key);
        if (does === 'get') {
          assert.equal(cache.get(key)?.key, expected.includes(key) ? key : undefined);
          if (expected.includes(key)) expected = [...others, key];
        } else if (does === 'set') {
          cache.set(key, { key });
          expected = [...others, key].slice(-maxEntries);
        } else {
          if (does === 'delete') cache.delete(key);
          else cache.forget((entry) => entry.key === key);
          expected = others;
        }
        assert.equal(cache.size, expected.length);
      }
    }),
  );
});
