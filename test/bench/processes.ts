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

/** One candidate, ready; `pinned` to the gateway's CPU as the harness does it. */
export function startCandidate({ name, folder, port }: Candidate, pinned: boolean): Promise<Running> {
  const program = [process.execPath, join(projectFolder, 'test/bench/serve.mjs'), folder];
  const [first = '', ...args] = pinned ? ['taskset', '-c', '0', ...program] : program;
  const isUp = (): Promise<boolean> => answers(`http://127.0.0.1:${port}/readyz`, 200);
  return startProcess(name, first, args, isUp, { ...process.env, NODE_ENV: 'production' });
}
