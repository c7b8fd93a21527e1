import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { LineReader, type LineEvents } from './line-reader.ts';
import type { ProcessGroups } from './process-groups.ts';
import type { UpstreamTransport } from './types.ts';

/** Names that a child may inherit: what a program needs to run at all, nothing that holds a secret. */
const inherited = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'LOGNAME', 'SHELL', 'TERM', 'TMPDIR', 'TZ', 'USER'] as const;
const inheritedOnWindows = [
  'APPDATA',
  'COMSPEC',
  'HOMEDRIVE',
  'HOMEPATH',
  'LOCALAPPDATA',
  'PATHEXT',
  'SYSTEMDRIVE',
  'SYSTEMROOT',
  'TEMP',
  'USERPROFILE',
] as const;

const maxStderrLineBytes = 4_096;
/** How long the pipes of a child that ended are read on. */
const pipeGraceMs = 500;
/** What may wait for a child that does not read. */
const maxUnreadBytes = 16 * 1024 * 1024;

/** What a child tells its supervisor. */
export interface ChildEvents extends LineEvents {
  onStderr(line: string): void;
  /** Once, whatever ended it; `started` is false when it could not be started at all. */
  onExit(why: string, started: boolean): void;
}

/**
 * One child process in a process group of its own, spoken to by lines. It is started without a shell and with named environment only; when
 * it ends, or is stopped, nothing of its group stays.
 */
export class Child {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #groups: ProcessGroups;
  readonly #exited: Promise<void>;

  constructor(transport: Extract<UpstreamTransport, { kind: 'stdio' }>, maxLineBytes: number, groups: ProcessGroups, events: ChildEvents) {
    this.#groups = groups;
    const child = spawn(transport.command, transport.args, {
      cwd: transport.cwd,
      env: childEnvironment(transport.env, process.env),
      stdio: ['pipe', 'pipe', 'pipe'],
      shell: false,
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    this.#process = child;
    const { pid } = child;
    if (pid !== undefined) groups.add(pid);
    this.#exited = new Promise((resolve) => {
      let ended = false;
      const finish = (why: string, started = true): void => {
        if (ended) return;
        ended = true;
        events.onExit(why, started);
        resolve();
      };
      child.on('error', (error: NodeJS.ErrnoException) =>
        finish(`it could not be started: ${error.code ?? error.message}`, pid !== undefined),
      );
      child.on('exit', (code, signal) => {
        const why = signal === null ? `it ended with code ${String(code)}` : `it was ended by ${signal}`;
        if (pid !== undefined) groups.reap(pid);
        // What it wrote before it ended is still in the pipe; a grandchild that left the group must not hold us up, though.
        const late = setTimeout(() => finish(why), pipeGraceMs);
        child.on('close', () => {
          clearTimeout(late);
          finish(why);
        });
      });
    });
    const stdout = new LineReader(maxLineBytes, events);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stdout.on('end', () => stdout.end());
    const stderr = new LineReader(maxStderrLineBytes, {
      onLine: (line) => events.onStderr(line.toString('utf8')),
      onTooLong: () => events.onStderr('(a line over the limit)'),
    });
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A pipe breaks when the child goes: its exit is what counts and is reported above.
    child.stdin.on('error', () => undefined);
    child.stdout.on('error', () => undefined);
    child.stderr.on('error', () => undefined);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Writes one line; false when the child is gone or has too much unread. */
  write(line: string): boolean {
    const { stdin } = this.#process;
    if (!stdin.writable || stdin.writableLength > maxUnreadBytes) return false;
    stdin.write(`${line}\n`);
    return true;
  }

  /** Ends its input, then its group: asked first, forced after the grace. */
  async stop(graceMs: number): Promise<void> {
    const { pid } = this.#process;
    this.#process.stdin.end();
    if (pid === undefined) return this.#exited;
    const ask = setTimeout(() => this.#groups.signal(pid, 'SIGTERM'), graceMs / 4);
    const force = setTimeout(() => this.#groups.signal(pid, 'SIGKILL'), graceMs);
    await this.#exited;
    clearTimeout(ask);
    clearTimeout(force);
    // A grandchild may still hold the pipes open; they would keep this process alive.
    this.#process.stdout.destroy();
    this.#process.stderr.destroy();
  }

  /** Ends the whole group at once. */
  kill(): void {
    if (this.#process.pid !== undefined) this.#groups.signal(this.#process.pid, 'SIGKILL');
  }
}

/** The environment of a child: the inherited names that are set, then the configured ones. */
export function childEnvironment(named: Readonly<Record<string, string>>, own: NodeJS.ProcessEnv): Record<string, string> {
  const environment: Record<string, string> = {};
  const names = process.platform === 'win32' ? [...inherited, ...inheritedOnWindows] : inherited;
  for (const name of names) {
    const value = own[name];
    // A shell function in the environment can run code in a child shell.
    if (value !== undefined && !value.startsWith('()')) environment[name] = value;
  }
  return { ...environment, ...named };
}
