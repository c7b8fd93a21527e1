import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isCanonicalBase64url } from '../../src/identity/base64url.ts';

test('a text is canonical exactly where encoding its bytes gives it back', () => {
  const alphabet = 'ABCDabcd0189-_+/= \n'.split('');
  const text = fc.oneof(
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
    fc.array(fc.constantFrom(...alphabet), { maxLength: 9 }).map((characters) => characters.join('')),
  );
  fc.assert(
    fc.property(text, (candidate) => {
      assert.equal(isCanonicalBase64url(candidate), Buffer.from(candidate, 'base64url').toString('base64url') === candidate);
    }),
    { numRuns: 2000 },
  );
});

test('other spellings of the same bytes are not canonical', () => {
  for (const spelling of ['Zm8=', 'Zm9', 'Zm 8', 'Zm8\n', 'Zm8==', 'Zm+/', 'Z', 'Zm8é'])
    assert.equal(isCanonicalBase64url(spelling), false, spelling);
  for (const spelling of ['', 'Zm8', 'Zm9v', 'Zg', '-_-_']) assert.equal(isCanonicalBase64url(spelling), true, spelling);
});
