import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { UpstreamMessage } from '../../src/upstream/types.ts';
import {
  frame,
  misbehaviours,
  startRecordingUpstream,
  stream,
  textResult,
  type RecordingUpstream,
  type Script,
} from '../support/recording-upstream.ts';
import { coded, options, rig, textOf, until, type Rig } from './support.ts';

describe('the life of a session over Streamable HTTP', () => {
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

  test('a cut stream with event ids is resumed from the last one', async () => {
    const told: string[] = [];
    let resumed: string | undefined;
    server.once('tools/call', ({ response, request }) => {
      stream(response).write('id: e1\nretry: 5\ndata:\n\n');
      response.end(frame({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'one' } }, 'e2'));
      server.once('GET', (scene) => {
        resumed = String(scene.request.headers['last-event-id']);
        stream(scene.response).write(frame({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'two' } }, 'e3'));
        scene.response.end(frame(textResult(request.message.id, 'resumed'), 'e4'));
      });
    });
    const reply = await echo(fresh(), 'echo', {
      onMessage: (message: UpstreamMessage) => told.push(JSON.stringify(message.params?.['data'])),
    });
    assert.equal(textOf(reply), 'resumed');
    assert.equal(resumed, 'e2');
    assert.deepEqual(told, ['"one"', '"two"']);
    assert.equal(calls(), 1);
  });

  test('a stream that cannot be resumed ends the call', async () => {
    server.once('tools/call', ({ response }) => void stream(response).end('id: e1\nretry: 5\ndata:\n\n'));
    server.once('GET', ({ response }) => void response.writeHead(405).end());
    await assert.rejects(echo(), coded('upstream.unreachable', true));
    assert.equal(calls(), 1);
  });

  test('a lost session is opened again once for all calls that notice, and each call runs once', async () => {
    const owner = fresh();
    await echo(owner);
    const opens = () => server.calls('initialize').filter((each) => each.message.params.clientInfo.name === 'agent').length;
    const opensBefore = opens();
    server.forgetSessions();
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, at) => bench.call('rec', owner, 'tools/call', { name: 'echo', arguments: { at } })),
    );
    assert.deepEqual(
      replies.map(textOf),
      Array.from({ length: 50 }, (_, at) => JSON.stringify({ at })),
    );
    assert.equal(opens() - opensBefore, 1);
  });

  test('a server that says 400 about the session has lost it too; one that loses it again and again is given up', async () => {
    const owner = fresh();
    await echo(owner);
    server.once(
      'tools/call',
      ({ response }) =>
        void response
          .writeHead(400, { 'content-type': 'application/json' })
          .end('{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}'),
    );
    assert.equal(textOf(await echo(owner)), '{"text":"hello"}');
    callsBefore = server.calls('tools/call').length;
    const lost: Script = ({ response }) => void response.writeHead(404).end();
    server.once('tools/call', lost);
    server.once('tools/call', lost);
    await assert.rejects(echo(owner), coded('upstream.unreachable'));
    assert.equal(calls(), 2);
  });

  for (const [name, sends] of [
    ['echo', 1],
    ['read', 2],
    ['twice', 2],
  ] as const) {
    test(`a reset after the request was sent: \`${name}\` is sent ${sends === 1 ? 'once only' : 'again'}`, async () => {
      server.once('tools/call', misbehaviours.reset);
      const outcome = echo(fresh(), name);
      if (sends === 1) await assert.rejects(outcome, coded('upstream.unreachable', true));
      else assert.equal(textOf(await outcome), '{"text":"hello"}');
      assert.equal(calls(), sends);
    });
  }

  test('a safe call is sent again once, not for ever', async () => {
    server.once('tools/call', misbehaviours.reset);
    server.once('tools/call', misbehaviours.reset);
    await assert.rejects(echo(fresh(), 'read'), coded('upstream.unreachable', true));
    assert.equal(calls(), 2);
  });

  test('an owner that listens hears what belongs to no call, also after the stream broke; others have no stream', async () => {
    const streamsBefore = server.streams;
    await echo();
    assert.equal(server.streams, streamsBefore);
    const owner = bench.owner('listener', { receives: true });
    await echo(owner);
    await until(() => server.streams === streamsBefore + 1);
    server.push({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'a:b' } });
    await until(() => owner.heard.length === 1);
    assert.deepEqual(owner.heard[0], { kind: 'notification', method: 'notifications/resources/updated', params: { uri: 'a:b' } });
    server.push({ jsonrpc: '2.0', id: 5, method: 'ping' });
    await until(() => server.requests.some((request) => request.message.id === 5 && request.message.result !== undefined));
    assert.equal(owner.heard.length, 1);
    bench.upstreams.session('rec', owner).listen(false);
    await until(() => server.streams === streamsBefore);
  });

  test('closing a session ends it upstream and its calls', async () => {
    const owner = fresh();
    await echo(owner);
    const id = String(server.calls('tools/call').at(-1)!.headers['mcp-session-id']);
    server.once('tools/call', misbehaviours.hang);
    const ended = assert.rejects(echo(owner), coded('call.cancelled', true));
    await until(() => calls() === 2);
    await bench.upstreams.release(owner.id);
    await ended;
    assert.ok(!server.sessions.has(id));
    assert.equal(server.requests.filter((request) => request.httpMethod === 'DELETE').length, 1);
  });

  test('an owner that only listens gets its stream back after the upstream forgot the session', async () => {
    const owner = bench.owner('only-listens', { receives: true });
    const streamsBefore = server.streams;
    await echo(owner);
    await until(() => server.streams > streamsBefore);
    server.forgetSessions();
    server.dropStreams();
    await until(() => {
      server.push({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'again' } });
      return owner.heard.length > 0;
    });
  });

  test('integers beyond 2^53 pass both ways unchanged', async () => {
    server.once('tools/call', ({ response, request }) => {
      assert.match(request.body, /"n":12345678901234567890\b/);
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(`{"jsonrpc":"2.0","id":${request.message.id},"result":{"n":12345678901234567890}}`);
    });
    const { parseStrict } = await import('../../src/model/strict-json.ts');
    const params = parseStrict('{"name":"echo","arguments":{"n":12345678901234567890}}', { maxDepth: 8 });
    const reply = await bench.call('rec', fresh(), 'tools/call', params as never);
    assert.equal(JSON.stringify((reply as { result: unknown }).result), '{"n":12345678901234567890}');
  });
});
