import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answers, startProcess, type Running } from '../support/running.ts';
import { harnessFolder } from './harness.ts';
import { projectFolder, type Candidate } from './setup.ts';

const upstream = '127.0.0.1:9100';

/** The harness's MCP server and token issuer, on the CPU that is not the gateway's. */
export function startUpstream(): Promise<Running> {
  const program = [join(harnessFolder, 'bin/upstream'), '-addr', upstream, '-jwks', join(harnessFolder, 'keys/jwks.json')];
  return startProcess('the upstream', 'taskset', ['-c', '1', ...program], () => answers(`http://${upstream}/jwks.json`, 200));
}

/** One candidate, ready, with the environment that the harness gives it; `pinned` to the gateway's CPU as the harness does it. */
export function startCandidate({ name, folder, port }: Candidate, pinned: boolean): Promise<Running> {
  const program = [process.execPath, join(projectFolder, 'test/bench/serve.mjs'), folder];
  const [first = '', ...args] = pinned ? ['taskset', '-c', '0', ...program] : program;
  const isUp = (): Promise<boolean> => answers(`http://127.0.0.1:${port}/readyz`, 200);
  return startProcess(name, first, args, isUp, { ...process.env, NODE_ENV: 'production', MALLOC_ARENA_MAX: '2' });
}

/** That many calls by 16 agents of the harness's generator. @throws Error when one failed */
export async function load(origin: string, calls: number): Promise<void> {
  const token = (await readFile(join(harnessFolder, 'keys/ES256.token'), 'utf8')).trim();
  const args = [
    '-url',
    `${origin}/mcp/bench`,
    '-H',
    `Authorization: Bearer ${token}`,
    '-c',
    '16',
    '-n',
    String(calls),
    '-warm',
    '0s',
    '-d',
    '60s',
  ];
  const child = spawnSync('taskset', ['-c', '1', join(harnessFolder, 'bin/loadgen'), ...args], { encoding: 'utf8' });
  const answer = JSON.parse(child.stdout) as { errors?: number; error?: string; error_sample?: string };
  if (answer.error !== undefined || answer.errors !== 0) throw new Error(`calls failed: ${answer.error ?? answer.error_sample ?? ''}`);
}
