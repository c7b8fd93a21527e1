import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { installEverythingServer, startEverythingServer } from '../../conformance/everything-server.ts';
import { startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import type { Running } from '../../support/running.ts';
import { until } from './rig.ts';

// The server is built with Go; where that is missing only continuous integration insists.
const hasGo = spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0;

describe('a client with a session before the Go SDK’s server of 2026-07-28', { skip: !hasGo && process.env['CI'] === undefined }, () => {
  let server: Running & { readonly url: string };
  let gateway: GatewayFixture;
  before(async () => {
    const program = await installEverythingServer();
    server = await startEverythingServer(program, []);
    gateway = await startGatewayFixture({
      upstreams: `  http: { http: { url: "${server.url}" } }\n  program: { stdio: { command: ${JSON.stringify(program)} } }`,
      endpoints: '  http: { upstreams: [{ name: http }] }\n  program: { upstreams: [{ name: program }] }',
    });
  });
  after(async () => {
    await gateway.close();
    await server.stop();
  });

  async function connected(endpoint: string): Promise<Client> {
    const made = new Client({ name: 'sdk', version: '1' }, { capabilities: { sampling: {}, elicitation: {}, roots: {} } });
    made.setRequestHandler(CreateMessageRequestSchema, () => ({
      role: 'assistant',
      model: 'none',
      content: { type: 'text', text: 'Paris' },
    }));
    made.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      // Each question is answered with what its schema asks for.
      const properties = Object.entries(
        ((params as unknown as { requestedSchema: object }).requestedSchema as { properties: Record<string, { type: string }> }).properties,
      );
      const content = properties.map(([name, { type }]) => [name, type === 'boolean' ? true : type === 'string' ? 'Ada' : 7]);
      return { action: 'accept', content: Object.fromEntries(content) as Record<string, string | number | boolean> };
    });
    made.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///srv', name: 'srv' }] }));
    const headers = { authorization: `Bearer ${await gateway.token('alice', endpoint)}` };
    await made.connect(new StreamableHTTPClientTransport(new URL(gateway.endpoint(endpoint)), { requestInit: { headers } }));
    return made;
  }

  for (const endpoint of ['http', 'program'])
    test(`over ${endpoint}: tools, questions in results, progress, prompts, resources`, async () => {
      const client = await connected(endpoint);
      const { tools } = await client.listTools();
      assert.ok(tools.length > 20, String(tools.length));
      const told = async (name: string, args = {}): Promise<string> =>
        JSON.stringify((await client.callTool({ name, arguments: args })).content);
      assert.match(await told('test_simple_text'), /simple text response/);
      assert.match(await told('test_input_required_result_elicitation'), /Ada/);
      assert.match(await told('test_input_required_result_sampling'), /Paris/);
      assert.match(await told('test_input_required_result_list_roots'), /file:\/\/\/srv|srv/);
      assert.match(await told('test_input_required_result_request_state'), /text/);
      assert.match(await told('test_input_required_result_multiple_inputs'), /text/);
      assert.match(await told('test_input_required_result_multi_round'), /text/);
      const asked = await client.getPrompt({ name: 'test_input_required_result_prompt' });
      assert.ok(asked.messages.length > 0);
      const seen: number[] = [];
      await client.callTool({ name: 'test_tool_with_progress' }, undefined, { onprogress: ({ progress }) => void seen.push(progress) });
      assert.deepEqual(seen, [0, 50, 100]);
      const { contents } = await client.readResource({ uri: 'test://static-text' });
      assert.match(String((contents[0] as { text?: string }).text), /static text/);
      await assert.rejects(client.readResource({ uri: 'test://none' }));
      await client.close();
    });

  test('a watched resource is heard of', async () => {
    const client = await connected('http');
    const updated: string[] = [];
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
    await client.subscribeResource({ uri: 'test://watched-resource' });
    await until(() => updated.length > 0, 'an update', 10_000);
    await client.unsubscribeResource({ uri: 'test://watched-resource' });
    await client.close();
  });

  test('arguments go into headers where the tool asks for that', async () => {
    const client = await connected('http');
    const { tools } = await client.listTools();
    const tool = tools.find(({ name }) => name === 'test_x_mcp_header');
    assert.ok(tool !== undefined);
    const properties = Object.entries(tool.inputSchema.properties ?? {}) as [string, { type: string }][];
    const args = properties.map(([name, { type }]) => [name, type === 'string' ? 'Grüße' : type === 'boolean' ? true : 7]);
    const result = await client.callTool({ name: 'test_x_mcp_header', arguments: Object.fromEntries(args) as Record<string, unknown> });
    assert.notEqual(result.isError, true, JSON.stringify(result));
    await client.close();
  });
});
