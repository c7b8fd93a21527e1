import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import type { Effect } from '../../src/model/decision.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { cefLine } from '../../src/sinks/cef.ts';
import { decisionEvent } from '../../src/sinks/decision-event.ts';
import { ocsfEvent } from '../../src/sinks/ocsf.ts';
import { syslogMessage } from '../../src/sinks/syslog.ts';
import { decided, finished } from '../audit/records.ts';
import { ocsfProblems } from './ocsf-schema.ts';
import { product, sinkRecord } from './receivers.ts';

const system: AuditRecord = {
  v: 1,
  kind: 'system',
  at: '2026-01-01T00:00:00.000Z',
  tenant: 'default',
  event: { code: 'gateway.started', message: 'up' },
};
const refused: AuditRecord = {
  ...system,
  kind: 'refused',
  ip: '192.0.2.9',
  event: { code: 'auth.required', message: 'no token', detail: { endpoint: 'main' } },
};
const admin: AuditRecord = {
  ...system,
  kind: 'admin',
  who: { issuer: 'i', subject: 's', client: 'c', groups: [] },
  event: { code: 'keys.create', message: 'keys.create' },
};
const all: readonly AuditRecord[] = [
  decided(0),
  decided(1),
  finished(1),
  finished(2, { outcome: { status: 'upstream_error', error_code: 'upstream.timeout', bytes: 0, total_ms: 5 } }),
  system,
  refused,
  admin,
];

/** A decision with an effect, and how it is told: action, disposition, status, severity. */
const verdicts: readonly (readonly [effect: Effect, more: object, ...(readonly [number, number, number, number])])[] = [
  ['allow', {}, 1, 1, 1, 1],
  ['redact', {}, 4, 11, 1, 1],
  ['require_approval', {}, 4, 14, 99, 2],
  ['deny', {}, 2, 2, 2, 3],
  ['allow', { enforced: false }, 1, 1, 1, 1],
  ['deny', { enforced: false }, 3, 15, 1, 2],
  ['require_approval', { enforced: false }, 3, 15, 1, 2],
];

function withEffect(effect: Effect, more: object): AuditRecord {
  const record = decided(1);
  return { ...record, trace: '0af7651916cd43dd8448eb211c80319c', decision: { ...record.decision!, effect, ...more } };
}

test('every kind of record is a valid API Activity of OCSF 1.4', () => {
  for (const [index, record] of [...all, ...verdicts.map(([effect, more]) => withEffect(effect, more))].entries())
    assert.deepEqual(ocsfProblems(ocsfEvent(sinkRecord(index + 1, record), product)), [], record.kind);
});

test('an OCSF event says what was decided, and whether it was done', () => {
  for (const [effect, more, ...told] of verdicts) {
    const event = ocsfEvent(sinkRecord(1, withEffect(effect, more)), product);
    const given = [event['action_id'], event['disposition_id'], event['status_id'], event['severity_id']];
    assert.deepEqual(given, told, `${effect} ${JSON.stringify(more)}`);
    assert.equal((event['policy'] as { is_applied: boolean }).is_applied, !('enforced' in more));
    assert.deepEqual(event['trace'], { uid: '0af7651916cd43dd8448eb211c80319c' });
  }
  assert.equal(ocsfEvent(sinkRecord(1, decided(0)), product)['type_uid'], 600_399);
  assert.deepEqual(ocsfEvent(sinkRecord(2, decided(1)), product)['resources'], [{ name: 'write_file', type: 'tool' }]);
  const failed = ocsfEvent(
    sinkRecord(3, finished(2, { outcome: { status: 'upstream_error', error_code: 'upstream.timeout', bytes: 0, total_ms: 5 } })),
    product,
  );
  assert.deepEqual([failed['status_id'], failed['severity_id'], failed['status_code']], [2, 2, 'upstream.timeout']);
});

