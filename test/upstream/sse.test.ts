import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { UpstreamMessage } from '../../src/upstream/types.ts';
import { options, permit, rig, textOf, until } from './support.ts';

interface LegacyServer {
  readonly url: string;
  readonly posts: { id?: number; method?: string; params?: { name?: string } }[];
  readonly streams: Set<ServerResponse>;
  endpoint: string;
  close(): Promise<void>;
}

/** A raw HTTP+SSE server: `tools/call` of `hang` is never answered, `ask` asks back, any other is answered on the stream of its session. */
async function startLegacyServer(): Promise<LegacyServer> {
  const streams = new Map<string, ServerResponse>();
  let sessions = 0;
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      const session = String(++sessions);
      streams.set(session, response);
      legacy.streams.add(response);
      response.on('close', () => legacy.streams.delete(response));
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`event: endpoint\ndata: ${legacy.endpoint}?session=${session}\n\n`);
      return;
    }
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.writeHead(202).end('Accepted');
      const message = JSON.parse(body) as LegacyServer['posts'][number];
      legacy.posts.push(message);
      const stream = streams.get(new URL(request.url ?? '', legacy.url).searchParams.get('session') ?? '');
      const send = (answer: object): void =>
        void stream?.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...answer })}\n\n`);
      const { id, method } = message;
      if (id === undefined || method === undefined) return;
      if (method === 'initialize') send({ id, result: { protocolVersion: '2024-11-05', capabilities: { tools: {} }, serverInfo: {} } });
      else if (method === 'tools/list') send({ id, result: { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] } });
      else if (message.params?.name === 'hang') return;
      else {
        if (message.params?.name === 'ask') send({ id: 1, method: 'elicitation/create', params: {} });
        send({ id: 999, result: {} });
        send({ id, result: { content: [{ type: 'text', text: JSON.stringify(message.params) }] } });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  const legacy: LegacyServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/sse`,
    posts: [],
    streams: new Set(),
    endpoint: '/messages',
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return legacy;
}

const sse = (url: string) => options('old', '', { transport: { kind: 'sse', url }, timeoutMs: 1_000 });

test('each session has its own stream, and equal ids of two agents do not meet', async () => {
  const server = await startLegacyServer();
  const bench = await rig([sse(server.url)]);
  const replies = await Promise.all(
    Array.from({ length: 30 }, (_, at) => bench.call('old', bench.owner(`o${at % 3}`), 'tools/call', { name: 'echo', arguments: { at } })),
  );
  replies.forEach((reply, at) => assert.equal(textOf(reply), JSON.stringify({ name: 'echo', arguments: { at } })));
  assert.equal(server.streams.size, 4);
  const told: UpstreamMessage[] = [];
  await bench.call('old', bench.owner('o0'), 'tools/call', { name: 'ask' }, { onMessage: (message) => told.push(message) });
  const question = told[0];
  assert.ok(question?.kind === 'request');
  await bench.upstreams
    .session('old', bench.owner('o0'))
    .notify(permit('old', { kind: 'reply', to: question.id, error: { code: 1, message: 'no' } }));
  assert.deepEqual(server.posts.at(-1), { jsonrpc: '2.0', id: 1, error: { code: 1, message: 'no' } });
  await bench.upstreams.close();
  await until(() => server.streams.size === 0);
  await server.close();
});

test('a stream that breaks ends its calls once, and the next call opens it again', async () => {
  const server = await startLegacyServer();
  const bench = await rig([sse(server.url)]);
  const owner = bench.owner('a');
  const hanging = assert.rejects(bench.call('old', owner, 'tools/call', { name: 'hang' }), {
    code: 'upstream.unreachable',
    detail: { may_have_run: true },
  });
  await until(() => server.posts.some((post) => post.params?.name === 'hang'));
  for (const stream of server.streams) stream.destroy();
  await hanging;
  assert.match(textOf(await bench.call('old', owner, 'tools/call', { name: 'echo' })), /echo/);
  await assert.rejects(bench.call('old', owner, 'tools/call', { name: 'hang' }, { timeoutMs: 50 }), { code: 'upstream.timeout' });
  await until(() => server.posts.some((post) => post.method === 'notifications/cancelled'));
  await bench.upstreams.close();
  await server.close();
});

test('an endpoint on another origin is refused and sent nothing', async () => {
  const server = await startLegacyServer();
  const other = await startLegacyServer();
  server.endpoint = other.url.replace('/sse', '/messages');
  const bench = await rig([sse(server.url)]);
  assert.equal(bench.upstreams.status()[0]!.state, 'down');
  await assert.rejects(bench.call('old', bench.owner('a'), 'ping'), { code: 'upstream.protocol' });
  assert.deepEqual([server.posts, other.posts], [[], []]);
  await bench.upstreams.close();
  await server.close();
  await other.close();
});
