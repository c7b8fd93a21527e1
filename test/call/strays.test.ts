import assert from 'node:assert/strict';
import { it, mock } from 'node:test';
import { Strays } from '../../src/call/strays.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';

function account(): { strays: Strays; records: AuditRecord[]; refused: string[]; clock: { nowMs: number } } {
  const records: AuditRecord[] = [];
  const refused: string[] = [];
  const clock = { nowMs: 1_700_000_000_000 };
  const strays = new Strays({
    tenant: 'default',
    audit: { hand: (record) => void records.push(record) },
    onRefused: (code) => void refused.push(code),
    now: () => clock.nowMs,
  });
  return { strays, records, refused, clock };
}

const stray = { upstream: 'rec', form: 'notification', method: 'notifications/progress', why: 'nobody asked' } as const;

it('each message that nobody takes has one record, which says what it was and nothing that it held', () => {
  const { strays, records, refused } = account();
  strays.take({ ...stray, session: 's1', endpoint: 'main' });
  strays.take({ upstream: 'rec', form: 'response', method: undefined, why: 'no call waits for it' });
  assert.deepEqual(records, [
    {
      v: 1,
      kind: 'refused',
      at: '2023-11-14T22:13:20.000Z',
      tenant: 'default',
      session: 's1',
      what: { phase: 'message', method: stray.method, endpoint: 'main', kind: 'notification', server: 'rec', name: stray.method, bytes: 0 },
      event: { code: 'message.unplaced', message: 'nobody asked', detail: { form: 'notification' } },
    },
    {
      v: 1,
      kind: 'refused',
      at: '2023-11-14T22:13:20.000Z',
      tenant: 'default',
      what: { phase: 'message', method: '', endpoint: '', kind: 'unknown', server: 'rec', name: '', bytes: 0 },
      event: { code: 'message.unplaced', message: 'no call waits for it', detail: { form: 'response' } },
    },
  ]);
  assert.deepEqual(refused, ['message.unplaced', 'message.unplaced']);
});

it('an upstream that floods has what is over the bound counted, no other upstream pays for it, and none is lost from the count', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { strays, records, refused, clock } = account();
    for (let i = 0; i < 10_000; i++) strays.take(stray);
    assert.equal(records.length, 100);
    strays.take({ ...stray, upstream: 'other' });
    assert.equal(records.at(-1)?.what?.server, 'other');
    mock.timers.tick(60_000);
    assert.deepEqual(records.at(-1)?.event?.detail, { messages: 9_900 });
    assert.equal(records.at(-1)?.what?.server, 'rec');
    assert.equal(records.length, 102);
    assert.equal(refused.length, 10_001);

    clock.nowMs += 12_000;
    for (let i = 0; i < 5; i++) strays.take(stray);
    assert.equal(records.length, 104, 'ten more a minute');
    strays.close();
    assert.deepEqual(records.at(-1)?.event?.detail, { messages: 3 });
    strays.close();
    mock.timers.tick(60_000);
    assert.equal(records.length, 105);
  } finally {
    mock.timers.reset();
  }
});
