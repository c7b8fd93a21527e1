import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { startModernServer, type ModernServer } from '../../support/modern-server.ts';
import { until } from './rig.ts';

const program = fileURLToPath(new URL('../../support/modern-stdio-server.ts', import.meta.url));
const child = (...args: string[]): string =>
  `{ stdio: { command: ${JSON.stringify(process.execPath)}, args: ${JSON.stringify([program, ...args])} } }`;

let modern: ModernServer;
let dual: ModernServer;
let gateway: GatewayFixture;
const slow: string[] = [];

before(async () => {
  [modern, dual] = await Promise.all([
    startModernServer({ events: { onSlow: (what) => slow.push(what) } }),
    startModernServer({ dual: true }),
  ]);
  const names = ['modern', 'dual', 'program', 'both'];
  gateway = await startGatewayFixture({
    upstreams: `  modern: { http: { url: "${modern.url}" } }\n  dual: { http: { url: "${dual.url}" } }\n  program: ${child()}\n  both: ${child('dual')}`,
    endpoints: names.map((name) => `  ${name}: { upstreams: [{ name: ${name} }] }`).join('\n'),
  });
});
after(async () => {
  await gateway.close();
  await Promise.all([modern.close(), dual.close()]);
});

const textOf = (result: Awaited<ReturnType<Client['callTool']>>): string => (result['content'] as { text?: string }[])[0]?.text ?? '';

async function connected(endpoint: string): Promise<Client> {
  const made = new Client({ name: 'sdk', version: '1' }, { capabilities: { sampling: {}, elicitation: { form: {}, url: {} } } });
  made.setRequestHandler(CreateMessageRequestSchema, () => ({
    role: 'assistant',
    model: 'none',
    content: { type: 'text', text: 'a rose' },
  }));
  // The SDK's client refuses a question by URL that has no id.
  made.setRequestHandler(ElicitRequestSchema, ({ params }) =>
    params.mode === 'url' ? { action: 'accept' } : { action: 'accept', content: { name: 'Ada' } },
  );
  const headers = { authorization: `Bearer ${await gateway.token('alice', endpoint)}` };
  // The SDK's own type is not exact about optional members.
  await made.connect(new StreamableHTTPClientTransport(new URL(gateway.endpoint(endpoint)), { requestInit: { headers } }));
  return made;
}

for (const endpoint of ['modern', 'dual', 'program', 'both']) {
  describe(`a client of the eras with sessions, before \`${endpoint}\` of the SDK's second version`, { concurrency: false }, () => {
    let client: Client;
    before(async () => {
      client = await connected(endpoint);
    });
    after(() => client.close());

    test('lists tools, also one whose output is no object, and calls one', async () => {
      const { tools } = await client.listTools();
      assert.deepEqual(tools.map(({ name }) => name).sort(), [
        ...['ask', 'crash', 'echo', 'insist', 'later', 'link', 'list', 'progress', 'region', 'sample', 'slow', 'touch'],
      ]);
      assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'hi' } })), '{"text":"hi"}');
      assert.equal(textOf(await client.callTool({ name: 'region', arguments: { region: 'Köln' } })), '{"region":"Köln"}');
      assert.equal(textOf(await client.callTool({ name: 'list' })), '[1,2,3]');
      assert.equal(client.getInstructions(), 'Use `echo` first.');
    });

    test('hears progress and, once it asked for them, log messages', async () => {
      const seen: number[] = [];
      const logged: unknown[] = [];
      client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logged.push(params.data));
      await client.callTool({ name: 'progress' }, undefined, { onprogress: ({ progress }) => void seen.push(progress) });
      assert.deepEqual([seen, logged], [[1, 2], []]);
      await client.setLoggingLevel('info');
      await client.callTool({ name: 'progress' }, undefined, { onprogress: ({ progress }) => void seen.push(progress) });
      assert.deepEqual([seen, logged], [[1, 2, 1, 2], ['half way']]);
    });

    test('answers what the server asks in a result, as real requests', async () => {
      assert.equal(textOf(await client.callTool({ name: 'ask' })), 'Ada: a rose (asked-once)');
      assert.equal(textOf(await client.callTool({ name: 'link' })), 'opened: accept');
      const { messages } = await client.getPrompt({ name: 'grill' });
      assert.equal((messages[0]?.content as { text: string }).text, 'hello Ada');
    });

    test('reads resources and prompts, and completes', async () => {
      assert.deepEqual((await client.listResources()).resources, [{ uri: 'file:///notes', name: 'notes' }]);
      const read = await client.readResource({ uri: 'file:///notes' });
      assert.deepEqual(read.contents, [{ uri: 'file:///notes', text: 'noted' }]);
      assert.deepEqual(Object.keys(read).sort(), ['_meta', 'contents']);
      assert.equal((await client.listPrompts()).prompts.length, 2);
      const completion = await client.complete({ ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'x', value: 'y' } });
      assert.deepEqual(completion.completion.values, ['y!']);
      await client.ping();
    });

    test('hears of a resource that it subscribed to', async () => {
      const updated: string[] = [];
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
      await client.subscribeResource({ uri: 'file:///notes' });
      await client.callTool({ name: 'touch', arguments: { uri: 'file:///notes' } });
      await until(() => updated.length === 1, 'an update');
      await client.unsubscribeResource({ uri: 'file:///notes' });
      assert.deepEqual(updated, ['file:///notes']);
    });

    test('is told in words when its answer is missing', async () => {
      const answer = await client.callTool({ name: 'insist' }).catch((error: unknown) => error as Error);
      assert.match(JSON.stringify(answer instanceof Error ? answer.message : answer), /broke the protocol|asked for|input/i);
    });
  });
}

test('a client that cancels leaves the server’s answer, and the server stops', async () => {
  const client = await connected('modern');
  const leaving = new AbortController();
  const call = client.callTool({ name: 'slow' }, undefined, { signal: leaving.signal });
  await until(() => slow.includes('began'), 'the call');
  leaving.abort();
  await assert.rejects(call);
  await until(() => slow.includes('cancelled'), 'the cancellation');
  await client.close();
});

test('a list that changes at a server of the modern era is announced to a session', async () => {
  const client = await connected('modern');
  let changes = 0;
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
    changes++;
  });
  modern.addTool({ name: 'new', inputSchema: { type: 'object' } });
  modern.toolsChanged();
  await until(() => changes > 0, 'the announcement');
  assert.ok((await client.listTools()).tools.some(({ name }) => name === 'new'));
  await client.close();
});

test('what a server asks in a result is judged and recorded as a message of its own, and so is each answer', async () => {
  const client = await connected('modern');
  const before = (await gateway.records()).at(-1)?.seq ?? 0;
  await client.callTool({ name: 'ask' });
  await client.close();
  const decided = (await gateway.records()).filter(({ seq, record }) => seq > before && record.kind === 'decided');
  const questions = decided.filter(({ record }) => /^(?:elicitation|sampling)\//.test(record.what?.method ?? ''));
  assert.deepEqual(
    questions.map(({ record }) => `${record.what?.phase ?? ''} ${record.what?.method ?? ''} ${record.what?.server ?? ''}`).sort(),
    [
      'call elicitation/create modern',
      'call sampling/createMessage modern',
      'message elicitation/create modern',
      'message sampling/createMessage modern',
    ],
  );
});
