import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditQuery, timeOf } from '../../src/cli/audit-filter.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);

test('a time is so long ago, or a date', () => {
  assert.equal(timeOf('--since', '7d', nowMs), nowMs - 7 * 86_400_000);
  assert.equal(timeOf('--since', '90m', nowMs), nowMs - 90 * 60_000);
  assert.equal(timeOf('--since', '2026-11-01', nowMs), Date.UTC(2026, 10, 1));
  assert.equal(timeOf('--since', '2026-11-01T08:00Z', nowMs), Date.UTC(2026, 10, 1, 8));
  for (const wrong of ['', 'yesterday', '7', '7y', '-1d', '2026-13-40'])
    assert.throws(() => timeOf('--since', wrong, nowMs), { code: 'request.invalid' }, wrong);
});

test('options become the query of the admin API', () => {
  const query = auditQuery({ identity: 'zoe', upstream: 'files', rule: 'a/b', since: '1h', text: 'two words' }, nowMs);
  assert.deepEqual(Object.fromEntries(query), {
    identity: 'zoe',
    rule: 'a/b',
    text: 'two words',
    server: 'files',
    since_ms: String(nowMs - 3_600_000),
  });
});
