import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { metaKey } from '../../../src/call/modern-meta.ts';
import { answer, frame, stream, textResult, type Scene } from '../../support/recording-upstream.ts';
import { startRig, until, type Rig } from '../transport/rig.ts';
import { ModernStream } from './listening-modern.ts';
import { messagesOf, ModernAgent } from './modern-agent.ts';

let rig: Rig;
let agent: ModernAgent;

before(async () => {
  rig = await startRig({
    prepare: (upstream) => {
      upstream.capabilities = { tools: {}, logging: {} };
      upstream.always('logging/setLevel', ({ request, response }) => answer(response, request.message.id, {}));
    },
  });
  agent = await ModernAgent.of(rig);
});
after(() => rig.close());

const log = (level: string): string => frame({ jsonrpc: '2.0', method: 'notifications/message', params: { level, data: level } });
const progress = ({ request }: Scene, at: number): string =>
  frame({
    jsonrpc: '2.0',
    method: 'notifications/progress',
    params: { progressToken: request.message.params._meta?.progressToken, progress: at },
  });
/** A call whose upstream tells how it goes before it answers. */
function talking(tell: (scene: Scene) => string): void {
  rig.upstream.once('tools/call', (scene) => {
    stream(scene.response).write(tell(scene));
    scene.response.end(frame(textResult(scene.request.message.id, 'done')));
  });
}

describe('what comes before the answer', { concurrency: false }, () => {
  test('progress flows under the request’s own token, and only where there is one', async () => {
    talking((scene) => progress(scene, 1) + progress(scene, 2));
    const told = messagesOf((await agent.call('echo', {}, { meta: { progressToken: 0 } })).text);
    assert.deepEqual(
      told.map((one) => one.params?.progress),
      [1, 2, undefined],
    );
    assert.deepEqual(
      told.slice(0, 2).map((one) => one.params.progressToken),
      [0, 0],
    );
    talking((scene) => progress(scene, 1));
    const untold = await agent.call('echo');
    assert.equal(untold.headers['content-type'], 'application/json');
  });

  test('log messages flow from the level on that the request asks for, and not at all where it asks for none', async () => {
    const levels = ['debug', 'info', 'warning', 'error'];
    for (const [meta, expected] of [
      [{}, []],
      [{ [metaKey.logLevel]: 'warning' }, ['warning', 'error']],
      [{ [metaKey.logLevel]: 'debug' }, levels],
      [{ [metaKey.logLevel]: 'emergency' }, []],
    ] as const) {
      talking(() => levels.map(log).join(''));
      const told = messagesOf((await agent.call('echo', {}, { meta })).text).filter((one) => one.method === 'notifications/message');
      assert.deepEqual(
        told.map((one) => one.params.level),
        expected,
        JSON.stringify(meta),
      );
    }
    assert.deepEqual(
      rig.upstream.calls('logging/setLevel').map(({ message }) => message.params.level),
      ['warning', 'debug'],
      'the upstream is asked to talk more, never less',
    );
  });

  test('nothing that is of no call comes on a call’s stream, and no request ever', async () => {
    talking(
      () =>
        frame({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'demo://a' } }) +
        frame({ jsonrpc: '2.0', id: 1, method: 'ping' }),
    );
    const { text } = await agent.call('echo', {}, { meta: { progressToken: 'p' } });
    assert.ok(!text.includes('ping') && !text.includes('notifications/resources'), text);
  });

  test('the answer is one stream without anything to resume by; a client that takes JSON alone gets that', async () => {
    talking((scene) => progress(scene, 1));
    const { text } = await agent.call('echo', {}, { meta: { progressToken: 'p' } });
    assert.ok(!/^id: /m.test(text) && !text.includes('retry'), text);
    talking((scene) => progress(scene, 1));
    const plain = await agent.call('echo', {}, { meta: { progressToken: 'p' }, headers: { accept: 'application/json' } });
    assert.equal(plain.headers['content-type'], 'application/json');
    assert.equal(plain.json.result.content[0].text, 'done');
  });

  test('leaving cancels, once; the answer that comes later goes to nobody', async () => {
    const held = new Promise<Scene>((resolve) => {
      rig.upstream.once('tools/call', (scene) => {
        stream(scene.response).write(progress(scene, 1));
        resolve(scene);
      });
    });
    const left = await ModernStream.post(agent, 'tools/call', { name: 'echo', arguments: {} }, { meta: { progressToken: 'p' } });
    const { request, response } = await held;
    await until(() => left.messages.length === 1);
    left.leave();
    const cancelled = (): unknown[] => rig.upstream.calls('notifications/cancelled').map(({ message }) => message.params.requestId);
    await until(() => cancelled().includes(request.message.id), 'cancelled');
    response.end(frame(textResult(request.message.id, 'late')));
    assert.equal((await agent.call('echo', { text: 'next' })).json.result.content[0].text, '{"text":"next"}');
    assert.equal(cancelled().filter((id) => id === request.message.id).length, 1);
  });
});

