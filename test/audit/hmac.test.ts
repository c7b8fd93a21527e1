import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hmacSha256 } from '../../src/audit/hmac.ts';

test('gives what createHmac gives, for messages of the usual length and any other', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.array(fc.oneof(fc.string({ minLength: 71, maxLength: 71 }), fc.string({ unit: 'grapheme', maxLength: 90 })), {
        minLength: 1,
        maxLength: 4,
      }),
      (key, messages) => {
        const hmac = hmacSha256(key, 71);
        for (const message of messages) assert.equal(hmac(message), createHmac('sha256', key).update(message).digest('hex'));
      },
    ),
  );
});

test('one message leaves nothing behind in the next', () => {
  const key = randomBytes(32);
  const hmac = hmacSha256(key, 8);
  const expected = createHmac('sha256', key).update('12345678').digest('hex');
  assert.equal(hmac('12345678'), expected);
  hmac('abcdefgh');
  hmac('longer than the usual');
  assert.equal(hmac('12345678'), expected);
});

test('a key longer than a block is refused', () => {
  assert.throws(() => hmacSha256(new Uint8Array(65), 8), TypeError);
});
