/* eslint-disable @typescript-eslint/no-deprecated -- the old transport is what is tested */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { options, rig, textOf, until, type Rig } from './support.ts';

/** The SDK's server at one address, by the transport of 2024-11-05 or by the one after it. */
interface OldServer {
  readonly url: string;
  /** Method and path of each request. */
  readonly requests: string[];
  /** Status with which a POST to the stream's own address is refused. */
  refusal: number;
  isStreamable: boolean;
  /** Breaks all open streams. */
  drop(): void;
  close(): Promise<void>;
}

function definition(): McpServer {
  const server = new McpServer({ name: 'old', version: '1' });
  server.registerTool('ping', { description: 'Says which way it was called.' }, (extra) => ({
    content: [{ type: 'text', text: extra.requestInfo?.headers['accept']?.includes('event-stream') === true ? 'http' : 'sse' }],
  }));
  return server;
}

async function startOldServer(): Promise<OldServer> {
  const open = new Map<string, SSEServerTransport>();
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    old.requests.push(`${request.method ?? ''} ${pathname}`);
    if (old.isStreamable) {
      if (request.method !== 'POST') return void response.writeHead(405).end();
      const transport = new StreamableHTTPServerTransport({});
      await definition().connect(transport);
      return transport.handleRequest(request, response);
    }
    if (request.method === 'GET' && pathname === '/mcp') {
      const transport = new SSEServerTransport('/messages', response);
      open.set(transport.sessionId, transport);
      return definition().connect(transport);
    }
    const session = pathname === '/messages' ? open.get(searchParams.get('sessionId') ?? '') : undefined;
    if (session !== undefined) return session.handlePostMessage(request, response);
    response.writeHead(old.refusal).end(`Cannot POST ${pathname}`);
  };
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  const old: OldServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    requests: [],
    refusal: 404,
    isStreamable: false,
    drop: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return old;
}

describe('an `http` upstream that only has the transport of 2024-11-05', () => {
  let server: OldServer;
  let bench: Rig | undefined;
  beforeEach(async () => void (server = await startOldServer()));
  afterEach(async () => {
    await bench?.upstreams.close();
    await server.close();
  });
  const call = async (owner: string): Promise<string> =>
    textOf(await bench!.call('old', bench!.owner(owner), 'tools/call', { name: 'ping' }));
  const status = () => bench!.upstreams.status()[0];

  for (const refusal of [400, 404, 405])
    test(`is found where it refuses initialize with ${refusal}, once for all, and spoken to by it`, async () => {
      server.refusal = refusal;
      bench = await rig([options('old', server.url)]);
      assert.equal(status()?.state, 'ready', status()?.error);
      assert.equal(status()?.era, 'legacy');
      assert.deepEqual([...bench.upstreams.catalogue().upstreams.get('old')!.tools.keys()], ['ping']);
      assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(call)), ['sse', 'sse', 'sse']);
      // `server/discover` and `initialize`, then nothing more is posted there.
      assert.equal(server.requests.filter((one) => one === 'POST /mcp').length, 2);
      const found = bench.log.filter(({ event }) => event === 'era_found').map(({ detail }) => detail);
      assert.deepEqual(found, [{ era: 'legacy' }, { era: 'legacy', transport: 'http+sse' }]);
    });

  test('is found where the era is configured too', async () => {
    bench = await rig([options('old', server.url, { era: 'legacy' })]);
    assert.equal(await call('a'), 'sse');
    assert.equal(server.requests.filter((one) => one === 'POST /mcp').length, 1);
  });

  test('is not looked for where the modern era is configured, or nothing answers the GET', async () => {
    bench = await rig([options('old', server.url, { era: 'modern' })]);
    assert.equal(status()?.state, 'down');
    assert.deepEqual([...new Set(server.requests)], ['POST /mcp']);
    await bench.upstreams.close();
    bench = await rig([options('old', server.url.replace('/mcp', '/other'))]);
    assert.equal(status()?.state, 'down');
    assert.match(status()?.error ?? '', /does not take `initialize` there: status 404/);
    assert.ok(server.requests.includes('GET /other'));
  });

  test('that becomes one of Streamable HTTP is found again', async () => {
    bench = await rig([options('old', server.url)]);
    assert.equal(await call('a'), 'sse');
    server.isStreamable = true;
    server.drop();
    await until(async () => (await call('a').catch(() => '')) === 'http');
    assert.equal(await call('b'), 'http');
    await until(() => status()?.state === 'ready');
  });
});
