import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { answer, frame, misbehaviours, stream, type Script } from '../support/recording-upstream.ts';
import { error, modern, refuse, withServer } from './modern-support.ts';
import { coded, options, rig, textOf, until } from './support.ts';

describe('an upstream of the modern era that misbehaves', () => {
  const rows: readonly (readonly [title: string, script: Script, code: string, mayHaveRun: boolean | undefined])[] = [
    ['no JSON', misbehaviours.nonJson, 'upstream.protocol', true],
    ['another’s id', misbehaviours.wrongId, 'upstream.protocol', true],
    ['an error without an id', misbehaviours.nullIdError, 'upstream.protocol', true],
    ['a batch', misbehaviours.batch, 'upstream.protocol', true],
    ['202 and no answer', misbehaviours.accepted, 'upstream.protocol', true],
    ['a server error', misbehaviours.serverError, 'upstream.unreachable', true],
    ['401', misbehaviours.unauthorized, 'upstream.credential', undefined],
    ['a redirect', misbehaviours.redirect, 'upstream.protocol', undefined],
    ['a flood of events', misbehaviours.floodEvents, 'upstream.too_large', true],
    ['a stream that is cut', misbehaviours.truncated, 'upstream.unreachable', true],
    ['a reset', misbehaviours.reset, 'upstream.unreachable', true],
    [
      'a result of a type that nobody offered',
      ({ response, request }) => answer(response, request.message.id, { resultType: 'task', task: {} }),
      'upstream.protocol',
      true,
    ],
    [
      'a question that is none',
      ({ response, request }) =>
        answer(response, request.message.id, { resultType: 'input_required', inputRequests: { a: { method: 'tools/call', params: {} } } }),
      'upstream.protocol',
      true,
    ],
    [
      'neither question nor state',
      ({ response, request }) => answer(response, request.message.id, { resultType: 'input_required', inputRequests: {} }),
      'upstream.protocol',
      true,
    ],
    [
      'a thousand questions',
      ({ response, request }) => {
        const questions = Array.from({ length: 1_000 }, (_, at) => [`q${at}`, { method: 'roots/list' }]);
        answer(response, request.message.id, { resultType: 'input_required', inputRequests: Object.fromEntries(questions) });
      },
      'upstream.protocol',
      true,
    ],
  ];
  test('each fault ends the one call it belongs to, and the next one works', () =>
    withServer(modern, async (server) => {
      const bench = await rig([options('up', server.url, { maxResponseBytes: 200_000 })]);
      const owner = bench.owner('one');
      const call = () => bench.call('up', owner, 'tools/call', { name: 'echo', arguments: { text: 'hi' } });
      for (const [title, script, code, mayHaveRun] of rows) {
        const before = server.calls('tools/call').length;
        server.once('tools/call', script);
        await assert.rejects(call(), coded(code, mayHaveRun), title);
        assert.equal(server.calls('tools/call').length - before, 1, title);
        assert.equal(textOf(await call()), '{"text":"hi"}', title);
      }
      assert.equal(server.calls('initialize').length, 0);
      await bench.upstreams.close();
    }));

  test('one that never ends its answer is left in time, which is all that it is told', () =>
    withServer(modern, async (server) => {
      const bench = await rig([options('up', server.url)]);
      for (const script of [misbehaviours.hang, misbehaviours.drip]) {
        let isLeft = false;
        server.once('tools/call', (scene) => {
          scene.socket.on('close', () => (isLeft = true));
          script(scene);
        });
        const call = bench.call('up', bench.owner('one'), 'tools/call', { name: 'echo', arguments: {} }, { timeoutMs: 150 });
        await assert.rejects(call, coded('upstream.timeout', true));
        await until(() => isLeft);
      }
      assert.ok(server.requests.every(({ message }) => message.method !== 'notifications/cancelled'));
      await bench.upstreams.close();
    }));

  test('frames may be split anywhere; late and second answers, foreign progress and requests are dropped', () =>
    withServer(modern, async (server) => {
      const bench = await rig([options('up', server.url)]);
      const owner = bench.owner('one', { capabilities: { sampling: {} } });
      const heard: unknown[] = [];
      for (const [size, end] of [
        [1, '\r\n'],
        [5, '\n'],
        [1_000, '\r'],
      ] as const) {
        server.once('tools/call', async ({ response, request }) => {
          const { id, params } = request.message;
          const notice = (method: string, more: object): string => JSON.stringify({ jsonrpc: '2.0', method, params: more });
          const token = params._meta.progressToken as number;
          const text = [
            notice('notifications/progress', { progressToken: token, progress: 1 }),
            notice('notifications/progress', { progressToken: 'mine', progress: 2 }),
            notice('notifications/progress', { progressToken: token + 1, progress: 3 }),
            JSON.stringify({ jsonrpc: '2.0', id: 'u1', method: 'sampling/createMessage', params: { messages: [] } }),
            JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'a\r\n\r\ndata: b\r\nevent: c' }] } }),
            JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'again' }] } }),
            notice('notifications/progress', { progressToken: token, progress: 4 }),
          ];
          const bytes = Buffer.from(text.map((data) => `: x${end}event: message${end}data: ${data}${end}${end}`).join(''));
          stream(response);
          for (let at = 0; at < bytes.length; at += size) response.write(bytes.subarray(at, at + size));
          response.end();
        });
        const params = { name: 'echo', arguments: {}, _meta: { progressToken: 'mine' } };
        const reply = await bench.call('up', owner, 'tools/call', params, { onMessage: (message) => heard.push(message.params) });
        assert.equal(textOf(reply), 'a\r\n\r\ndata: b\r\nevent: c');
      }
      assert.deepEqual(heard, Array(3).fill({ progressToken: 'mine', progress: 1 }));
      const strays = bench.strays.map(({ form, method, session }) => `${form} ${method ?? ''} of ${session ?? 'nobody'}`);
      const each = [
        'notification notifications/progress of one',
        'notification notifications/progress of one',
        'request sampling/createMessage of one',
      ];
      assert.deepEqual(strays, [...each, ...each, ...each]);
      // Nothing is ever written back: this era has no answers of a client.
      assert.equal(server.requests.filter(({ message }) => message.result !== undefined || message.error !== undefined).length, 0);
      await bench.upstreams.close();
    }));

  test('200 agents that all have the same progress token never cross', () =>
    withServer(modern, async (server) => {
      server.always('tools/call', ({ response, request }) => {
        const { id, params } = request.message;
        stream(response);
        setTimeout(() => {
          const { text } = params.arguments;
          const progress = { progressToken: params._meta.progressToken, progress: 1, message: text };
          response.write(frame({ jsonrpc: '2.0', method: 'notifications/progress', params: progress }));
          response.end(frame({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } }));
        }, Math.random() * 30);
      });
      const bench = await rig([options('up', server.url)]);
      await Promise.all(
        Array.from({ length: 200 }, async (_, at) => {
          const params = { name: 'echo', arguments: { text: `canary-${at}` }, _meta: { progressToken: 0 } };
          const heard: unknown[] = [];
          const reply = await bench.call('up', bench.owner(`o${at}`), 'tools/call', params, {
            onMessage: ({ params: p }) => heard.push(p),
          });
          assert.equal(textOf(reply), `canary-${at}`);
          assert.deepEqual(heard, [{ progressToken: 0, progress: 1, message: `canary-${at}` }]);
        }),
      );
      await bench.upstreams.close();
    }));

  test('one that wants other headers than it listed is read again, and its agent told to repeat', () =>
    withServer(modern, async (server) => {
      const bench = await rig([options('up', server.url)]);
      const lists = server.calls('tools/list').length;
      server.once('tools/call', refuse(400, error(-32020, null)));
      const reply = await bench.call('up', bench.owner('one'), 'tools/call', { name: 'echo', arguments: {} });
      assert.match(JSON.stringify(reply), /repeat the call/);
      assert.doesNotMatch(JSON.stringify(reply), /-32020/);
      await until(() => server.calls('tools/list').length > lists);
      await bench.upstreams.close();
    }));

  test('a tool whose header annotations break a rule is left out of its list, and the others stay', () =>
    withServer(modern, async (server) => {
      const bad: Record<string, object> = {
        empty: { properties: { a: { type: 'string', 'x-mcp-header': '' } } },
        number: { properties: { a: { type: 'number', 'x-mcp-header': 'A' } } },
        twice: { properties: { a: { type: 'string', 'x-mcp-header': 'A' }, b: { type: 'string', 'x-mcp-header': 'a' } } },
        broken: { properties: { a: { type: 'string', 'x-mcp-header': 'A\r\nHost: x' } } },
        items: { properties: { a: { type: 'array', items: { type: 'string', 'x-mcp-header': 'A' } } } },
        choice: { anyOf: [{ properties: { a: { type: 'string', 'x-mcp-header': 'A' } } }] },
        defined: { $defs: { d: { type: 'string', 'x-mcp-header': 'A' } } },
        root: { 'x-mcp-header': 'A' },
      };
      const good = {
        properties: { a: { properties: { b: { type: 'boolean', 'x-mcp-header': 'B' } } }, 'x-mcp-header': { type: 'string' } },
      };
      server.tools = Object.entries({ ...bad, good }).map(([name, schema]) => ({ name, inputSchema: { type: 'object', ...schema } }));
      const bench = await rig([options('up', server.url)]);
      assert.deepEqual([...(bench.upstreams.catalogue().upstreams.get('up')?.tools.keys() ?? [])], ['good']);
      assert.equal(bench.log.filter(({ event }) => event === 'tool_left_out').length, Object.keys(bad).length);
      await bench.upstreams.close();
    }));

  test('a listening stream comes back however it ended, and what was missed is read', () =>
    withServer(modern, async (server) => {
      const ends: Record<string, Script> = {
        // The first two leave the connection open: what they say has to be enough.
        answered: ({ response, request }) =>
          void response.write(frame({ jsonrpc: '2.0', id: request.message.id, result: { resultType: 'complete' } })),
        cancelled: ({ response, request }) =>
          void response.write(frame({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: request.message.id } })),
        ended: ({ response }) => void response.end(),
        reset: ({ socket }) => void socket.resetAndDestroy(),
        garbage: ({ response }) => void response.end('data: {]\n\n'),
      };
      const kinds = Object.keys(ends);
      let opened = 0;
      server.always('subscriptions/listen', (scene) => {
        const { response, request } = scene;
        const { id, params } = request.message;
        const meta = { 'io.modelcontextprotocol/subscriptionId': id };
        stream(response).write(
          frame({
            jsonrpc: '2.0',
            method: 'notifications/subscriptions/acknowledged',
            params: { _meta: meta, notifications: params.notifications },
          }),
        );
        const end = kinds[opened++];
        if (end !== undefined) setTimeout(() => void ends[end]!(scene), 10);
      });
      const bench = await rig([options('up', server.url)]);
      const lists = server.calls('tools/list').length;
      await until(() => opened > kinds.length);
      await until(() => server.calls('tools/list').length > lists);
      assert.deepEqual(server.calls('subscriptions/listen').at(-1)?.message.params.notifications, { toolsListChanged: true });
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(opened, kinds.length + 1);
      await bench.upstreams.close();
    }));

  test('a changed subscription opens its stream anew, and the old one is closed when the new one stands', () =>
    withServer(modern, async (server) => {
      const open = new Set<string>();
      server.always('subscriptions/listen', ({ response, request }) => {
        const { id, params } = request.message;
        const { notifications } = params;
        const wanted = JSON.stringify(notifications.resourceSubscriptions ?? []);
        const meta = { 'io.modelcontextprotocol/subscriptionId': id };
        open.add(wanted);
        response.on('close', () => open.delete(wanted));
        const acknowledged = { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { _meta: meta, notifications } };
        stream(response).write(frame(acknowledged));
      });
      const bench = await rig([options('up', server.url)]);
      const owner = bench.owner('one');
      const lists = '[]'; // the gateway's own, which hears of changed lists
      await bench.call('up', owner, 'resources/subscribe', { uri: 'a:a' });
      await bench.call('up', owner, 'resources/subscribe', { uri: 'a:b' });
      await until(() => [...open].sort().join() === [lists, '["a:a","a:b"]'].sort().join());
      await bench.call('up', owner, 'resources/unsubscribe', { uri: 'a:a' });
      await until(() => [...open].sort().join() === [lists, '["a:b"]'].sort().join());
      await bench.call('up', owner, 'resources/unsubscribe', { uri: 'a:b' });
      await until(() => [...open].join() === lists);
      await bench.upstreams.close();
      await until(() => open.size === 0);
    }));

  test('an upstream that knows no streams of notices is left alone, and a subscription is refused in words', () =>
    withServer(modern, async (server) => {
      server.always(
        'subscriptions/listen',
        ({ response, request }) =>
          void response
            .writeHead(404, { 'content-type': 'application/json' })
            .end(JSON.stringify({ jsonrpc: '2.0', ...error(-32601, request.message.id) })),
      );
      const bench = await rig([options('up', server.url)]);
      await until(() => server.calls('subscriptions/listen').length === 1);
      const reply = await bench.call('up', bench.owner('one'), 'resources/subscribe', { uri: 'file:///a' });
      assert.equal(reply.kind === 'error' && reply.error['code'], -32601);
      await new Promise((resolve) => setTimeout(resolve, 250));
      assert.equal(server.calls('subscriptions/listen').length, 2);
      await bench.upstreams.close();
    }));
});
