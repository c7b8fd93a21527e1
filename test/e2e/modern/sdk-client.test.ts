import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { startModernServer, type ModernServer } from '../../support/modern-server.ts';
import { until } from '../transport/rig.ts';

const everything = fileURLToPath(new URL('../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url));
const program = fileURLToPath(new URL('../../support/modern-stdio-server.ts', import.meta.url));
const child = (...args: string[]): string => `{ stdio: { command: ${JSON.stringify(process.execPath)}, args: ${JSON.stringify(args)} } }`;

let modern: ModernServer;
let gateway: GatewayFixture;
const slow: string[] = [];

before(async () => {
  modern = await startModernServer({ events: { onSlow: (what) => slow.push(what) } });
  gateway = await startGatewayFixture({
    upstreams: `  modern: { http: { url: "${modern.url}" } }\n  program: ${child(program)}\n  old: ${child(everything, 'stdio').replace(/ }$/, ', offer: [sampling, elicitation, roots] }')}`,
    endpoints: ['modern', 'program', 'old'].map((name) => `  ${name}: { upstreams: [{ name: ${name} }] }`).join('\n'),
  });
});
after(async () => {
  await gateway.close();
  await modern.close();
});

type Called = Awaited<ReturnType<Client['callTool']>>;
const textOf = (result: Called): string => result.content.map((one) => ('text' in one ? one.text : '')).join('\n');

/** A client of SDK v2 that finds the era out by itself. */
async function connected(endpoint: string, subject = 'alice', offers = true): Promise<Client> {
  const capabilities = offers ? { sampling: {}, elicitation: { form: {} }, roots: {} } : {};
  const made = new Client({ name: 'sdk2', version: '2' }, { capabilities, versionNegotiation: { mode: 'auto' } });
  if (offers) {
    made.setRequestHandler('sampling/createMessage', () => ({
      role: 'assistant',
      model: 'none',
      content: { type: 'text', text: 'a rose' },
    }));
    made.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
    made.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///srv/data', name: 'data' }] }));
  }
  const headers = { authorization: `Bearer ${await gateway.token(subject, endpoint)}` };
  await made.connect(new StreamableHTTPClientTransport(new URL(gateway.endpoint(endpoint)), { requestInit: { headers } }));
  return made;
}

for (const endpoint of ['modern', 'program']) {
  describe(`SDK v2 before \`${endpoint}\` of the same era`, { concurrency: false }, () => {
    let client: Client;
    before(async () => {
      client = await connected(endpoint);
    });
    after(() => client.close());

    test('finds 2026-07-28, lists and calls', async () => {
      assert.equal(client.getNegotiatedProtocolVersion(), '2026-07-28');
      const { tools } = await client.listTools();
      assert.ok(tools.some(({ name }) => name === 'list'));
      assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'hi' } })), '{"text":"hi"}');
      assert.equal(textOf(await client.callTool({ name: 'region', arguments: { region: 'Köln' } })), '{"region":"Köln"}');
      assert.deepEqual((await client.callTool({ name: 'list' })).structuredContent, [1, 2, 3]);
    });

    test('answers what is asked in results, over several rounds', async () => {
      assert.equal(textOf(await client.callTool({ name: 'ask' })), 'Ada: a rose (asked-once)');
      assert.equal(textOf(await client.callTool({ name: 'later' })), 'now');
      const { messages } = await client.getPrompt({ name: 'grill' });
      assert.equal((messages[0]?.content as { text: string }).text, 'hello Ada');
    });

    test('hears progress', async () => {
      const seen: number[] = [];
      await client.callTool({ name: 'progress' }, { onprogress: ({ progress }) => void seen.push(progress) });
      assert.deepEqual(seen, [1, 2]);
    });

    test('reads resources and prompts, and completes', async () => {
      assert.deepEqual((await client.listResources()).resources, [{ uri: 'file:///notes', name: 'notes' }]);
      assert.deepEqual((await client.readResource({ uri: 'file:///notes' })).contents, [{ uri: 'file:///notes', text: 'noted' }]);
      assert.equal((await client.listPrompts()).prompts.length, 2);
      const { completion } = await client.complete({ ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'x', value: 'y' } });
      assert.deepEqual(completion.values, ['y!']);
    });

    test('hears of a resource that it listens to', async () => {
      const updated: string[] = [];
      client.setNotificationHandler('notifications/resources/updated', ({ params }) => void updated.push(params.uri));
      const listening = await client.listen({ resourceSubscriptions: ['file:///notes'] });
      await client.callTool({ name: 'touch', arguments: { uri: 'file:///notes' } });
      await until(() => updated.length === 1, 'an update');
      await listening.close();
      assert.deepEqual(updated, ['file:///notes']);
    });

    test('without what the server asks for gets an error that says what is missing', async () => {
      const poor = await connected(endpoint, 'alice', false);
      await assert.rejects(poor.callTool({ name: 'sample' }), (error: { code?: unknown }) => error.code === -32021);
      await poor.close();
    });
  });
}

