import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EraBook } from '../../src/upstream/era-book.ts';
import type { Dialect, Era } from '../../src/upstream/types.ts';

/** A book whose upstream speaks what `speaks` says, and how often it was asked. */
function bookOf(options: { lifeMs?: number; choice?: 'auto' | Era; holds?: () => boolean; speaksSse?: boolean } = {}) {
  const upstream = { speaks: 'legacy' as Era | undefined, asked: 0, sseAsked: 0, told: [] as Dialect[] };
  const book = new EraBook({
    choice: options.choice ?? 'auto',
    lifeMs: options.lifeMs ?? 60_000,
    ...(options.holds === undefined ? {} : { holds: options.holds }),
    ...(options.speaksSse === undefined
      ? {}
      : {
          speaksSse: async () => {
            upstream.sseAsked++;
            await new Promise(setImmediate);
            return options.speaksSse === true;
          },
        }),
    onFound: (era) => upstream.told.push(era),
    probe: async () => {
      upstream.asked++;
      await new Promise(setImmediate);
      if (upstream.speaks === undefined) throw new Error('down');
      return upstream.speaks;
    },
  });
  return { book, upstream };
}

test('an era is asked for once by all who want to know, and kept', async () => {
  const { book, upstream } = bookOf();
  assert.equal(book.known, undefined);
  assert.deepEqual(await Promise.all([book.find(), book.find(), book.find()]), ['legacy', 'legacy', 'legacy']);
  await book.find();
  assert.deepEqual([upstream.asked, book.known, book.epoch], [1, 'legacy', 0]);
});

test('an upstream that is down has no era, and is asked again', async () => {
  const { book, upstream } = bookOf();
  upstream.speaks = undefined;
  await assert.rejects(book.find());
  upstream.speaks = 'modern';
  assert.equal(await book.find(), 'modern');
});

test('what was found ends after its time, and sessions keep what they began with', async () => {
  const { book, upstream } = bookOf({ lifeMs: 10 });
  await book.find();
  upstream.speaks = 'modern';
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await book.find(), 'modern');
  assert.equal(book.epoch, 0);
  assert.deepEqual(upstream.told, ['legacy', 'modern']);
});

test('while one program serves all it is not asked again; after that all move at once', async () => {
  let isRunning = true;
  const { book, upstream } = bookOf({ lifeMs: 10, holds: () => isRunning });
  await book.find();
  upstream.speaks = 'modern';
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await book.find(), 'legacy');
  isRunning = false;
  assert.equal(await book.find(), 'modern');
  assert.equal(book.epoch, 1);
});

test('an era that proved wrong is forgotten once, however many notice', async () => {
  const { book, upstream } = bookOf();
  await book.find();
  book.forget('legacy');
  book.forget('legacy');
  book.forget('modern');
  assert.deepEqual([book.known, book.epoch], [undefined, 1]);
  upstream.speaks = 'modern';
  assert.equal(await book.find(), 'modern');
  book.forget('legacy');
  assert.equal(book.known, 'modern');
});

test('a configured era is never asked for and never forgotten', async () => {
  const { book, upstream } = bookOf({ choice: 'modern' });
  assert.equal(await book.find(), 'modern');
  book.forget('modern');
  assert.deepEqual([upstream.asked, book.known, book.epoch], [0, 'modern', 0]);
});

test('the older transport is asked for once when initialize was refused, kept, and asked for again after its time', async () => {
  const { book, upstream } = bookOf({ lifeMs: 30, speaksSse: true });
  assert.equal(await book.find(), 'legacy');
  assert.deepEqual(await Promise.all([book.reconsider(), book.reconsider()]), [true, true]);
  assert.deepEqual([upstream.sseAsked, book.known, book.epoch], [1, 'sse', 1]);
  assert.equal(await book.find(), 'sse');
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.equal(await book.find(), 'sse');
  assert.deepEqual([upstream.asked, upstream.sseAsked, book.epoch], [2, 2, 1]);
  upstream.speaks = 'modern';
  book.forget('sse');
  assert.equal(await book.find(), 'modern');
  assert.deepEqual(upstream.told, ['legacy', 'sse', 'modern']);
});

test('an upstream that has no older transport, or is said to be of the modern era, stays what it is', async () => {
  const { book } = bookOf({ speaksSse: false });
  await book.find();
  assert.deepEqual([await book.reconsider(), book.known, book.epoch], [false, 'legacy', 0]);
  const modern = bookOf({ choice: 'modern', speaksSse: true });
  assert.deepEqual([await modern.book.reconsider(), modern.upstream.sseAsked, await modern.book.find()], [false, 0, 'modern']);
  const legacy = bookOf({ choice: 'legacy', speaksSse: true });
  assert.deepEqual([await legacy.book.find(), await legacy.book.reconsider(), await legacy.book.find()], ['legacy', true, 'sse']);
  assert.equal(legacy.upstream.asked, 0);
});
