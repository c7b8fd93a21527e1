import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallTrace } from '../../src/observe/call-trace.ts';
import { isSampled, newTraceId, readTraceparent, readTracestate } from '../../src/observe/trace-context.ts';
import { decided, finished } from '../audit/records.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent = `00-${traceId}-00f067aa0ba902b7-01`;

test('a traceparent is read as W3C says, and everything else is none', () => {
  assert.deepEqual(readTraceparent(parent), { traceId, spanId: '00f067aa0ba902b7', sampled: true });
  assert.equal(readTraceparent(parent.replace(/01$/, '00'))?.sampled, false);
  assert.equal(readTraceparent(`cc${parent.slice(2)}-what-comes-later`)?.traceId, traceId, 'a later version has more');
  const wrong = [
    '',
    'ff' + parent.slice(2),
    parent.toUpperCase(),
    `${parent}-x`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `${parent}\n`,
    7,
    undefined,
  ];
  for (const text of wrong) assert.equal(readTraceparent(text), undefined, String(text));
  assert.equal(readTracestate('a=b\r\nx: y'), undefined);
  assert.equal(readTracestate('x'.repeat(513)), undefined);
});

test('a share of the traces that begin here is kept, and the same ones everywhere', () => {
  const ids = Array.from({ length: 4_000 }, newTraceId);
  assert.ok(ids.every((id) => isSampled(id, 1) && !isSampled(id, 0)));
  const kept = ids.filter((id) => isSampled(id, 0.25));
  assert.ok(kept.length > 800 && kept.length < 1_200, `${kept.length}`);
  assert.ok(kept.every((id) => isSampled(id, 0.5)));
});

test('spans are a tree under the agent’s, with what was decided and nothing of what was said', () => {
  const trace = new CallTrace({ traceparent: parent, tracestate: 'rojo=1' }, 0);
  trace.message('tools/call', 7, undefined);
  trace.stage('decide', 0.1);
  trace.record(decided(0));
  trace.stage('send', 1);
  trace.record(decided(5, { what: { ...decided(5).what!, method: 'sampling/createMessage', phase: 'message' } }));
  trace.record(finished(0, { outcome: { status: 'upstream_error', error_code: 'upstream.timeout', bytes: 0, total_ms: 1 } }));
  const [root, decide, send] = trace.finish(200);
  assert.equal(root?.name, 'tools/call read_file');
  assert.equal(root.kind, 'server');
  assert.deepEqual(root.parent, { traceId, spanId: '00f067aa0ba902b7', sampled: true });
  assert.equal(root.error, 'upstream.timeout');
  assert.deepEqual(decide?.parent, root.context);
  assert.equal(send?.kind, 'client');
  assert.equal(send.error, 'upstream.timeout');
  assert.equal(trace.outgoing, `00-${traceId}-${send.context.spanId}-01`);
  assert.equal(trace.tracestate, 'rojo=1');
  for (const span of [decide, send]) assert.ok(span.startMs >= root.startMs && span.endMs <= root.endMs);
  assert.equal(root.attributes['castellan.decision.effect'], 'deny');
  assert.equal(root.attributes['jsonrpc.request.id'], '7');
});

test('a step of a stage is a span of its own name, and an approval is named', () => {
  const trace = new CallTrace({ traceparent: undefined, tracestate: undefined }, 1);
  trace.stage('act', 5, 'hold');
  trace.record(decided(0, { approval: { id: 'apr_1', state: 'pending' } }));
  const [root, hold] = trace.finish(200);
  assert.deepEqual([hold?.name, hold?.attributes], ['hold', { 'castellan.stage': 'act' }]);
  assert.deepEqual([root?.attributes['castellan.approval.id'], root?.attributes['castellan.approval.state']], ['apr_1', 'pending']);
});

test('the context in the message is the parent, and that of the header a link', () => {
  const header = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const trace = new CallTrace({ traceparent: header, tracestate: undefined }, 1);
  trace.message('tools/call', 1, { traceparent: parent, tracestate: undefined });
  assert.equal(trace.traceId, traceId);
  const [root] = trace.finish(200);
  assert.equal(root?.parent?.spanId, '00f067aa0ba902b7');
  assert.equal(root.link?.spanId, 'b'.repeat(16));
});

test('a trace that is not sampled is handed on as such and makes no span', () => {
  const trace = new CallTrace({ traceparent: parent.replace(/01$/, '00'), tracestate: undefined }, 1);
  trace.stage('decide', 1);
  assert.deepEqual(trace.finish(200), []);
  assert.match(trace.outgoing, /-00$/);
});
