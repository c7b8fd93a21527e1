import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EraBook } from '../../src/upstream/era-book.ts';
import type { Era } from '../../src/upstream/types.ts';

/** A book whose upstream speaks what `speaks` says, and how often it was asked. */
function bookOf(options: { lifeMs?: number; choice?: 'auto' | Era; holds?: () => boolean } = {}) {
  const upstream = { speaks: 'legacy' as Era | undefined, asked: 0, told: [] as Era[] };
  const book = new EraBook({
    choice: options.choice ?? 'auto',
    lifeMs: options.lifeMs ?? 60_000,
    ...(options.holds === undefined ? {} : { holds: options.holds }),
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
