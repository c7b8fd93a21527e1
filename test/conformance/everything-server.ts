import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/demo/demo-setup.ts';
import { answers, startProcess, type Running } from '../support/running.ts';

const version = 'v1.8.0';
const module = 'github.com/modelcontextprotocol/go-sdk/conformance/everything-server';
const cacheFolder = fileURLToPath(new URL(`../../.castellan/conformance/go-sdk-${version}`, import.meta.url));

/** The MCP server that the suites were written against: of the Go SDK, from the module proxy, built once and kept. */
export async function installEverythingServer(): Promise<string> {
  const program = join(cacheFolder, process.platform === 'win32' ? 'everything-server.exe' : 'everything-server');
  if (existsSync(program)) return program;
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0)
    throw new Error('the conformance tests need Go to build their server; install it from https://go.dev/dl and run this again');
  await mkdir(cacheFolder, { recursive: true });
  // `-mod` belongs to somebody's own modules and makes `go install` of a version fail.
  const flags = (process.env['GOFLAGS'] ?? '').split(/\s+/).filter((flag) => !/^-?-mod\b/.test(flag));
  const env = { ...process.env, GOBIN: cacheFolder, GOFLAGS: flags.join(' '), GOWORK: 'off' };
  await new Promise<void>((resolve, reject) => {
    const go = spawn('go', ['install', `${module}@${version}`], { cwd: tmpdir(), env, stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    go.stderr.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-2_000)));
    go.on('error', reject);
    go.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`go install ${module}@${version} failed: ${words.trim()}`))));
  });
  return program;
}

/** Starts it on a loopback port of its own. */
export async function startEverythingServer(program: string, args: readonly string[]): Promise<Running & { readonly url: string }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const running = await startProcess('everything-server', program, ['-http', `127.0.0.1:${port}`, ...args], () => answers(url));
  return { ...running, url };
}
