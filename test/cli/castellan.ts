import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const timeoutMs = 60_000;
/** Halves what a start costs, from the second on. */
const compileCache = join(tmpdir(), 'castellan-test-compile-cache');

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to an environment that has nothing of this process but its path. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A command that runs. */
export class RunningCommand {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  #changed: () => void = () => undefined;

  constructor(args: readonly string[], { cwd, env }: CommandOptions = {}) {
    const { PATH = '' } = process.env;
    const own = { PATH, TMPDIR: tmpdir(), HOME: '/nonexistent', NODE_COMPILE_CACHE: compileCache };
    this.#child = spawn(process.execPath, [main, ...args], { cwd, env: { ...own, ...env } });
    this.#child.stdin.end();
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
      this.#changed();
    });
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
      this.#changed();
    });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code) => {
        clearTimeout(timer);
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
        this.#changed();
      });
    });
  }

  /** What `find` gives of the output so far, once it gives something. @throws Error when the command ended before */
  async saw<Found>(find: (command: RunningCommand) => Found | undefined | false): Promise<Found> {
    const end = { over: false };
    void this.ended.then(() => (end.over = true));
    for (;;) {
      const found = find(this);
      if (found !== undefined && found !== false) return found;
      if (end.over) throw new Error(`the command ended first\n${this.stdout}\n${this.stderr}`);
      await new Promise<void>((resolve) => (this.#changed = resolve));
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  signal(name: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void {
    this.#child.kill(name);
  }

  /** As if whoever read standard output went away. */
  stopReading(): void {
    this.#child.stdout.destroy();
  }
}

/** Runs one command line to its end. */
export function castellan(args: readonly string[], options?: CommandOptions): Promise<Ended> {
  return new RunningCommand(args, options).ended;
}
