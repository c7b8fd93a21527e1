import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { metaKey } from '../../../src/call/modern-meta.ts';
import { flatPolicy } from '../../support/gateway.ts';
import { answer } from '../../support/recording-upstream.ts';
import { startRig, until, type Rig } from '../transport/rig.ts';
import { ModernStream } from './listening-modern.ts';
import { ModernAgent } from './modern-agent.ts';

/** Resources with `secret` in their URI may be neither subscribed to nor told of. */
const policy = Object.fromEntries(
  Object.entries(flatPolicy('allow')).map(([path, text]) => [
    path,
    text.replace(/^(call|message) := (.*)$/gm, (_all, entry: string, decision: string) => {
      const denied = decision.replaceAll('"allow"', '"deny"');
      return `default ${entry} := ${decision}\n\n${entry} := ${denied} if {\n\tinput.request.method != "subscriptions/listen"\n\tcontains(input.target.name, "secret")\n}`;
    }),
  ]),
);

let rig: Rig;
let agent: ModernAgent;
const id = (stream: ModernStream): unknown[] => stream.messages.map((message) => message.params?._meta?.[metaKey.subscriptionId]);

before(async () => {
  rig = await startRig({
    policy,
    prepare: (upstream) => {
      upstream.capabilities = { tools: { listChanged: true }, resources: { listChanged: true, subscribe: true } };
      upstream.always('resources/list', ({ request, response }) =>
        answer(response, request.message.id, { resources: [{ uri: 'demo://a', name: 'a' }] }),
      );
      upstream.always('resources/templates/list', ({ request, response }) =>
        answer(response, request.message.id, { resourceTemplates: [] }),
      );
      for (const method of ['resources/subscribe', 'resources/unsubscribe'])
        upstream.always(method, ({ request, response }) => answer(response, request.message.id, {}));
    },
  });
  agent = await ModernAgent.of(rig);
});
after(() => rig.close());

const open = (notifications: object, streamId: string | number = 0): Promise<ModernStream> =>
  ModernStream.post(agent, 'subscriptions/listen', { notifications }, { id: streamId });

