/**
 * MCP conformance, direct and through the gateway: `npm run test:conformance`. The gateway passes when no check of a suite ends worse than
 * without it. Needs Go, for the server that the suites were written against.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installEverythingServer, startEverythingServer } from './everything-server.ts';
import { startGateway } from './gateway.ts';
import { worse, readResults, tally, type Results } from './results.ts';
import { suites, type Suite } from './suites.ts';

const suiteLimitMs = 300_000;

async function runSuite(suite: Suite, url: string): Promise<Results> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-suite-'));
  try {
    const child = spawn(process.execPath, [suite.program, ...suite.args, '--url', url, '-o', folder], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: suiteLimitMs,
    });
    let output = '';
    const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-4_000));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    await new Promise((resolve, reject) => child.on('error', reject).on('exit', resolve));
    const results = await readResults(folder);
    if (results.size === 0) throw new Error(`suite ${suite.name} against ${url} gave no result:\n${output}`);
    return results;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compare(suite: Suite, program: string): Promise<boolean> {
  const server = await startEverythingServer(program, suite.serverArgs);
  try {
    const direct = await runSuite(suite, server.url);
    const gateway = await startGateway(server.url);
    try {
      const through = await runSuite(suite, gateway.url);
      console.log(`${suite.name}: direct ${tally(direct)} | gateway ${tally(through)}`);
      const different = worse(direct, through);
      for (const words of different) console.log(`  ${words}`);
      if (different.length > 0 && gateway.tail() !== '') console.log(`  the gateway's log:\n${gateway.tail()}`);
      return different.length === 0 && [...direct.values()].some((check) => check.status === 'SUCCESS');
    } finally {
      await gateway.stop();
    }
  } finally {
    await server.stop();
  }
}

try {
  const program = await installEverythingServer();
  console.log(
    'direct: to the everything-server. gateway: through `castellan serve`, behind a relay that adds the API key which the suite cannot send.',
  );
  for (const suite of suites) if (!(await compare(suite, program))) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
