import { execFileSync, spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const hasGo = spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0;

/** Why a test that needs a Go program cannot run here, if it cannot. In CI it must. */
export const withoutGo = hasGo || process.env['CI'] !== undefined ? false : 'the go command is not installed';

const binaries = join(tmpdir(), 'castellan-test-go');

/** Builds the program of a folder of this repository; Go's own cache makes a second time quick. */
export function buildGo(folder: string, name: string): string {
  mkdirSync(binaries, { recursive: true });
  const path = join(binaries, name);
  // Without flags of its own, so that what `go install` compiled already is not compiled again.
  execFileSync('go', ['build', '-o', path, '.'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, GOFLAGS: '' },
  });
  return path;
}

/** Installs a pinned program from the module proxy. */
export function installGo(module: string, version: string): string {
  mkdirSync(binaries, { recursive: true });
  execFileSync('go', ['install', `${module}@${version}`], {
    cwd: tmpdir(),
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, GOFLAGS: '', GOBIN: binaries },
  });
  return join(binaries, module.split('/').at(-1) ?? '');
}

/** A program that runs: its lines of output so far. */
export interface RunningProgram {
  readonly lines: readonly string[];
  /** Resolves with the first line that fits. */
  line(fits: (line: string) => boolean): Promise<string>;
  stop(): Promise<void>;
  /** Ends it at once, whatever it does. */
  kill(): Promise<void>;
}

/** Starts a program; standard error belongs to its lines too. */
export function startProgram(path: string, args: readonly string[]): RunningProgram {
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      for (const wake of waiting) wake();
    });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    lines,
    line: (fits) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.find(fits);
          if (found === undefined) return;
          waiting.delete(look);
          clearTimeout(timer);
          resolve(found);
        };
        const timer = setTimeout(() => reject(new Error(`\`${path}\` did not say it: ${lines.slice(-5).join(' / ')}`)), 20_000);
        waiting.add(look);
        look();
      }),
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
      await ended;
      clearTimeout(timer);
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