describe('subscriptions/listen', { concurrency: false }, () => {
  test('says first what it will carry, under its own id, and leaves out what there is not', async () => {
    const stream = await open(
      { toolsListChanged: true, promptsListChanged: true, resourceSubscriptions: ['demo://a', 'demo://secret'] },
      0,
    );
    await until(() => stream.messages.length === 1);
    assert.deepEqual(stream.messages[0], {
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { toolsListChanged: true, resourceSubscriptions: ['demo://a'] }, _meta: { [metaKey.subscriptionId]: 0 } },
    });
    assert.equal(stream.response.headers.get('x-accel-buffering'), 'no');
    assert.ok(!stream.text.includes('id: '), 'nothing to resume by');
    stream.leave();
  });

  test('carries changed lists to who asked for them, and nothing else', async () => {
    const [tools, resources] = [await open({ toolsListChanged: true }, 't'), await open({ resourcesListChanged: true }, 'r')];
    await until(() => tools.messages.length + resources.messages.length === 2);
    rig.upstream.tools = [...rig.upstream.tools, { name: 'new', inputSchema: { type: 'object' } }];
    rig.upstream.push({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    await until(() => tools.messages.length === 2, 'the changed list');
    assert.deepEqual([tools.methods[1], id(tools)], ['notifications/tools/list_changed', ['t', 't']]);
    assert.equal(resources.messages.length, 1);
    for (const stream of [tools, resources]) stream.leave();
  });

  test('carries resources that were judged one by one, to each stream that named them', async () => {
    const [one, two] = [
      await open({ resourceSubscriptions: ['demo://a'] }, 1),
      await open({ resourceSubscriptions: ['demo://a', 'demo://b'] }, 2),
    ];
    await until(() => one.messages.length + two.messages.length === 2);
    const subscribed = rig.upstream.calls('resources/subscribe').map(({ message }) => message.params.uri);
    assert.ok(!subscribed.includes('demo://secret'));
    await until(() => rig.upstream.streams > 1, 'the upstream’s own stream');
    const push = (uri: string): void => rig.upstream.push({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } });
    push('demo://secret/x');
    push('demo://c');
    push('demo://b/part');
    push('demo://a');
    await until(() => two.messages.length === 3 && one.messages.length === 2, 'updates');
    assert.deepEqual(
      two.messages.slice(1).map(({ params }) => params.uri),
      ['demo://b/part', 'demo://a'],
    );
    assert.deepEqual(
      one.messages.slice(1).map(({ params }) => params.uri),
      ['demo://a'],
    );
    assert.deepEqual(
      [id(one), id(two)],
      [
        [1, 1],
        [2, 2, 2],
      ],
    );
    const before = rig.upstream.calls('resources/unsubscribe').length;
    one.leave();
    two.leave();
    await until(() => rig.upstream.calls('resources/unsubscribe').length === before + 2, 'unsubscribed, each once');
  });

  test('carries no question and no log message', async () => {
    const stream = await open({ toolsListChanged: true, resourceSubscriptions: ['demo://a'] });
    await until(() => stream.messages.length === 1);
    rig.upstream.push({ jsonrpc: '2.0', id: 'q', method: 'roots/list' });
    rig.upstream.push({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'error', data: 'x' } });
    await until(
      () => rig.upstream.requests.some(({ message }) => message.id === 'q' && message.error !== undefined),
      'the question is refused',
    );
    assert.equal(stream.messages.length, 1);
    stream.leave();
  });

  test('with nothing to carry ends at once, in order', async () => {
    const stream = await open({ promptsListChanged: true }, 'none');
    await until(() => stream.ended);
    assert.deepEqual(
      stream.messages.map(({ method }) => method),
      ['notifications/subscriptions/acknowledged', undefined],
    );
    assert.equal(stream.messages.at(1)?.result._meta[metaKey.subscriptionId], 'none');
    assert.equal(stream.messages.at(1)?.result.resultType, 'complete');
  });

  test('is one record, with one more for each resource', async () => {
    const seq = await rig.lastSeq();
    const stream = await open({ resourceSubscriptions: ['demo://one', 'demo://secret'] });
    await until(() => stream.messages.length === 1);
    assert.deepEqual(
      (await rig.recordsAfter(seq)).map((record) => [record.what?.method, record.what?.name, record.decision?.effect]),
      [
        ['subscriptions/listen', 'subscriptions/listen', 'allow'],
        ['resources/subscribe', 'demo://one', 'allow'],
        ['resources/subscribe', 'demo://secret', 'deny'],
      ],
    );
    const left = rig.upstream.calls('resources/unsubscribe').length;
    stream.leave();
    await until(() => rig.upstream.calls('resources/unsubscribe').length > left, 'unsubscribed');
  });

  test('asks for what can be read', async () => {
    const bad = { status: 200, rpc: -32602, code: 'rpc.params' };
    for (const notifications of [
      undefined,
      'all',
      { toolsListChanged: 'yes' },
      { resourceSubscriptions: 'demo://a' },
      { resourceSubscriptions: new Array(101).fill('x') },
    ])
      await rig.refused(`for ${JSON.stringify({ notifications })}`, bad, () => agent.send('subscriptions/listen', { notifications }));
    await rig.refused('no stream', { status: 406, code: 'http.not_acceptable' }, () =>
      agent.send('subscriptions/listen', { notifications: {} }, { headers: { accept: 'application/json' } }),
    );
  });

  test('is bounded for one identity', async () => {
    const streams: ModernStream[] = [];
    for (let at = 0; at < 64; at++) streams.push(await open({ toolsListChanged: true }, at));
    await rig.refused('one more', { status: 503, rpc: -32600, code: 'session.limit' }, () =>
      agent.send('subscriptions/listen', { notifications: { toolsListChanged: true } }),
    );
    for (const stream of streams) stream.leave();
    const bob = await ModernAgent.of(rig, 'bob');
    const other = await ModernStream.post(bob, 'subscriptions/listen', { notifications: { toolsListChanged: true } });
    await until(() => other.messages.length === 1);
    other.leave();
  });

  test('ends in order when the gateway stops', async () => {
    const stream = await open({ toolsListChanged: true }, 'last');
    await until(() => stream.messages.length === 1);
    await rig.gateway.restart();
    await until(() => stream.ended, 'the end');
    assert.equal(stream.messages.at(-1)?.id, 'last');
    assert.equal(stream.messages.at(-1)?.result._meta[metaKey.subscriptionId], 'last');
  });
});
