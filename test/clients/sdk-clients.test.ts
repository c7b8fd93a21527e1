import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { CatalogueView } from '../../src/upstream/catalogue-view.ts';
import { refusal, startRealServers, type Question, type RealServers } from './real-servers.ts';
import { missing } from './tools.ts';

const local = ['files', 'memory', 'thinking', 'everything'];
const fromPyPI = ['time', 'git', 'fetch'];
const clientInfo = { name: 'test', version: '1' };

/** What the two SDKs' clients have in common. */
interface Driver {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(request: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

type Connect = (url: URL, headers: Record<string, string>) => Promise<{ client: Driver; version: string | undefined }>;

const v2 =
  (mode: 'legacy' | 'auto' | { pin: string }): Connect =>
  async (url, headers) => {
    const client = new ModernClient(clientInfo, { versionNegotiation: { mode } });
    await client.connect(new ModernTransport(url, { requestInit: { headers } }));
    return { client, version: client.getNegotiatedProtocolVersion() };
  };

const drivers: readonly { readonly name: string; readonly version: string; readonly connect: Connect }[] = [
  {
    name: 'the SDK v1',
    version: '2025-11-25',
    connect: async (url, headers) => {
      const client = new Client(clientInfo);
      const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } });
      await client.connect(transport);
      return { client, version: transport.protocolVersion };
    },
  },
  { name: 'the SDK v2 with a session', version: '2025-11-25', connect: v2('legacy') },
  { name: 'the SDK v2 that negotiates', version: '2026-07-28', connect: v2('auto') },
  { name: 'the SDK v2 of 2026-07-28 alone', version: '2026-07-28', connect: v2({ pin: '2026-07-28' }) },
];

/** Lists, makes a call that is allowed, and one that is not. */
async function exercise(client: Driver, question: Question): Promise<void> {
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map(({ name }) => name).sort(), [...question.granted]);
  const call = async (args: Readonly<Record<string, unknown>>): Promise<{ text: string; isError: boolean }> => {
    const answer = (await client.callTool({ name: question.tool, arguments: { ...args } })) as {
      content: { text?: string }[];
      isError?: boolean;
    };
    return { text: answer.content.map(({ text }) => text ?? '').join('\n'), isError: answer.isError === true };
  };
  const allowed = await call(question.allowed);
  assert.deepEqual([allowed.isError, question.says.test(allowed.text)], [false, true], allowed.text);
  const denied = await call(question.denied);
  assert.deepEqual([denied.isError, refusal.test(denied.text)], [true, true], denied.text);
}

function suite(names: readonly string[], skip: string | false): void {
  describe(`clients of both SDKs, and ${names.join(', ')} behind the gateway`, { skip, timeout: 120_000 }, () => {
    let real: RealServers;
    before(async () => void (real = await startRealServers(names)));
    after(() => real.close());

    test('a scan finds nothing in what these servers say', async () => {
      const { servers } = (await real.gateway.admin('GET', '/catalogue')).body as CatalogueView;
      assert.deepEqual(
        servers.map(({ name }) => name),
        names,
      );
      assert.deepEqual(
        servers.flatMap(({ tools }) => tools.flatMap(({ name, findings }) => findings.map(({ detector }) => `${name}: ${detector}`))),
        [],
      );
      for (const { name, tools, instructions } of servers) {
        assert.ok(tools.length > 0, name);
        assert.equal(instructions?.withheld, undefined, name);
      }
    });

    for (const { name, version, connect } of drivers) {
      for (const server of names) {
        test(`${name} lists, calls, and is refused at ${server}`, async () => {
          const headers = { authorization: `Bearer ${await real.gateway.token('alice', server)}` };
          const { client, version: agreed } = await connect(new URL(real.gateway.endpoint(server)), headers);
          try {
            assert.equal(agreed, version);
            await exercise(client, real.questions[server]!);
          } finally {
            await client.close();
          }
        });
      }
    }
  });
}

suite(local, false);
suite(fromPyPI, missing('timeServer', 'gitServer', 'fetchServer'));
