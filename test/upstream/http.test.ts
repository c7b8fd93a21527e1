import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { UpstreamMessage } from '../../src/upstream/types.ts';
import {
  answer,
  frame,
  misbehaviours,
  startRecordingUpstream,
  stream,
  textResult,
  type RecordingUpstream,
  type Script,
} from '../support/recording-upstream.ts';
import { coded, options, permit, rig, textOf, until, type Rig } from './support.ts';

describe('a session over Streamable HTTP', () => {
  let server: RecordingUpstream;
  let bench: Rig;
  let serial = 0;
  const fresh = () => bench.owner(`agent-${++serial}`);
  before(async () => {
    server = await startRecordingUpstream();
    bench = await rig([options('rec', server.url, { maxResponseBytes: 200_000, idempotentTools: ['twice'] })]);
  });
  after(async () => {
    await bench.upstreams.close();
    await server.close();
  });
  let callsBefore = 0;
  beforeEach(() => (callsBefore = server.calls('tools/call').length));
  const calls = () => server.calls('tools/call').length - callsBefore;
  const echo = (owner = fresh(), name = 'echo', more = {}) =>
    bench.call('rec', owner, 'tools/call', { name, arguments: { text: 'hello' } }, more);

  test('opens lazily, once, with the agent’s own introduction', async () => {
    const opensBefore = server.calls('initialize').length;
    const owner = bench.owner('introduced', {
      clientInfo: { name: 'me', version: '7' },
      capabilities: { sampling: {} },
      protocolVersion: '2025-06-18',
    });
    const session = bench.upstreams.session('rec', owner);
    assert.equal(server.calls('initialize').length, opensBefore);
    assert.equal(bench.upstreams.session('rec', owner), session);
    const replies = await Promise.all([echo(owner), echo(owner), echo(owner)]);
    assert.deepEqual(replies.map(textOf), Array(3).fill('{"text":"hello"}'));
    const opens = server.calls('initialize').slice(opensBefore);
    assert.equal(opens.length, 1);
    assert.deepEqual(opens[0]!.message.params, {
      protocolVersion: '2025-06-18',
      capabilities: { sampling: {} },
      clientInfo: { name: 'me', version: '7' },
    });
    const call = server.calls('tools/call').at(-1)!;
    assert.equal(call.headers['mcp-protocol-version'], '2025-06-18');
    assert.equal(call.headers['accept'], 'application/json, text/event-stream');
    assert.equal(call.headers['accept-encoding'], 'identity');
    assert.ok(server.sessions.has(String(call.headers['mcp-session-id'])));
  });

  test('an error answer is a reply, not a fault', async () => {
    server.once('tools/call', misbehaviours.errorInBody);
    const reply = await echo();
    assert.deepEqual(reply, {
      kind: 'error',
      error: { code: 42, message: 'no', data: { why: 'x' } },
      bytes: reply.bytes,
      requestId: reply.requestId,
    });
  });

  const rows: readonly (readonly [string, Script, string, boolean | undefined])[] = [
    ['no JSON', misbehaviours.nonJson, 'upstream.protocol', true],
    ['no UTF-8', misbehaviours.nonUtf8, 'upstream.protocol', true],
    ['another id', misbehaviours.wrongId, 'upstream.protocol', true],
    ['the id as a string', misbehaviours.stringId, 'upstream.protocol', true],
    ['an error without an id', misbehaviours.nullIdError, 'upstream.protocol', true],
    ['a batch', misbehaviours.batch, 'upstream.protocol', true],
    ['202 and no answer', misbehaviours.accepted, 'upstream.protocol', true],
    ['a redirect', misbehaviours.redirect, 'upstream.protocol', undefined],
    ['a server error', misbehaviours.serverError, 'upstream.unreachable', true],
    ['401', misbehaviours.unauthorized, 'upstream.credential', undefined],
    ['a flood of bytes', misbehaviours.flood, 'upstream.too_large', true],
    ['a flood of events', misbehaviours.floodEvents, 'upstream.too_large', true],
    ['one endless event', misbehaviours.floodOneEvent, 'upstream.too_large', true],
    ['a stream that is cut', misbehaviours.truncated, 'upstream.unreachable', true],
    ['a reset', misbehaviours.reset, 'upstream.unreachable', true],
    ['the end of the connection', misbehaviours.close, 'upstream.unreachable', true],
    [
      'an answer that inflates beyond the limit',
      ({ response }) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(50_000_000)));
      },
      'upstream.too_large',
      true,
    ],
    [
      'an unknown encoding',
      ({ response }) => void response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip, br' }).end('x'),
      'upstream.protocol',
      true,
    ],
    [
      'both result and error',
      ({ response, request }) =>
        void response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id: request.message.id, result: {}, error: { code: 1, message: '' } })),
      'upstream.protocol',
      true,
    ],
    [
      'a duplicate key',
      ({ response, request }) =>
        void response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(`{"jsonrpc":"2.0","id":${request.message.id},"result":{"a":1,"a":2}}`),
      'upstream.protocol',
      true,
    ],
  ];
  for (const [title, script, code, mayHaveRun] of rows) {
    test(`${title}: ${code}, the call is sent once and the session goes on`, async () => {
      const owner = fresh();
      server.once('tools/call', script);
      await assert.rejects(echo(owner), coded(code, mayHaveRun));
      assert.equal(calls(), 1);
      assert.equal(textOf(await echo(owner)), '{"text":"hello"}');
    });
  }

  for (const [title, script] of [
    ['hangs', misbehaviours.hang],
    ['drips', misbehaviours.drip],
  ] as const) {
    test(`an upstream that ${title} is cut off in time and told`, async () => {
      server.once('tools/call', script);
      const startMs = performance.now();
      await assert.rejects(echo(fresh(), 'echo', { timeoutMs: 150 }), coded('upstream.timeout', true));
      assert.ok(performance.now() - startMs < 1_000);
      const id = server.calls('tools/call').at(-1)!.message.id;
      await until(() => server.calls('notifications/cancelled').some((each) => each.message.params.requestId === id));
    });
  }

  test('an aborted call ends at once and is cancelled upstream under the upstream’s id', async () => {
    server.once('tools/call', misbehaviours.hang);
    const abort = new AbortController();
    const ended = assert.rejects(echo(fresh(), 'echo', { signal: abort.signal }), coded('call.cancelled', true));
    await until(() => calls() === 1);
    abort.abort();
    await ended;
    const id = server.calls('tools/call').at(-1)!.message.id;
    await until(() => server.calls('notifications/cancelled').some((each) => each.message.params.requestId === id));
    await assert.rejects(echo(fresh(), 'echo', { signal: abort.signal }), coded('call.cancelled'));
    assert.equal(calls(), 1);
  });

  test('an event stream may be split anywhere, with CRLF, comments and multi-byte characters', async () => {
    for (const end of ['\n', '\r\n', '\r']) {
      for (const size of [1, 2, 3, 7, 1_000]) {
        server.once('tools/call', async ({ response, request }) => {
          const message = JSON.stringify(textResult(request.message.id, 'häßlich 🦊 \r\n\r\ndata: x'));
          const bytes = Buffer.from(`: hi${end}${end}event: message${end}data: ${message}${end}${end}`);
          stream(response);
          for (let at = 0; at < bytes.length; at += size) {
            response.write(bytes.subarray(at, at + size));
            if (size < 10 && at % 21 === 0) await new Promise(setImmediate);
          }
          response.end();
        });
        assert.equal(textOf(await echo()), 'häßlich 🦊 \r\n\r\ndata: x');
      }
    }
  });

  test('what a call is told comes in order and before its answer; what comes after is dropped', async () => {
    const told: UpstreamMessage[] = [];
    server.once('tools/call', ({ response, request }) => {
      const { id, params } = request.message;
      stream(response);
      response.write(
        frame({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: params._meta.progressToken, progress: 1 } }),
      );
      response.write(frame({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'another', progress: 9 } }));
      response.write(frame({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'a' } }));
      response.write(frame({ jsonrpc: '2.0', id: 'up-1', method: 'sampling/createMessage', params: { messages: [] } }));
      response.write(
        frame(textResult(id, 'first')) +
          frame(textResult(id, 'second')) +
          frame({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'late' } }),
      );
      response.end();
    });
    const owner = fresh();
    const reply = await bench.call(
      'rec',
      owner,
      'tools/call',
      { name: 'echo', arguments: {}, _meta: { progressToken: 'mine', kept: 1 } },
      { onMessage: (message) => told.push(message) },
    );
    assert.equal(textOf(reply), 'first');
    const sent = server.calls('tools/call').at(-1)!.message;
    assert.deepEqual(sent.params._meta, { progressToken: sent.id, kept: 1 });
    const question = told[2] as Extract<UpstreamMessage, { kind: 'request' }>;
    assert.deepEqual(told, [
      { kind: 'notification', method: 'notifications/progress', params: { progressToken: 'mine', progress: 1 } },
      { kind: 'notification', method: 'notifications/message', params: { level: 'info', data: 'a' } },
      { kind: 'request', id: question.id, method: 'sampling/createMessage', params: { messages: [] } },
    ]);
    assert.notEqual(question.id, 'up-1');
    await bench.upstreams.session('rec', owner).notify(permit('rec', { kind: 'reply', to: question.id, result: { role: 'assistant' } }));
    assert.deepEqual(server.requests.at(-1)!.message, { jsonrpc: '2.0', id: 'up-1', result: { role: 'assistant' } });
    await assert.rejects(
      bench.upstreams.session('rec', owner).notify(permit('rec', { kind: 'reply', to: question.id, result: {} })),
      coded('request.invalid'),
    );
    assert.deepEqual(owner.heard, []);
  });

  test('a stream that is kept open after the answer does not hold the call or the connection', async () => {
    let closed = false;
    server.once('tools/call', ({ response, request }) => {
      stream(response).write(frame(textResult(request.message.id, 'now')));
      response.on('close', () => (closed = true));
    });
    assert.equal(textOf(await echo()), 'now');
    await until(() => closed, 3_000);
  });

  test('200 agents that all call at once never get each other’s answer', async () => {
    server.always('tools/call', ({ request, response }) => {
      setTimeout(() => {
        const text = JSON.stringify(request.message.params.arguments);
        if (Math.random() < 0.5) answer(response, request.message.id, { content: [{ type: 'text', text }] });
        else {
          stream(response).write(
            frame({
              jsonrpc: '2.0',
              method: 'notifications/progress',
              params: { progressToken: request.message.params._meta.progressToken, progress: 1, message: text },
            }),
          );
          response.end(frame(textResult(request.message.id, text)));
        }
      }, Math.random() * 30);
    });
    const replies = await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        const told: UpstreamMessage[] = [];
        const reply = await bench.call(
          'rec',
          bench.owner(`crowd-${at}`),
          'tools/call',
          { name: 'echo', arguments: { canary: at }, _meta: { progressToken: 0 } },
          { onMessage: (message) => told.push(message) },
        );
        for (const message of told)
          assert.deepEqual(message.params, { progressToken: 0, progress: 1, message: JSON.stringify({ canary: at }) });
        return textOf(reply);
      }),
    );
    server.always('tools/call', (scene) => scene.behave());
    assert.deepEqual(
      replies,
      Array.from({ length: 200 }, (_, at) => JSON.stringify({ canary: at })),
    );
  });

  test('a permit for another upstream, or one that was used, sends nothing', async () => {
    const session = bench.upstreams.session('rec', fresh());
    const other = permit('other', { kind: 'request', method: 'tools/call', params: {} });
    const once = permit('rec', { kind: 'request', method: 'tools/call', params: { name: 'echo' } });
    const more = { timeoutMs: 1_000, onMessage: () => undefined };
    assert.throws(() => void session.request(other, more), TypeError);
    await session.request(once, more);
    assert.throws(() => void session.request(once, more), TypeError);
    assert.equal(calls(), 1);
    await assert.rejects(
      session.notify(permit('rec', { kind: 'notification', method: 'notifications/cancelled', params: { requestId: 1 } })),
      coded('request.invalid'),
    );
  });
});

test('a session that cannot be opened is an upstream fault, and the call is not sent', async () => {
  const server = await startRecordingUpstream();
  let serial = 0;
  const bench = await rig([options('bad', server.url, { timeoutMs: 300 })]);
  for (const [script, code] of [
    [misbehaviours.serverError, 'upstream.unreachable'],
    [misbehaviours.hang, 'upstream.timeout'],
    [misbehaviours.nonJson, 'upstream.protocol'],
    [misbehaviours.unauthorized, 'upstream.credential'],
    [misbehaviours.redirect, 'upstream.protocol'],
    [
      ({ response, request }) => answer(response, request.message.id, { protocolVersion: '1999-01-01', capabilities: {} }),
      'upstream.protocol',
    ],
  ] as const satisfies readonly (readonly [Script, string])[]) {
    server.always('initialize', script);
    await assert.rejects(bench.call('bad', bench.owner(`owner-${++serial}`), 'tools/call', { name: 'echo' }), coded(code));
  }
  assert.equal(server.calls('tools/call').length, 0);
  await bench.upstreams.close();
  await server.close();
});
