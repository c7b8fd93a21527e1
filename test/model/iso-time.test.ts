import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isoTime } from '../../src/model/iso-time.ts';

test('gives what toISOString gives, for every time that a Date can hold', () => {
  fc.assert(fc.property(fc.date({ noInvalidDate: true }), (at) => assert.equal(isoTime(at.getTime()), at.toISOString())));
  for (const ms of [
    0, 0.5, 999, 1_000, 1_000.25, -1, 951_782_399_999, 4_102_444_800_000, -8.64e15, 8.64e15, 253_402_300_799_999, 253_402_300_800_000,
  ])
    assert.equal(isoTime(ms), new Date(ms).toISOString());
});

test('what is no time is refused', () => {
  assert.throws(() => isoTime(NaN), RangeError);
  assert.throws(() => isoTime(8.64e15 + 1), RangeError);
});
