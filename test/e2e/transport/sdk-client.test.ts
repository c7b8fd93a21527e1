import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { freePort } from '../../../src/demo/demo-setup.ts';
import { startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { until } from './rig.ts';

const everything = fileURLToPath(new URL('../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url));

let server: ChildProcess;
let gateway: GatewayFixture;
let direct: Client;
let client: Client;

/** A client that answers what it is asked, or, `quiet`, one that offers nothing. */
async function connected(url: string, token?: string, quiet = false): Promise<Client> {
  const capabilities = quiet ? {} : { sampling: {}, elicitation: {}, roots: { listChanged: true } };
  const made = new Client({ name: 'sdk', version: '1' }, { capabilities });
  if (!quiet) answerQuestions(made);
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  // The SDK's own type is not exact about optional members.
  await made.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  return made;
}

function answerQuestions(made: Client): void {
  made.setRequestHandler(CreateMessageRequestSchema, () => ({
    role: 'assistant',
    model: 'none',
    content: { type: 'text', text: 'sampled' },
  }));
  made.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada' } }));
  made.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///srv/data', name: 'data' }] }));
}

before(async () => {
  const port = await freePort();
  server = spawn(process.execPath, [everything, 'streamableHttp'], { env: { ...process.env, PORT: String(port) }, stdio: 'ignore' });
  // Also where the gateway does not start: nothing is left behind.
  process.once('exit', () => server.kill('SIGKILL'));
  const url = `http://127.0.0.1:${String(port)}/mcp`;
  await until(
    () =>
      fetch(url).then(
        () => true,
        () => false,
      ),
    'the server to listen',
    20_000,
  );
  const child = `{ command: ${JSON.stringify(process.execPath)}, args: [${JSON.stringify(everything)}, stdio] }`;
  gateway = await startGatewayFixture({
    upstreams: `  everything: { http: { url: "${url}" } }\n  child: { stdio: ${child}, offer: [sampling, elicitation, roots] }`,
    endpoints: '  main: { upstreams: [{ name: everything }] }\n  asks: { upstreams: [{ name: child }] }',
  });
  [direct, client] = await Promise.all([connected(url, undefined, true), connected(gateway.endpoint(), await gateway.token())]);
});
after(async () => {
  await Promise.all([direct.close(), client.close()]);
  await gateway.close();
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await gone;
});

/** A result without what the gateway adds. */
function plain(result: Record<string, unknown>): unknown {
  const { _meta: meta, ...rest } = result as { _meta?: Record<string, unknown> };
  const { 'castellan/decision': _decision, ...others } = meta ?? {};
  return Object.keys(others).length === 0 ? rest : { ...rest, _meta: others };
}
const textOf = (result: Awaited<ReturnType<Client['callTool']>>): string => (result['content'] as { text?: string }[])[0]?.text ?? '';

/** Arguments for each tool that this server has; the two sides are asked the same. */
const toolArguments: Readonly<Record<string, Record<string, unknown>>> = {
  echo: { message: 'hi' },
  'get-sum': { a: 2, b: 40 },
  'get-structured-content': { location: 'New York' },
  'get-annotated-message': { messageType: 'error', includeImage: true },
  'get-resource-links': { count: 3 },
  'get-resource-reference': { resourceType: 'Text', resourceId: 1 },
  'gzip-file-as-resource': { name: 'x.gz', data: 'data:text/plain;base64,aGVsbG8=', outputType: 'resource' },
  'trigger-long-running-operation': { duration: 0.2, steps: 2 },
  'trigger-sampling-request': { prompt: 'hi', maxTokens: 5 },
};
/** What differs from one call to the next, or from one session to the next. */
const changing = new Set([
  'toggle-simulated-logging',
  'toggle-subscriber-updates',
  'get-resource-reference',
  'simulate-research-query',
  'get-env',
]);

describe('an SDK client through the gateway, beside one that is connected directly', { concurrency: false }, () => {
  test('every tool is listed as the server lists it, and can be called', async (t) => {
    const [here, there] = [(await client.listTools()).tools, (await direct.listTools()).tools];
    assert.deepEqual(here, there);
    assert.ok(here.length >= 10);
    for (const { name } of here) {
      await t.test(name, async () => {
        if (name === 'simulate-research-query') return; // is called as a task: test/e2e/tasks/real-tasks.test.ts
        const call = { name, arguments: toolArguments[name] ?? {} };
        const [mine, theirs] = await Promise.all([client.callTool(call), direct.callTool(call)]);
        assert.equal(mine.isError, theirs.isError, textOf(mine));
        if (!changing.has(name)) assert.deepEqual(plain(mine), theirs);
        // What was switched on is switched off again.
        if (name.startsWith('toggle-')) await Promise.all([client.callTool(call), direct.callTool(call)]);
      });
    }
  });

  test('a tool that is not called as a task is refused as one', async () => {
    const call = { name: 'echo', arguments: { message: 'x' }, task: { ttl: 1000 } };
    await assert.rejects(client.callTool(call), { code: -32601 });
  });

  test('progress reaches the callback in order', async () => {
    const seen: number[] = [];
    const call = { name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 3 } };
    await client.callTool(call, undefined, { onprogress: ({ progress }) => void seen.push(progress) });
    assert.deepEqual(seen, [1, 2, 3]);
  });

  test('sampling, elicitation and roots come back with what the client answered', async () => {
    const asked = await connected(gateway.endpoint('asks'), await gateway.token('alice', 'asks'));
    assert.match(textOf(await asked.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'hi', maxTokens: 5 } })), /sampled/);
    assert.match(JSON.stringify(await asked.callTool({ name: 'trigger-elicitation-request', arguments: {} })), /Ada/);
    assert.match(JSON.stringify(await asked.callTool({ name: 'get-roots-list', arguments: {} })), /file:\/\/\/srv\/data/);
    await asked.close();
  });

  test('resources, templates and prompts are the server’s own', async () => {
    assert.deepEqual((await client.listResources()).resources, (await direct.listResources()).resources);
    assert.deepEqual((await client.listResourceTemplates()).resourceTemplates, (await direct.listResourceTemplates()).resourceTemplates);
    const { prompts } = await client.listPrompts();
    assert.deepEqual(prompts, (await direct.listPrompts()).prompts);
    assert.ok(prompts.length >= 3);
    for (const { uri } of (await client.listResources()).resources.slice(0, 3))
      assert.deepEqual(plain(await client.readResource({ uri })), await direct.readResource({ uri }));
    const templated = await client.readResource({ uri: 'demo://resource/dynamic/text/7' });
    assert.match(String((templated.contents[0] as { text?: string }).text), /7/);
    for (const { name, arguments: wanted } of prompts) {
      const values: Record<string, string> = {
        city: 'Paris',
        department: 'Engineering',
        name: 'Alice',
        resourceType: 'Text',
        resourceId: '1',
      };
      const given = Object.fromEntries((wanted ?? []).map((one) => [one.name, values[one.name] ?? 'x']));
      const [mine, theirs] = await Promise.all([
        client.getPrompt({ name, arguments: given }),
        direct.getPrompt({ name, arguments: given }),
      ]);
      assert.equal(mine.messages.length, theirs.messages.length, name);
    }
  });

  test('completion is the server’s own', async () => {
    const { prompts } = await client.listPrompts();
    const completable = prompts.find(({ name }) => name.includes('complet'));
    assert.ok(completable !== undefined);
    for (const argument of completable.arguments ?? []) {
      const request: Parameters<Client['complete']>[0] = {
        ref: { type: 'ref/prompt', name: completable.name },
        argument: { name: argument.name, value: '' },
      };
      assert.deepEqual((await client.complete(request)).completion, (await direct.complete(request)).completion);
    }
  });

  test('subscriptions, log levels and pings work', async () => {
    const updated: string[] = [];
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
    const uri = 'demo://resource/dynamic/text/1';
    await client.subscribeResource({ uri });
    await client.setLoggingLevel('debug');
    await client.ping();
    await client.callTool({ name: 'toggle-subscriber-updates', arguments: {} });
    await until(() => updated.includes(uri), 'an update', 15_000);
    await client.callTool({ name: 'toggle-subscriber-updates', arguments: {} });
    await client.unsubscribeResource({ uri });
  });
});
