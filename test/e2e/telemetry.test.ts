import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHttpReceiver, type HttpReceiver } from '../sinks/receivers.ts';
import { spansIn, type Span } from './otlp-spans.ts';
import { envelope, mirrored } from './modern/modern-agent.ts';
import { startModernServer } from '../support/modern-server.ts';
import { RawAgent, startGatewayFixture } from '../support/gateway.ts';
import { startRecordingUpstream } from '../support/recording-upstream.ts';

function spansOf(receiver: HttpReceiver): Span[] {
  return receiver.taken.filter(({ path }) => path === '/v1/traces').flatMap(({ text }) => spansIn(text));
}

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await done()); tries++) {
    assert.ok(tries < 400, `${what} did not come`);
    await new Promise((wake) => setTimeout(wake, 25));
  }
}

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent = `00-${traceId}-00f067aa0ba902b7-01`;
const canary = 'canary-9f1c';

test('a call is one trace from the agent to the upstream, and metrics and log go the same way', async () => {
  process.env['TEST_OTLP_TOKEN'] = 'otlp-secret-token';
  const [receiver, upstream] = await Promise.all([startHttpReceiver(), startRecordingUpstream()]);
  receiver.answer = () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: '{}' });
  const fixture = await startGatewayFixture({
    upstreams: `  files: { http: { url: "${upstream.url}" } }`,
    logLevel: 'info',
    extra: `telemetry: { otlp: { endpoint: "http://127.0.0.1:${receiver.port}", headers: { authorization: { env: TEST_OTLP_TOKEN } }, logs: true, metrics_interval_ms: 1000 } }`,
  });
  try {
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    const call = { jsonrpc: '2.0', id: 77, method: 'tools/call', params: { name: 'echo', arguments: { text: canary } } };
    assert.equal((await agent.post(call, { traceparent: parent, tracestate: 'rojo=1' })).json.result.isError, undefined);
    const inBody = { ...call, id: 78, params: { ...call.params, _meta: { traceparent: parent.replace('4bf9', '5bf9') } } };
    await agent.post(inBody);
    await agent.post({ ...call, id: 79 });
    const roots = (): Span[] => spansOf(receiver).filter(({ kind, name }) => kind === 2 && name.startsWith('tools/call'));
    await until('the spans', () => roots().length === 3);
    const root = roots().find((span) => span.traceId === traceId)!;
    const children = spansOf(receiver).filter(({ parentSpanId }) => parentSpanId === root.spanId);
    assert.equal(root.name, 'tools/call echo');
    assert.equal(root.parentSpanId, '00f067aa0ba902b7');
    assert.deepEqual(
      children.map(({ name }) => name),
      [
        'authenticate',
        'receive',
        'resolve',
        'build-input',
        'decide',
        'record-decision',
        'tools/call echo',
        'inspect',
        'record-finish',
        'reply',
      ],
    );
    const attributes = Object.fromEntries(root.attributes.map(({ key, value }) => [key, value.stringValue]));
    assert.equal(attributes['mcp.method.name'], 'tools/call');
    assert.equal(attributes['gen_ai.tool.name'], 'echo');
    assert.equal(attributes['castellan.decision.effect'], 'allow');
    const [first, second, third] = upstream.calls('tools/call');
    const send = children.find(({ kind }) => kind === 3)!;
    const outgoing = `00-${traceId}-${send.spanId}-01`;
    assert.equal(first?.headers['traceparent'], outgoing);
    assert.equal(first.headers['tracestate'], 'rojo=1');
    assert.deepEqual(first.message.params._meta, { traceparent: outgoing, tracestate: 'rojo=1' });
    assert.match(second?.message.params._meta.traceparent as string, /^00-5bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)/);
    const begun = roots().find((span) => ![traceId, traceId.replace('4bf9', '5bf9')].includes(span.traceId))!;
    assert.equal(begun.parentSpanId ?? '', '');
    assert.match(String(third?.headers['traceparent']), new RegExp(`^00-${begun.traceId}-`));
    const records = await fixture.records();
    const calls = records.filter(({ record }) => record.what?.method === 'tools/call');
    assert.deepEqual(
      calls.map(({ record }) => record.trace),
      [traceId, traceId.replace('4bf9', '5bf9'), begun.traceId],
    );
    await until('metrics', () => receiver.taken.some(({ path, text }) => path === '/v1/metrics' && text.includes('castellan_calls_total')));
    await until('the log', () => receiver.taken.some(({ path, text }) => path === '/v1/logs' && text.includes('gateway.started')));
    for (const { text, headers } of receiver.taken) {
      assert.equal(headers.authorization, 'otlp-secret-token');
      assert.ok(!text.includes(canary) && !text.includes('otlp-secret-token') && !text.includes('eyJ'), 'no argument and no secret leaves');
    }
  } finally {
    await fixture.close();
    await Promise.all([receiver.stop(), upstream.close()]);
  }
});

test('without telemetry nothing of it is loaded, and upstreams are told nothing', async () => {
  const upstream = await startRecordingUpstream();
  const fixture = await startGatewayFixture({ upstreams: `  files: { http: { url: "${upstream.url}" } }` });
  try {
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    await agent.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: {} } }, { traceparent: parent });
    const [call] = upstream.calls('tools/call');
    assert.equal(call?.headers['traceparent'], undefined);
    assert.equal(call?.message.params._meta, undefined);
    assert.equal((await fixture.records()).find(({ record }) => record.what?.method === 'tools/call')?.record.trace, traceId);
  } finally {
    await fixture.close();
    await upstream.close();
  }
});

test('the era without sessions carries the trace in header and body, from agent to upstream', async () => {
  const [receiver, modern] = await Promise.all([startHttpReceiver(), startModernServer()]);
  receiver.answer = () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: '{}' });
  const fixture = await startGatewayFixture({
    upstreams: `  modern: { http: { url: "${modern.url}" } }`,
    extra: `telemetry: { otlp: { endpoint: "http://127.0.0.1:${receiver.port}", metrics: false } }`,
  });
  try {
    const params = { name: 'echo', arguments: { text: 'hello' } };
    const response = await fetch(fixture.endpoint(), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${await fixture.token()}`,
        ...mirrored('tools/call', params),
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { ...params, _meta: envelope({}, { traceparent: parent, tracestate: 'rojo=1' }) },
      }),
    });
    assert.equal(response.status, 200, await response.text());
    const sent = modern.requests.find(({ body }) => body.includes('"tools/call"'));
    const meta = (JSON.parse(sent?.body ?? '') as { params: { _meta: Record<string, string> } }).params._meta;
    await until('the spans', () => spansOf(receiver).some(({ kind, name }) => kind === 3 && name === 'tools/call echo'));
    const send = spansOf(receiver).find(({ kind, name }) => kind === 3 && name === 'tools/call echo')!;
    assert.equal(send.traceId, traceId);
    assert.equal(sent?.headers['traceparent'], `00-${traceId}-${send.spanId}-01`);
    assert.deepEqual([meta['traceparent'], meta['tracestate']], [`00-${traceId}-${send.spanId}-01`, 'rojo=1']);
    const root = spansOf(receiver).find(({ spanId }) => spanId === send.parentSpanId);
    assert.equal(root?.parentSpanId, '00f067aa0ba902b7');
    const records = await fixture.records();
    assert.equal(records.find(({ record }) => record.what?.method === 'tools/call')?.record.trace, traceId);
  } finally {
    await fixture.close();
    await Promise.all([receiver.stop(), modern.close()]);
  }
});
