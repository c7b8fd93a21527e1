import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { askedOf } from '../../src/call/question.ts';
import { RequestStates, type StateBinding, type Waiting } from '../../src/call/request-state.ts';

const binding: StateBinding = {
  identity: '["t","i","s","c"]',
  endpoint: 'main',
  method: 'tools/call',
  upstream: 'a',
  target: 'echo',
  arguments: 'sha256:0',
};
const waiting = { kind: 'upstream', state: 'secret words', asked: { q: askedOf('roots/list', undefined) }, again: false } satisfies Waiting;
const invalid = { code: 'state.invalid' };

/** Seals under a clock that the test moves. */
function states(): { book: RequestStates; clock: { nowMs: number } } {
  const clock = { nowMs: 1_000_000 };
  return { book: new RequestStates(() => clock.nowMs), clock };
}

test('what was sealed comes back, once it is opened for what it was sealed for', () => {
  const { book } = states();
  const text = book.seal(binding, waiting, 1000);
  assert.match(text, /^[\w-]+$/);
  assert.ok(!Buffer.from(text, 'base64url').toString('latin1').includes('secret'));
  assert.deepEqual(book.open(binding, text).waiting, waiting);
});

test('no other identity, endpoint, method, upstream, target or arguments can use it', () => {
  const { book } = states();
  const text = book.seal(binding, waiting, 1000);
  for (const key of Object.keys(binding) as (keyof StateBinding)[])
    for (const other of ['', `${binding[key]}x`, binding.identity.slice(0, -1)])
      assert.throws(() => book.open({ ...binding, [key]: other }, text), invalid, `${key} ${other}`);
  // Parts that run into each other are not the same as parts.
  assert.throws(() => book.open({ ...binding, upstream: 'a","echo', target: '' }, text), invalid);
});

test('no change of any kind passes', () => {
  const { book } = states();
  const text = book.seal(binding, waiting, 1000);
  fc.assert(
    fc.property(
      fc.nat(text.length - 1),
      fc.constantFrom('A', 'B', 'C', 'x', 'y', 'z', '0', '1', '9', '-', '_', '=', '+', '/', ' '),
      (at, letter) => {
        fc.pre(text[at] !== letter);
        assert.throws(() => book.open(binding, text.slice(0, at) + letter + text.slice(at + 1)), invalid);
      },
    ),
  );
  fc.assert(fc.property(fc.string(), (any) => assert.throws(() => book.open(binding, any), invalid)));
  for (const other of [`${text}A`, `${text}=`, text.slice(1), `${text}${text}`, 'A'.repeat(300_000)])
    assert.throws(() => book.open(binding, other), invalid);
});

test('it is spent once, ends with its time, and is of one process', () => {
  const { book, clock } = states();
  const text = book.seal(binding, waiting, 1000);
  const { nonce } = book.open(binding, text);
  assert.equal(book.open(binding, text).nonce, nonce, 'looking at it spends nothing');
  book.spend(binding, nonce);
  assert.throws(() => book.spend(binding, nonce), invalid);
  assert.throws(() => book.open(binding, text), invalid);
  const late = book.seal(binding, waiting, 1000);
  clock.nowMs += 999;
  book.open(binding, late);
  clock.nowMs += 1;
  assert.throws(() => book.open(binding, late), invalid);
  assert.throws(() => states().book.open(binding, book.seal(binding, waiting, 1000)), invalid);
});

test('two states are never alike; unspent ones are bounded, and one identity takes no room from others', () => {
  const { book } = states();
  const [first, other] = [book.seal(binding, waiting, 1_000_000), book.seal({ ...binding, identity: 'other' }, waiting, 1_000_000)];
  assert.notEqual(book.seal(binding, waiting, 1_000_000), first);
  for (let at = 0; at < 300; at++) book.seal(binding, { kind: 'parked', id: 'p' }, 1_000_000);
  assert.throws(() => book.open(binding, first), invalid);
  book.open({ ...binding, identity: 'other' }, other);
  for (let at = 0; at < 20_000; at++) book.seal({ ...binding, identity: `i${String(at)}` }, { kind: 'parked', id: 'p' }, 1_000_000);
  assert.throws(() => book.open({ ...binding, identity: 'other' }, other), invalid);
});

test('what is too long to be sent back is refused when it is sealed', () => {
  const { book } = states();
  assert.throws(() => book.seal(binding, { ...waiting, state: 'x'.repeat(300_000) }, 1000), { code: 'upstream.too_large' });
});
