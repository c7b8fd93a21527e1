import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CallToolResultSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { freePort } from '../../../src/demo/demo-setup.ts';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { until } from '../policy/support.ts';

const everything = fileURLToPath(new URL('../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url));
let server: ChildProcess;
let gateway: GatewayFixture;
let client: Client;

before(async () => {
  const port = await freePort();
  server = spawn(process.execPath, [everything, 'streamableHttp'], { env: { ...process.env, PORT: String(port) }, stdio: 'ignore' });
  // Also where the gateway does not start: nothing is left behind.
  process.once('exit', () => server.kill('SIGKILL'));
  const url = `http://127.0.0.1:${String(port)}/mcp`;
  const isUp = (): Promise<boolean> =>
    fetch(url).then(
      () => true,
      () => false,
    );
  await until('the server to listen', isUp, 20_000);
  gateway = await startGatewayFixture({ upstreams: `  real: { http: { url: "${url}" }, offer: [elicitation] }` });
  // A session is told what the endpoint offers when it opens.
  const raw = await new RawAgent(gateway.endpoint(), await gateway.token()).open();
  await until('the server to be read', async () => ((await raw.request('tools/list')).result.tools as unknown[]).length > 0, 30_000);
  client = new Client({ name: 'sdk', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { interpretation: 'technical' } }));
  const headers = { authorization: `Bearer ${await gateway.token()}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.endpoint()), { requestInit: { headers } }));
});
after(async () => {
  await client.close();
  await gateway.close();
  server.kill('SIGKILL');
});

test('a real client follows a real server’s task to its end, a question on the way included', { timeout: 60_000 }, async () => {
  assert.ok(client.getServerCapabilities()?.tasks?.requests?.tools?.call !== undefined);
  const { tools } = await client.listTools();
  assert.equal(tools.find(({ name }) => name === 'simulate-research-query')?.execution?.taskSupport, 'required');
  const call = { name: 'simulate-research-query', arguments: { topic: 'python', ambiguous: true } };
  const seen: string[] = [];
  let taskId = '';
  for await (const message of client.experimental.tasks.callToolStream(call, CallToolResultSchema)) {
    if (message.type === 'taskCreated') taskId = message.task.taskId;
    if (message.type === 'taskStatus') assert.equal(message.task.taskId, taskId);
    if (message.type === 'error') throw message.error;
    if (message.type === 'result') assert.match(JSON.stringify(message.result.content), /python/);
    seen.push(message.type === 'taskStatus' ? message.task.status : message.type);
  }
  assert.match(taskId, /^[\w-]{22}$/);
  assert.ok(seen.includes('input_required'), seen.join());
  assert.deepEqual([seen[0], seen.at(-1)], ['taskCreated', 'result']);
  const { tasks } = await client.experimental.tasks.listTasks();
  assert.deepEqual(
    tasks.map((task) => [task.taskId, task.status]),
    [[taskId, 'completed']],
  );
});