test('the checker of OCSF events finds what is wrong', () => {
  const event = ocsfEvent(sinkRecord(1, withEffect('deny', {})), product);
  const { actor: _actor, ...without } = event;
  const metadata = event['metadata'] as JsonObject;
  const wrong: readonly JsonObject[] = [
    { ...event, time: 'now' },
    { ...event, type_uid: 1 },
    { ...event, shade: 'blue' },
    { ...event, action_id: 5 },
    { ...event, severity: 'High' },
    { ...event, resources: [{ type: 'tool' }] },
    { ...event, src_endpoint: { ip: 'localhost' } },
    { ...event, api: {} },
    { ...event, metadata: { ...metadata, version: '1.3.0' } },
    { ...event, metadata: { ...metadata, profiles: ['trace'] } },
    without,
  ];
  for (const one of wrong) assert.notDeepEqual(ocsfProblems(one), [], JSON.stringify(one));
});

test('a CEF line has seven header fields and can be read back, whatever is in the names', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), (name, message) => {
      const record = decided(1);
      const hard: AuditRecord = {
        ...record,
        what: { ...record.what!, name: `a|b\\c=d\n${name}` },
        decision: { ...record.decision!, reasons: [{ rule: 'r', effect: 'allow', message }] },
      };
      const line = cefLine(sinkRecord(7, hard), product);
      assert.ok(!/[\r\n]/.test(line));
      const fields = cefFields(line);
      assert.equal(fields.length, 8, line);
      assert.equal(fields[0], 'CEF:0');
      assert.match(fields[7]!, /(?:^| )externalId=7(?: |$)/);
    }),
    { numRuns: 100 },
  );
});

test('a syslog message has the header of RFC 5424', () => {
  const message = syslogMessage(sinkRecord(3, decided(0)), { format: 'castellan' }, product);
  const [, priority, at, host, id, rest] = /^<(\d+)>1 (\S+) (\S+) castellan \d+ (\S+) (.+)$/.exec(message) ?? [];
  assert.equal(priority, String(13 * 8 + 4));
  assert.equal(at, decided(0).at);
  assert.equal(host, 'gateway-1');
  assert.equal(id, 'decided');
  const [, data, body] = /^(\[castellan@32473 seq="3" [^\]]+\]) \ufeff(.+)$/.exec(rest!) ?? [];
  assert.match(data!, / call="call_0"\]$/);
  assert.deepEqual(JSON.parse(body!), { ...sinkRecord(3, decided(0)) });
});

test('a decision is an event as OPA writes it, with its input only where it is wanted', () => {
  const labels = { id: 'gateway-1', version: '1.2.3', app: 'castellan' };
  const input = { state: 'masked', json: '{"a":1}', pointers: ['/arguments/card'] } as const;
  const event = decisionEvent({ ...sinkRecord(5, decided(1)), input }, labels, true)!;
  assert.deepEqual(event['labels'], labels);
  assert.equal(event['decision_id'], 'call_1');
  assert.equal(event['path'], 'gateway/call');
  assert.equal(event['timestamp'], decided(1).at.replace('Z', '000000Z'));
  assert.deepEqual(event['bundles'], { gateway: { revision: 'r1' } });
  assert.deepEqual([event['input'], event['masked']], [{ a: 1 }, ['/input/arguments/card']]);
  assert.deepEqual(decisionEvent({ ...sinkRecord(5, decided(1)), input: { state: 'absent', why: 'expired' } }, labels, true)?.['erased'], [
    '/input',
  ]);
  assert.equal(Object.hasOwn(decisionEvent({ ...sinkRecord(5, decided(1)), input }, labels, false)!, 'input'), false);
  assert.equal(decisionEvent(sinkRecord(6, finished(1)), labels, true), undefined);
});

/** The header's fields and the extension: a pipe behind a backslash is part of a field. */
function cefFields(line: string): string[] {
  const found: string[] = [];
  let start = 0;
  for (let at = 0; at < line.length && found.length < 7; at++) {
    if (line[at] === '\\') at++;
    else if (line[at] === '|') {
      found.push(line.slice(start, at));
      start = at + 1;
    }
  }
  return [...found, line.slice(start)];
}
