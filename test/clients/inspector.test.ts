import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runProgram, type ProgramEnd } from './program-run.ts';
import { refusal, startRealServers, type RealServers } from './real-servers.ts';
import { missing, programs } from './tools.ts';

describe("the inspector's CLI", { skip: missing('inspector'), timeout: 180_000 }, () => {
  let real: RealServers;
  let home: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'castellan-inspector-'));
    real = await startRealServers(['everything']);
  });
  after(async () => {
    await real.close();
    await rm(home, { recursive: true, force: true });
  });

  for (const era of ['legacy', 'modern', 'auto'] as const) {
    const inspect = async (...args: string[]): Promise<ProgramEnd> => {
      const config = join(home, `${era}.json`);
      const headers = { Authorization: `Bearer ${await real.gateway.token('alice', 'everything')}` };
      const gateway = { type: 'streamable-http', url: real.gateway.endpoint('everything'), headers, protocolEra: era };
      await writeFile(config, JSON.stringify({ mcpServers: { gateway } }));
      return runProgram(process.execPath, [programs.inspector, '--cli', '--config', config, '--server', 'gateway', ...args], {
        HOME: home,
      });
    };

    test(`in era ${era} lists the tools that are granted, and finds nothing to complain about in them`, async () => {
      const { code, stdout, stderr } = await inspect('--method', 'tools/list', '--strict');
      assert.equal(code, 0, stdout + stderr);
      const { tools } = JSON.parse(stdout) as { tools: { name: string }[] };
      assert.deepEqual(tools.map(({ name }) => name).sort(), [...real.questions['everything']!.granted]);
    });

    test(`in era ${era} calls a tool, and shows why a call is refused`, async () => {
      const call = (message: string): Promise<ProgramEnd> =>
        inspect('--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', `message=${message}`);
      const allowed = await call('hello');
      assert.equal(allowed.code, 0, allowed.stdout + allowed.stderr);
      assert.match(allowed.stdout, /Echo: hello/);
      const denied = await call('forbidden');
      assert.notEqual(denied.code, 0, 'a tool error is a failure of the command');
      assert.match(denied.stdout + denied.stderr, refusal);
    });
  }
});
