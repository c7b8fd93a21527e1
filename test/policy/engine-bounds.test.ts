import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineOptions } from '../../src/policy/pool.ts';
import { allowText, Compiler } from './compile.ts';

const compiler = new Compiler();
after(() => compiler.close());

/** Loops on `{"loop": true}`, takes `{"rows": n}` of memory, else allows. */
const source = `
call := ${allowText} if {
	not _loops
	count(numbers.range(1, input.rows)) >= 0
}

_loops if {
	input.loop
	xs := numbers.range(1, 1000)
	some a in xs
	some b in xs
	some c in xs
	c < 0
	b < 0
	a < 0
}`;
const good = '{"rows": 1}';
const looping = '{"loop": true, "rows": 1}';

async function within<T>(
  options: Partial<EngineOptions>,
  work: (engine: Awaited<ReturnType<Compiler['engine']>>, ends: string[]) => Promise<T>,
): Promise<T> {
  const ends: string[] = [];
  const engine = await compiler.engine(source, {
    maxMemoryBytes: 1_024 * 1_048_576,
    onWorkerEnd: (end) => ends.push(end.reason),
    sparesAfterMs: 0,
    ...options,
  });
  await engine.evaluate('gateway/call', good, 1_000);
  // The spare comes up behind the engine; the tests are about what happens when it is there.
  await sleep(400);
  try {
    return await work(engine, ends);
  } finally {
    await engine.close();
  }
}

describe('a deadline', () => {
  test('cuts off a policy that loops; calls around it are answered, and soon', async () => {
    await within({}, async (engine, ends) => {
      const tooks: number[] = [];
      const one = async (): Promise<void> => {
        const asked = performance.now();
        const given = await engine.evaluate('gateway/call', good, 50);
        tooks.push(performance.now() - asked);
        assert.equal(given.ok, true, JSON.stringify(given));
      };
      const crowd = (async () => {
        for (let turn = 0; turn < 100; turn++) {
          await Promise.all([one(), one(), one(), one()]);
          await sleep(2);
        }
      })();
      await sleep(40);
      const asked = performance.now();
      const cut = await engine.evaluate('gateway/call', looping, 50);
      const cutMs = performance.now() - asked;
      await crowd;
      assert.deepEqual([cut.ok, !cut.ok && cut.fault], [false, 'timeout']);
      assert.ok(cutMs < 250, `cut off after ${cutMs} ms`);
      const p99 = tooks.sort((a, b) => a - b)[Math.floor(tooks.length * 0.99)] ?? 0;
      assert.ok(p99 < 200, `p99 of the others is ${p99} ms`);
      assert.deepEqual(ends, ['timeout']);
    });
  });

  test('of a call that waits behind a loop begins when its own evaluation does', async () => {
    await within({}, async (engine) => {
      const given = await Promise.all(
        [looping, good, looping, good, good].map(async (input) => engine.evaluate('gateway/call', input, 40)),
      );
      assert.deepEqual(
        given.map((evaluation) => (evaluation.ok ? 'allow' : evaluation.fault)),
        ['timeout', 'allow', 'timeout', 'allow', 'allow'],
      );
    });
  });

  test('does not run while OPA itself is started for a builtin', async () => {
    const engine = await compiler.engine(`call := ${allowText} if crypto.sha256(input.a) != ""`);
    try {
      assert.equal((await engine.evaluate('gateway/call', '{"a": "x"}', 30)).ok, true);
    } finally {
      await engine.close();
    }
  });
});

describe('memory', () => {
  test('that an evaluation may not have is a fault, and the worker goes on', async () => {
    await within({ maxMemoryBytes: 24 * 1_048_576, recycleGrowthBytes: 1_000_000_000 }, async (engine, ends) => {
      const given = await engine.evaluate('gateway/call', '{"rows": 50000000}', 2_000);
      assert.deepEqual([given.ok, !given.ok && given.fault], [false, 'memory']);
      assert.equal((await engine.evaluate('gateway/call', good, 50)).ok, true);
      assert.deepEqual(ends, []);
    });
  });

  test('that a worker has grown to is given back: a spare takes over between two evaluations', async () => {
    await within({ recycleGrowthBytes: 4 * 1_048_576 }, async (engine, ends) => {
      const given = await Promise.all(['{"rows": 200000}', good, good].map(async (input) => engine.evaluate('gateway/call', input, 2_000)));
      assert.ok(given.every((evaluation) => evaluation.ok));
      assert.equal((await engine.evaluate('gateway/call', good, 50)).ok, true);
      assert.deepEqual(ends, ['recycled']);
    });
  });
});

describe('overload', () => {
  test('is a fault at once where too many wait already', async () => {
    await within({ maxOutstanding: 10 }, async (engine) => {
      const given = await Promise.all(Array.from({ length: 25 }, async () => engine.evaluate('gateway/call', good, 50)));
      assert.deepEqual(
        given.map((evaluation) => (evaluation.ok ? 'allow' : evaluation.fault)),
        [...Array<string>(10).fill('allow'), ...Array<string>(15).fill('overload')],
      );
      assert.equal((await engine.evaluate('gateway/call', good, 50)).ok, true);
    });
  });

  test('is a fault where no worker gets to it in time, and nothing waits for ever', async () => {
    await within({ spares: 0, maxWaitMs: 60 }, async (engine) => {
      const given = await Promise.all([looping, good, looping, good].map(async (input) => engine.evaluate('gateway/call', input, 100)));
      assert.deepEqual(given.map((evaluation) => (evaluation.ok ? 'allow' : evaluation.fault))[0], 'timeout');
      assert.ok(given.slice(1).every((evaluation) => !evaluation.ok && evaluation.fault === 'overload'));
    });
  });
});

describe('closing', () => {
  test('answers what was asked before it, and refuses what comes after', async () => {
    const engine = await compiler.engine(source);
    const asked = Array.from({ length: 200 }, async () => engine.evaluate('gateway/call', good, 1_000));
    const closed = engine.close();
    const late = await engine.evaluate('gateway/call', good, 50);
    assert.deepEqual([late.ok, !late.ok && late.fault], [false, 'no_release']);
    assert.ok((await Promise.all(asked)).every((evaluation) => evaluation.ok));
    await closed;
    await engine.close();
  });
});

test('two workers share the work', async () => {
  await within({ workers: 2 }, async (engine) => {
    const given = await Promise.all(Array.from({ length: 300 }, async () => engine.evaluate('gateway/call', good, 200)));
    assert.ok(given.every((evaluation) => evaluation.ok));
  });
});
