import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/demo/demo-setup.ts';
import { startInjector } from './injector.ts';
import { answers, startProcess, type Running } from '../support/running.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const policies = fileURLToPath(new URL('policies', import.meta.url));

/**
 * The gateway as in production (`castellan serve`) in front of `upstream`, with a policy that allows everything and a key for the suite,
 * which the injector in front adds. The injector's address is the gateway's public one, as a proxy's would be.
 */
export async function startGateway(upstream: string): Promise<Running & { readonly url: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-conformance-'));
  const injector = await startInjector();
  const clean = async (): Promise<void> => {
    await injector.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const port = await freePort();
    const config = join(folder, 'castellan.yaml');
    await writeFile(config, configText(port, injector.origin, upstream));
    const gateway = `http://127.0.0.1:${port}`;
    injector.use(gateway, `Bearer ${makeKey(config)}`);
    const running = await startProcess('the gateway', process.execPath, [main, 'serve', '--config', config], () =>
      answers(`${gateway}/readyz`, 200),
    );
    return {
      pid: running.pid,
      url: `${injector.origin}/mcp/conformance`,
      tail: () => running.tail(),
      async stop() {
        await running.stop();
        await clean();
      },
    };
  } catch (error) {
    await clean();
    throw error;
  }
}

function configText(port: number, publicUrl: string, upstream: string): string {
  return `version: 1
listen: { host: 127.0.0.1, port: ${port}, public_url: "${publicUrl}" }
upstreams:
  everything: { http: { url: "${upstream}" }, labels: [read] }
endpoints:
  conformance: { upstreams: [{ name: everything }] }
policy: { path: ${JSON.stringify(policies)}, run_tests: false, watch: false, cache_dir: releases }
store: { sqlite: { path: castellan.db } }
log: { level: warn }
`;
}

function makeKey(config: string): string {
  const args = [main, 'keys', 'create', 'conformance', '--expires', '1', '--config', config, '--json'];
  const made = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`no API key could be made: ${made.stderr || made.stdout}`);
  const { key } = JSON.parse(made.stdout) as { key: string };
  return key;
}
