import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LimitCounter } from '../../src/call/limits.ts';
import type { Limit } from '../../src/model/decision.ts';

const startMs = 1_700_000_040_000;
const limit = (max: number, key = 'k', rule = 'limits/counted', per_s = 60): Limit => ({ rule, key, max, per_s });

describe('counted limits', () => {
  it('let through as many as they say, then say what to wait for', () => {
    const counter = new LimitCounter();
    for (let turn = 0; turn < 3; turn++) assert.equal(counter.take('t', [limit(3)], startMs), undefined);
    assert.deepEqual(counter.take('t', [limit(3)], startMs), {
      rule: 'limits/counted',
      effect: 'deny',
      message: 'the limit of 3 calls in 60 s is reached',
      hint: 'wait up to 60 s, then try again',
    });
    assert.notEqual(counter.take('t', [limit(0, 'none')], startMs), undefined);
  });

  it('count under no limit a call that one of them refuses', () => {
    const counter = new LimitCounter();
    assert.equal(counter.take('t', [limit(1, 'small')], startMs), undefined);
    for (let turn = 0; turn < 5; turn++) assert.notEqual(counter.take('t', [limit(2, 'large'), limit(1, 'small')], startMs), undefined);
    assert.equal(counter.take('t', [limit(2, 'large')], startMs), undefined);
    assert.equal(counter.take('t', [limit(2, 'large')], startMs), undefined);
  });

  it('keep tenants, rules and keys apart', () => {
    const counter = new LimitCounter();
    for (const [tenant, one] of [
      ['t', limit(1)],
      ['u', limit(1)],
      ['t', limit(1, 'other')],
      ['t', limit(1, 'k', 'other/rule')],
    ] as const) {
      assert.equal(counter.take(tenant, [one], startMs), undefined);
      assert.notEqual(counter.take(tenant, [one], startMs), undefined);
    }
  });

  it('slide: a full window still weighs on the next one, and not on the one after', () => {
    const counter = new LimitCounter();
    const take = (atMs: number): boolean => counter.take('t', [limit(10)], atMs) === undefined;
    const taken = (atMs: number): number => Array.from({ length: 20 }, () => take(atMs)).filter(Boolean).length;
    const windowMs = Math.floor(startMs / 60_000) * 60_000;
    assert.equal(taken(windowMs + 59_000), 10);
    assert.equal(taken(windowMs + 61_000), 1);
    assert.equal(taken(windowMs + 90_000), 4);
    assert.equal(taken(windowMs + 240_000), 10);
  });

  it('hold on to a bounded number of keys', () => {
    const counter = new LimitCounter(100);
    for (let key = 0; key < 1_000; key++) counter.take('t', [limit(1, `k${key}`)], startMs);
    assert.notEqual(counter.take('t', [limit(1, 'k999')], startMs), undefined);
  });
});