test('a client that reads slowly is cut off at the cap, which cancels its call, and nobody else feels it', async () => {
  const { hostname, port, pathname } = new URL(agent.raw.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => undefined);
  const { headers, body } = agent.request('tools/call', { name: 'echo', arguments: {} }, { meta: { progressToken: 'p' } });
  const held = new Promise<Scene>((resolve) => rig.upstream.once('tools/call', resolve));
  const lines = [
    `POST ${pathname} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    `authorization: Bearer ${agent.raw.token ?? ''}`,
    'content-type: application/json',
    'accept: application/json, text/event-stream',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`),
    `content-length: ${String(Buffer.byteLength(body))}`,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  socket.pause();
  const scene = await held;
  stream(scene.response);
  const { progressToken } = scene.request.message.params._meta;
  for (let at = 0; at < 200; at++) {
    const params = { progressToken, progress: at, message: 'x'.repeat(60_000) };
    scene.response.write(frame({ jsonrpc: '2.0', method: 'notifications/progress', params }));
    if (at % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const cancelled = (): boolean =>
    rig.upstream.calls('notifications/cancelled').some(({ message }) => message.params.requestId === scene.request.message.id);
  await until(cancelled, 'the cancellation');
  let received = 0;
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('data', (data: Buffer) => (received += data.length));
  socket.resume();
  await closed;
  assert.ok(received > 0 && received < 200 * 60_000, String(received));
  assert.equal((await agent.call('echo', { text: 'next' })).status, 200);
  scene.response.end();
});

test('a call that is silent for 15 s gets a stream that is kept alive, and its answer on that', { timeout: 60_000 }, async () => {
  const held = new Promise<Scene>((resolve) => rig.upstream.once('tools/call', resolve));
  const waiting = ModernStream.post(agent, 'tools/call', { name: 'echo', arguments: {} });
  const scene = await held;
  const silent = await waiting;
  assert.equal(silent.response.headers.get('content-type'), 'text/event-stream');
  await until(() => silent.text.includes(': keep-alive'), 'a comment', 20_000);
  assert.equal(silent.messages.length, 0);
  answer(scene.response, scene.request.message.id, { content: [{ type: 'text', text: 'at last' }] });
  await until(() => silent.ended);
  assert.equal(silent.messages.at(0)?.result.content[0].text, 'at last');
});

test('200 clients that all use id 0 get each its own answer, beside 50 sessions that use it too', async () => {
  rig.upstream.always('tools/call', ({ request, response }) => {
    // Answers come in another order than calls.
    setTimeout(
      () => answer(response, request.message.id, { content: [{ type: 'text', text: request.message.params.arguments.text }] }),
      Math.random() * 40,
    );
  });
  const bob = await ModernAgent.of(rig, 'bob');
  const old = await Promise.all(Array.from({ length: 50 }, (_one, at) => rig.agent({ subject: at % 2 === 0 ? 'alice' : 'bob' })));
  const calls = Array.from({ length: 200 }, async (_one, at) => {
    const text = `canary-${String(at)}`;
    const { json } = await (at % 2 === 0 ? agent : bob).call('echo', { text }, { id: 0 });
    assert.deepEqual([json.id, json.result?.content[0].text], [0, text]);
  });
  const sessions = old.map(async (one, at) => {
    const text = `session-${String(at)}`;
    const { json } = await one.post({ jsonrpc: '2.0', id: 0, method: 'tools/call', params: { name: 'echo', arguments: { text } } });
    assert.deepEqual([json.id, json.result?.content[0].text], [0, text]);
  });
  await Promise.all([...calls, ...sessions]);
});
