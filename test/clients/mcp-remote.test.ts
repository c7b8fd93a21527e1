import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { refusal, startRealServers, type RealServers } from './real-servers.ts';
import { npm } from './tools.ts';

describe('mcp-remote, between a client that only starts programs and the gateway', { timeout: 120_000 }, () => {
  let real: RealServers;
  let home: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'castellan-remote-'));
    real = await startRealServers(['everything', 'memory']);
  });
  after(async () => {
    await real.close();
    await rm(home, { recursive: true, force: true });
  });

  for (const server of ['everything', 'memory']) {
    test(`lists, calls, and is refused at ${server}, with a token in a header`, async () => {
      const { granted, tool, allowed, says, denied } = real.questions[server]!;
      const transport = new StdioClientTransport({
        command: process.execPath,
        // No space after the colon: some clients that start it cannot pass one.
        args: [npm.mcpRemote, real.gateway.endpoint(server), '--transport', 'http-only', '--header', 'Authorization:${AUTHORIZATION}'],
        env: {
          PATH: process.env['PATH'] ?? '',
          HOME: home,
          MCP_REMOTE_CONFIG_DIR: home,
          AUTHORIZATION: `Bearer ${await real.gateway.token('alice', server)}`,
        },
        stderr: 'ignore',
      });
      const client = new Client({ name: 'test', version: '1' });
      await client.connect(transport);
      try {
        const { tools } = await client.listTools();
        assert.deepEqual(tools.map(({ name }) => name).sort(), [...granted]);
        const yes = await client.callTool({ name: tool, arguments: { ...allowed } });
        assert.match(JSON.stringify(yes.content), /entities|Echo: hello/);
        assert.match((yes.content as { text: string }[])[0]!.text, says);
        const no = await client.callTool({ name: tool, arguments: { ...denied } });
        assert.equal(no.isError, true);
        assert.match((no.content as { text: string }[])[0]!.text, refusal);
      } finally {
        await client.close();
      }
    });
  }
});
