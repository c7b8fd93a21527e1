import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cancellation } from '../../src/model/cancellation.ts';

describe('a cancellation', () => {
  it('tells each listener once, as an AbortSignal does', () => {
    for (const [signal, abort] of both()) {
      let first = 0;
      let gone = 0;
      let late = 0;
      const leave = (): void => {
        gone += 1;
      };
      signal.addEventListener('abort', () => first++);
      signal.addEventListener('abort', leave);
      signal.removeEventListener('abort', leave);
      assert.equal(signal.aborted, false);
      abort();
      abort();
      signal.addEventListener('abort', () => late++);
      assert.deepEqual([signal.aborted, first, gone, late], [true, 1, 0, 0]);
    }
  });

  it('lets a listener take others away', () => {
    for (const [signal, abort] of both()) {
      let told = 0;
      const second = (): void => {
        told += 1;
      };
      signal.addEventListener('abort', () => signal.removeEventListener('abort', second));
      signal.addEventListener('abort', () => told++);
      signal.addEventListener('abort', second);
      abort();
      assert.equal(told, 1);
    }
  });
});

function both(): readonly (readonly [Cancellation | AbortSignal, () => void])[] {
  const ours = new Cancellation();
  const theirs = new AbortController();
  return [
    [ours, () => ours.abort()],
    [theirs.signal, () => theirs.abort()],
  ];
}
