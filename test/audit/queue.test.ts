import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuditQueue } from '../../src/audit/queue.ts';
import type { AuditGroupReply } from '../../src/audit/worker.ts';

const hashChars = 64;

/** A queue whose groups are durable after 5 ms, and the size of each group. */
function queueOf(): { readonly queue: AuditQueue; readonly groups: number[] } {
  const groups: number[] = [];
  let seq = 0;
  const send = async (entries: readonly unknown[]): Promise<AuditGroupReply> => {
    groups.push(entries.length);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { seqs: entries.map(() => ++seq), hashes: 'a'.repeat(hashChars * entries.length) };
  };
  return { queue: new AuditQueue({ send, maxWaiting: 1_000, deadlineMs: 1_900 }), groups };
}

test('what several callers append after a group that they waited for goes together into the next', async () => {
  const { queue, groups } = queueOf();
  const caller = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn++) {
      await queue.append('{}');
      // Some come a turn of the event loop later than others.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: 8 }, caller));
  await queue.close();
  assert.equal(
    groups.reduce((sum, size) => sum + size, 0),
    80,
  );
  assert.ok(groups.length <= 20, `80 records of 8 callers took ${groups.length} groups`);
});

test('two halves of the callers that took turns become one group', async () => {
  const { queue, groups } = queueOf();
  const caller = async (_: unknown, index: number): Promise<void> => {
    // The second half comes while the first one's group is on its way.
    if (index >= 4) await new Promise((resolve) => setTimeout(resolve, 2));
    for (let turn = 0; turn < 10; turn++) {
      await queue.append('{}');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  await Promise.all(Array.from({ length: 8 }, caller));
  await queue.close();
  assert.ok(groups.filter((size) => size === 8).length >= 5, `the groups were of ${groups.join(', ')}`);
});

test('one caller never waits for others', async () => {
  const { queue, groups } = queueOf();
  const startedMs = performance.now();
  for (let turn = 0; turn < 20; turn++) await queue.append('{}');
  const eachMs = (performance.now() - startedMs) / 20;
  await queue.close();
  assert.deepEqual(groups, Array<number>(20).fill(1));
  assert.ok(eachMs < 40, `each took ${eachMs} ms`);
});
