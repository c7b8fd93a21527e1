import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../src/demo/demo-setup.ts';
import { newTestKey, startTestIssuer } from '../../identity/test-issuer.ts';
import { answers, startProcess, type Running } from '../../support/running.ts';
import { changeData, changedData, projectFolder } from '../setup.ts';
import { load } from './load.ts';

/**
 * The comparison for where the harness is not: a bare undici relay and the gateway with everything on, in front of the same server, 16 agents.
 * False when the gateway failed a call.
 */
export async function runSmall(calls: number): Promise<boolean> {
  const closing: (() => Promise<unknown>)[] = [];
  try {
    const upstream = await startNode('upstream.ts', []);
    closing.push(() => upstream.stop());
    const relay = await startNode('relay.ts', [String(upstream.port)]);
    closing.push(() => relay.stop());
    const gateway = await startGateway(upstream.port, closing);
    const targets = [
      {
        name: 'undici relay',
        origin: `http://127.0.0.1:${relay.port}`,
        path: '/mcp',
        cpuMs: () => number(`http://127.0.0.1:${relay.port}/cpu`),
      },
      { name: 'castellan', ...gateway },
    ];
    console.log(
      '| candidate | CPU ms a call, 16 agents | × relay | calls/s | p50 ms | p99 ms | failed |\n| --- | --- | --- | --- | --- | --- | --- |',
    );
    let relayCpu = 0;
    let failed = 0;
    for (const { name, origin, path, cpuMs, token } of targets as readonly (typeof gateway & { name: string })[]) {
      await load(origin, path, 16, Math.min(calls, 5_000), token);
      const before = await cpuMs();
      const result = await load(origin, path, 16, calls, token);
      const cpu = ((await cpuMs()) - before) / result.calls;
      relayCpu ||= cpu;
      failed += result.failed;
      const cells = [name, cpu.toFixed(3), (cpu / relayCpu).toFixed(2), (result.calls / result.seconds).toFixed(0)];
      console.log(`| ${[...cells, result.p50Ms.toFixed(2), result.p99Ms.toFixed(2), result.failed].join(' | ')} |`);
    }
    console.log(`\ncastellan: JWT, the shipped policies on call and result, content scan, audit on SQLite; ${changedData}`);
    return failed === 0;
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

async function number(url: string): Promise<number> {
  return Number(await (await fetch(url)).text());
}

/** One of the programs here, as a process that prints its port. */
async function startNode(file: string, args: readonly string[]): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
    child.on('exit', (code) => reject(new Error(`${file} ended with code ${String(code)}`)));
  });
  return {
    port,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

interface Target {
  readonly origin: string;
  readonly path: string;
  readonly token?: string;
  readonly cpuMs: () => Promise<number>;
}

async function startGateway(upstreamPort: number, closing: (() => Promise<unknown>)[]): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-bench-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const issuer = await startTestIssuer();
  closing.push(() => issuer.close());
  const key = newTestKey('ES256');
  issuer.publish(key);
  for (const copied of ['policies', 'policy-tests']) await cp(join(projectFolder, copied), join(folder, copied), { recursive: true });
  await changeData(join(folder, 'policies', 'data.json'));
  const port = await freePort();
  await writeFile(
    join(folder, 'castellan.yaml'),
    `version: 1
listen: { host: 127.0.0.1, port: ${port} }
issuers:
  - { issuer: "${issuer.issuer}", audience: [mcp], algorithms: [ES256], token_types: [JWT] }
upstreams:
  bench: { http: { url: "http://127.0.0.1:${upstreamPort}/mcp" }, labels: [read] }
endpoints:
  bench: { upstreams: [{ name: bench }] }
policy: { run_tests: false, cache_dir: releases }
store: { sqlite: { path: castellan.db } }
log: { level: warn }
`,
  );
  const origin = `http://127.0.0.1:${port}`;
  const gateway: Running = await startProcess(
    'the gateway',
    process.execPath,
    [join(projectFolder, 'test/bench/serve.mjs'), folder],
    () => answers(`${origin}/readyz`, 200),
    { ...process.env, NODE_ENV: 'production' },
  );
  closing.push(() => gateway.stop());
  const nowS = Math.floor(Date.now() / 1_000);
  const claims = { iss: issuer.issuer, aud: 'mcp', sub: 'small', groups: ['dev'], client_id: 'small', iat: nowS, exp: nowS + 3_600 };
  const token = await issuer.sign(claims, { typ: 'JWT' }, key);
  const cpuMs = async (): Promise<number> => {
    const text = await (await fetch(`${origin}/metrics`)).text();
    return Number(/^process_cpu_seconds_total (\S+)/m.exec(text)?.[1]) * 1_000;
  };
  return { origin, path: '/mcp/bench', token, cpuMs };
}
