import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { answer, frame, stream, type Scene } from '../../support/recording-upstream.ts';
import { answerOf, call, done, held, log, progress } from './held-call.ts';
import { Listening, type Message } from './listening.ts';
import { assertServes, startRig, until, type Rig } from './rig.ts';

let rig: Rig;

before(async () => {
  rig = await startRig({
    prepare: (upstream) => {
      upstream.capabilities = { tools: { listChanged: true }, resources: { subscribe: true, listChanged: true } };
      upstream.always('resources/list', ({ request, response }) => answer(response, request.message.id, { resources: [] }));
      upstream.always('resources/templates/list', ({ request, response }) =>
        answer(response, request.message.id, { resourceTemplates: [] }),
      );
    },
  });
});
after(() => rig.close());

describe('streams', { concurrency: false }, () => {
  test('progress and log messages reach the agent before the answer, in order, under its own token', async () => {
    for (const [id, token] of [
      [0, 0],
      ['0', 'text'],
      [7, 9_007_199_254_740_991],
    ] as const) {
      const agent = await rig.agent();
      rig.upstream.once('tools/call', (scene) => {
        stream(scene.response);
        for (let at = 0; at < 50; at++) scene.response.write(at % 2 === 0 ? progress(scene, at) : log(at));
        scene.response.end(done(scene));
      });
      const listening = await Listening.post(agent, call(id, token));
      await listening.done;
      assert.deepEqual(
        listening.messages.slice(0, 50).map(({ params }) => params.progress ?? params.data),
        Array.from({ length: 50 }, (_one, at) => at),
      );
      for (const { method, params } of listening.messages.slice(0, 50))
        if (method === 'notifications/progress') assert.equal(params.progressToken, token);
      assert.deepEqual([listening.messages[50]?.id, listening.messages[50]?.result.content[0].text], [id, 'done']);
      assert.equal(listening.messages.length, 51);
    }
  });

  test('progress of another call never reaches an agent', async () => {
    const [first, second] = [await rig.agent(), await rig.agent({ subject: 'bob' })];
    const one = await held(rig, first);
    const two = await held(rig, second);
    // The token of the other connection, and one that nobody has.
    two.scene.response.write(frame({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 999, progress: 1 } }));
    two.scene.response.write(frame({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'p', progress: 1 } }));
    two.scene.response.write(progress(two.scene, 2));
    two.scene.response.end(done(two.scene, 'two'));
    one.scene.response.write(progress(one.scene, 1));
    one.scene.response.end(done(one.scene, 'one'));
    const [a, b] = [await one.listening, await two.listening];
    await Promise.all([a.done, b.done]);
    assert.deepEqual(
      a.messages.map((message) => message.params?.progress ?? message.result.content[0].text),
      [1, 'one'],
    );
    assert.deepEqual(
      b.messages.map((message) => message.params?.progress ?? message.result.content[0].text),
      [2, 'two'],
    );
  });

  test('a cancellation reaches the upstream under the upstream’s id, also for id 0; another session’s does not', async () => {
    const [agent, other] = [await rig.agent(), await rig.agent({ subject: 'bob' })];
    for (const id of [0, 'zero', 5]) {
      const { listening, scene } = await held(rig, agent, id);
      scene.response.write(log('begun'));
      const heard = await listening;
      const before = rig.upstream.calls('notifications/cancelled').length;
      await other.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
      await agent.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'another' } });
      assert.equal(rig.upstream.calls('notifications/cancelled').length, before);
      await agent.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason: 'enough' } });
      await until(() => rig.upstream.calls('notifications/cancelled').length === before + 1);
      assert.equal(rig.upstream.calls('notifications/cancelled').at(-1)?.message.params.requestId, scene.request.message.id);
      await heard.done;
      assert.match(answerOf(heard)?.result.content[0].text, /cancelled/);
    }
  });

  test('an agent that disconnects has not cancelled: the call goes on, and its answer waits', async () => {
    const agent = await rig.agent();
    const { listening, scene } = await held(rig, agent);
    scene.response.write(progress(scene, 1));
    const heard = await listening;
    await until(() => heard.messages.length === 1);
    const cancelled = rig.upstream.calls('notifications/cancelled').length;
    const lastId = heard.lastId ?? '';
    heard.close();
    await heard.done;
    for (let at = 2; at < 20; at++) scene.response.write(progress(scene, at));
    const resumed = await Listening.open(agent, { 'last-event-id': lastId });
    await until(() => resumed.messages.length === 18);
    scene.response.write(progress(scene, 20));
    resumed.close();
    scene.response.end(done(scene, 'after all'));
    await until(async () => (await rig.recordsAfter(0)).length > 0);
    const last = await Listening.open(agent, { 'last-event-id': resumed.lastId ?? '' });
    await last.done;
    const heardAll = [...heard.messages, ...resumed.messages, ...last.messages];
    assert.deepEqual(
      heardAll.map((message) => message.params?.progress ?? message.result.content[0].text),
      [...Array.from({ length: 20 }, (_one, at) => at + 1), 'after all'],
    );
    assert.equal(rig.upstream.calls('notifications/cancelled').length, cancelled);
    const again = await Listening.open(agent, { 'last-event-id': lastId });
    await again.done;
    assert.equal(again.messages.length, 20, 'and it can be read again');
  });

  test('an event id that is not kept, not ours or of another session is refused', async () => {
    const [agent, other] = [await rig.agent(), await rig.agent({ subject: 'bob' })];
    rig.upstream.once('tools/call', (scene) => {
      stream(scene.response).write(log('x'));
      scene.response.end(done(scene));
    });
    const heard = await Listening.post(agent, call(1));
    await heard.done;
    for (const id of ['nonsense', 's99_0', `${heard.ids[0]?.split('_')[0] ?? ''}_999`, '__proto___1', `${'9'.repeat(80)}_1`, ''])
      await rig.refused(id, id === '' ? { status: 400, code: 'request.invalid' } : { status: 400, code: 'request.invalid' }, () =>
        rig.http(agent, { method: 'GET', headers: { 'last-event-id': id } }),
      );
    await rig.refused('of another session', { status: 400, code: 'request.invalid' }, () =>
      rig.http(other, { method: 'GET', headers: { 'last-event-id': heard.ids[0] ?? '' } }),
    );
  });

  test('the stream of a session is one: a second is refused, and it can be opened again', async () => {
    const agent = await rig.agent();
    const first = await Listening.open(agent);
    await rig.refused('a second', { status: 409, code: 'session.stream_taken' }, () => rig.http(agent, { method: 'GET' }));
    first.close();
    await first.done;
    let second: Listening | undefined;
    await until(async () => (second = await Listening.open(agent).catch(() => undefined)) !== undefined);
    second?.close();
  });

  test('agents that listen hear of changed lists: the upstream’s, the policy’s, the configuration’s', async () => {
    const agent = await rig.agent();
    const listening = await Listening.open(agent);
    const heard = async (kind: string, act: () => unknown): Promise<void> => {
      const before = listening.messages.length;
      await act();
      await until(
        () => listening.methods().slice(before).includes(`notifications/${kind}/list_changed`),
        `list_changed of ${kind}`,
        15_000,
      );
    };
    await heard('tools', () => {
      rig.upstream.tools = [...rig.upstream.tools, { name: 'fresh', inputSchema: { type: 'object' } }];
      rig.upstream.push({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    });
    const names = async (): Promise<string[]> =>
      ((await agent.request('tools/list')).result.tools as { name: string }[]).map(({ name }) => name);
    assert.deepEqual((await names()).sort(), ['echo', 'fresh', 'read']);
    const file = join(rig.gateway.policyFolder, 'gateway/gateway.rego');
    const policy = await readFile(file, 'utf8');
    await heard('tools', () =>
      writeFile(
        file,
        policy.replace('some tool in object.get(input, "tools", [])]', 'some tool in object.get(input, "tools", []); tool.name != "read"]'),
      ),
    );
    assert.deepEqual((await names()).sort(), ['echo', 'fresh']);
    const config = await readFile(rig.gateway.configPath, 'utf8');
    await heard('tools', () =>
      writeFile(rig.gateway.configPath, config.replace('upstreams: [{ name: rec }]', 'upstreams: [{ name: rec, exclude: [fresh] }]')),
    );
    assert.deepEqual(await names(), ['echo']);
    await writeFile(file, policy);
    await until(async () => (await names()).length === 2, 'the first policy again', 15_000);
    listening.close();
  });

  test('a subscribed resource’s updates come on the agent’s stream, also after it was resumed', async () => {
    const agent = await rig.agent();
    let listening = await Listening.open(agent);
    assert.deepEqual(
      (await agent.request('resources/subscribe', { uri: 'demo://one' })).result?._meta?.['castellan/decision']?.effect,
      'allow',
    );
    const updated = (at: number): object => ({
      jsonrpc: '2.0',
      method: 'notifications/resources/updated',
      params: { uri: `demo://${String(at)}` },
    });
    const streams = rig.upstream.streams;
    assert.ok(streams >= 1);
    const own = (): Message[] => listening.messages.filter(({ method }) => method === 'notifications/resources/updated');
    for (let at = 0; at < 3; at++) {
      rig.upstream.push(updated(at));
      await until(() => own().some(({ params }) => params.uri === `demo://${String(at)}`), `update ${String(at)}`);
      const lastId = listening.lastId ?? '';
      listening.close();
      await listening.done;
      // The upstream's own stream for this agent closes with it, and opens again.
      await until(() => rig.upstream.streams < streams, 'the upstream’s stream to close');
      listening = await Listening.open(agent, { 'last-event-id': lastId });
      await until(() => rig.upstream.streams === streams, 'the upstream’s stream to open again');
    }
    listening.close();
  });

  test('an agent that reads slowly is cut off at the cap, and nobody else feels it', async () => {
    const agent = await rig.agent();
    const { hostname, port, pathname } = new URL(agent.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => undefined);
    const body = JSON.stringify(call(1));
    const scene = new Promise<Scene>((resolve) => rig.upstream.once('tools/call', resolve));
    const lines = [
      `POST ${pathname} HTTP/1.1`,
      `host: ${hostname}:${port}`,
      `authorization: Bearer ${agent.token ?? ''}`,
      `mcp-session-id: ${agent.session ?? ''}`,
    ];
    socket.write(
      `${[...lines, 'content-type: application/json', 'accept: application/json, text/event-stream', `content-length: ${String(body.length)}`].join('\r\n')}\r\n\r\n${body}`,
    );
    socket.pause();
    const { response } = await scene;
    stream(response);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    for (let at = 0; at < 200; at++) {
      response.write(log('x'.repeat(60_000)));
      if (at % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    let received = 0;
    socket.on('data', (data: Buffer) => (received += data.length));
    socket.resume();
    await closed;
    assert.ok(received > 0 && received < 200 * 60_000, String(received));
    await assertServes(await rig.agent());
    response.end();
  });

  for (const kibibytes of [4, 64, 256, 1024])
    test(`a result of ${String(kibibytes)} KiB arrives whole, as JSON and over a stream`, async () => {
      const agent = await rig.agent();
      const text = 'é"\\\n'.repeat((kibibytes * 1024) / 4).slice(0, kibibytes * 1024 - 200);
      for (const begins of [false, true]) {
        rig.upstream.once('tools/call', (scene) => {
          stream(scene.response);
          if (begins) scene.response.write(log('begins'));
          scene.response.end(done(scene, text));
        });
        const answer = await agent.post(call(1));
        assert.equal(answer.headers.get('content-type'), begins ? 'text/event-stream' : 'application/json');
        assert.ok(answer.json.result.content[0].text === text);
      }
    });
});
