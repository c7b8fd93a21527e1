import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { RunningGateway } from '../../../src/cli/application.ts';

const main = new URL('../../../src/main.ts', import.meta.url).pathname;
const startLimitMs = 30_000;

/** The gateway as its users run it: a process of its own. */
export interface GatewayProcess extends RunningGateway {
  readonly pid: number;
  readonly child: ChildProcess;
  /** What it wrote, both streams. */
  readonly output: () => string;
  /** Its exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
}

/** Starts `castellan serve`. `close` ends it with SIGTERM; `reload` sends SIGHUP. @throws Error with its output when it does not listen */
export async function startGatewayProcess(configPath: string): Promise<GatewayProcess> {
  const child = spawn(process.execPath, [main, 'serve', '--config', configPath], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const keep = (chunk: Buffer): void => void (text = (text + chunk.toString()).slice(-1_000_000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  const endMs = performance.now() + startLimitMs;
  let url: string | undefined;
  while ((url = /castellan listens on (\S+)/.exec(text)?.[1]) === undefined) {
    if (child.exitCode !== null || performance.now() > endMs) {
      child.kill('SIGKILL');
      throw new Error(`the gateway did not start:\n${text}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    url,
    pid: child.pid ?? 0,
    child,
    output: () => text,
    ended,
    reload: () => Promise.resolve(child.kill('SIGHUP')),
    close: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}