describe('SDK v2 before a server of the eras with sessions', { concurrency: false }, () => {
  let client: Client;
  before(async () => {
    client = await connected('old');
  });
  after(() => client.close());

  test('lists, calls and reads', async () => {
    assert.equal(client.getNegotiatedProtocolVersion(), '2026-07-28');
    assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } })), 'Echo: hi');
    const { resources } = await client.listResources();
    assert.ok(resources.length > 0);
    assert.ok((await client.readResource({ uri: resources[0]?.uri ?? '' })).contents.length > 0);
    assert.ok((await client.listPrompts()).prompts.length > 0);
  });

  test('answers what the server asks while it is called: the call goes on where it was', async () => {
    const { tools } = await client.listTools();
    const names = tools.map(({ name }) => name);
    const find = (word: RegExp): string => names.find((name) => word.test(name)) ?? '';
    const sampled = await client.callTool({ name: find(/sampling/), arguments: { prompt: 'x', maxTokens: 5 } });
    assert.match(textOf(sampled), /a rose/);
    const elicited = await client.callTool({ name: find(/elicitation/), arguments: {} });
    assert.match(textOf(elicited), /Ada|accept|provided/i);
  });

  test('hears progress', async () => {
    const seen: number[] = [];
    const name = 'trigger-long-running-operation';
    await client.callTool({ name, arguments: { duration: 0.3, steps: 3 } }, { onprogress: ({ progress }) => void seen.push(progress) });
    assert.deepEqual(seen, [1, 2, 3]);
  });

  test('an unknown tool and a missing resource are errors of the protocol', async () => {
    await assert.rejects(client.callTool({ name: 'nothing' }), (error: { code?: unknown }) => error.code === -32602);
    await assert.rejects(client.readResource({ uri: 'demo://nowhere/at/all' }));
  });
});

test('a client that leaves cancels at a server without sessions', async () => {
  const client = await connected('modern');
  const leaving = new AbortController();
  const call = client.callTool({ name: 'slow' }, { signal: leaving.signal });
  await until(() => slow.includes('began'), 'the call');
  leaving.abort();
  await assert.rejects(call);
  await until(() => slow.includes('cancelled'), 'the cancellation');
  await client.close();
});

test('a list that changes is told to a client that listens', async () => {
  const client = await connected('modern');
  let changes = 0;
  client.setNotificationHandler('notifications/tools/list_changed', () => {
    changes++;
  });
  const listening = await client.listen({ toolsListChanged: true });
  modern.addTool({ name: 'new', inputSchema: { type: 'object' } });
  modern.toolsChanged();
  await until(() => changes > 0, 'the announcement');
  assert.ok((await client.listTools()).tools.some(({ name }) => name === 'new'));
  await listening.close();
  await client.close();
});

test('what a server asks in a result is judged and recorded, each answer and each round of the call too', async () => {
  const client = await connected('modern');
  const before = (await gateway.records()).at(-1)?.seq ?? 0;
  await client.callTool({ name: 'ask' });
  await client.close();
  const decided = (await gateway.records()).filter(({ seq, record }) => seq > before && record.kind === 'decided');
  assert.deepEqual(
    decided
      .map(({ record }) => `${record.what?.phase ?? ''} ${record.what?.method ?? ''}`)
      .filter((one) => !one.endsWith('discover'))
      .sort(),
    [
      'call elicitation/create',
      'call sampling/createMessage',
      'call tools/call',
      'call tools/call',
      'message elicitation/create',
      'message sampling/createMessage',
    ],
  );
});
