import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** A child process that was started here. */
export interface Running {
  readonly pid: number;
  /** The end of what it wrote, for messages. */
  readonly tail: () => string;
  stop(): Promise<void>;
}

const startLimitMs = 60_000;
const stopLimitMs = 10_000;

/** Starts a program and waits until `isUp` says so. @throws Error with the end of its output when it ends or takes too long */
export async function startProcess(
  name: string,
  program: string,
  args: readonly string[],
  isUp: () => Promise<boolean>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Running> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-4_000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  let failed: string | undefined;
  child.on('error', (error) => (failed = error.message));
  child.on('exit', (code, signal) => (failed ??= `it ended with ${signal ?? `code ${String(code)}`}`));
  const running: Running = {
    pid: child.pid ?? 0,
    tail: () => output.trim(),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopLimitMs);
      await ended;
      clearTimeout(timer);
    },
  };
  const since = performance.now();
  while (!(await isUp())) {
    if (failed !== undefined) throw new Error(`${name} did not start: ${failed}\n${output.trim()}`);
    if (performance.now() - since > startLimitMs) {
      await running.stop();
      throw new Error(`${name} did not start within ${startLimitMs / 1000} s\n${output.trim()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return running;
}

/** Whether anything answers HTTP there; with `status`, whether it answers that. */
export async function answers(url: string, status?: number): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000), headers: { accept: 'application/json' } });
    await response.body?.cancel();
    return status === undefined || response.status === status;
  } catch {
    return false; // not yet: the caller asks again, and gives up in time
  }
}
