import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../../src/model/ids.ts';

test('a call id is a UUID of version 7, so that later ids sort later', async () => {
  const first = newId('call');
  assert.match(first, /^call_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(newId('call') > first);
});

test('no id occurs twice', () => {
  for (const kind of ['call', 'approval', 'session', 'key'] as const)
    assert.equal(new Set(Array.from({ length: 10_000 }, () => newId(kind))).size, 10_000);
});

test('what is a secret or is guessed at carries no time', () => {
  for (const [kind, prefix] of [
    ['approval', 'apr_'],
    ['session', ''],
    ['key', 'key_'],
  ] as const) {
    const start = (): string => newId(kind).slice(prefix.length, prefix.length + 8);
    assert.notEqual(start(), start());
  }
});
