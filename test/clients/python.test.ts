import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram } from './program-run.ts';
import { refusal, startRealServers, type RealServers } from './real-servers.ts';
import { missing, programs } from './tools.ts';

const script = fileURLToPath(new URL('./client.py', import.meta.url));

interface Told {
  readonly version: string;
  readonly tools: readonly string[];
  readonly answers: readonly { readonly text: string; readonly isError: boolean }[];
}

describe("Python's mcp package", { skip: missing('python', 'timeServer'), timeout: 180_000 }, () => {
  let real: RealServers;
  before(async () => void (real = await startRealServers(['everything', 'time'])));
  after(() => real.close());

  for (const [mode, version] of [
    ['legacy', '2025-11-25'],
    ['auto', '2026-07-28'],
    ['2026-07-28', '2026-07-28'],
  ] as const) {
    for (const server of ['everything', 'time']) {
      test(`in mode ${mode} lists, calls, and is refused at ${server}`, async () => {
        const { granted, tool, allowed, says, denied } = real.questions[server]!;
        const args = [script, real.gateway.endpoint(server), mode, tool, JSON.stringify(allowed), JSON.stringify(denied)];
        const { code, stdout, stderr } = await runProgram(programs.python, args, {
          TOKEN: await real.gateway.token('alice', server),
          PYTHONDONTWRITEBYTECODE: '1',
        });
        assert.equal(code, 0, stderr);
        const told = JSON.parse(stdout) as Told;
        assert.deepEqual([told.version, [...told.tools].sort()], [version, [...granted]]);
        assert.match(told.answers[0]!.text, says);
        assert.match(told.answers[1]!.text, refusal);
        assert.deepEqual(
          told.answers.map(({ isError }) => isError),
          [false, true],
        );
      });
    }
  }
});
