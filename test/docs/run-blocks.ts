import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import assert from 'node:assert/strict';
import { blocks, root, type Page } from './markdown.ts';

const end = '\u001e';
const blockLimitMs = 60_000;

/** A scratch folder in which the commands of a page are run; `castellan` is on its path. */
export async function scratchFolder(): Promise<{ readonly folder: string; readonly env: Record<string, string>; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-docs-'));
  const bin = join(folder, '.bin');
  await mkdir(bin);
  await writeFile(join(bin, 'castellan'), `#!/bin/sh\nexec node '${join(root, 'src', 'main.ts')}' "$@"\n`);
  await chmod(join(bin, 'castellan'), 0o755);
  await symlink(join(root, 'docs'), join(folder, 'docs'));
  const env = {
    PATH: [bin, dirname(process.execPath), process.env['PATH'] ?? ''].join(':'),
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, '.config'),
    TMPDIR: tmpdir(),
    NODE_COMPILE_CACHE: join(tmpdir(), 'castellan-test-compile-cache'),
  };
  return { folder, env, close: () => rm(folder, { recursive: true, force: true }) };
}

export interface RunOptions {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Hears what the commands say on standard error while they run. */
  readonly onNote?: (text: string) => void;
  /** Awaited after each block. */
  readonly settled?: () => Promise<void>;
}

/**
 * Runs the page's blocks that are marked `sh run`, one after the other in one shell that ends at the first failure, and holds what each prints
 * against the `text` block that follows it.
 */
export async function runBlocks(page: Page, { folder, env, onNote, settled }: RunOptions): Promise<number> {
  const shell = spawn('bash', ['-euo', 'pipefail', '-s'], { cwd: folder, env, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let notes = '';
  let changed = (): void => undefined;
  shell.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    changed();
  });
  shell.stderr.on('data', (chunk: Buffer) => {
    notes += chunk.toString();
    onNote?.(notes);
  });
  const closed = new Promise<void>((resolve) => shell.on('close', () => resolve()));
  const state = { over: false };
  void closed.then(() => {
    state.over = true;
    changed();
  });
  let count = 0;
  const all = blocks(page);
  try {
    for (const [index, block] of all.entries()) {
      if (block.info !== 'sh run') continue;
      const place = `${page.path}:${block.line}`;
      [output, notes] = ['', ''];
      // Grouped, so that the shell has read all of it before a command can read from its standard input.
      shell.stdin.write(`{\n${block.text}} </dev/null\nprintf '\\036'\n`);
      const timer = setTimeout(() => shell.kill('SIGKILL'), blockLimitMs);
      while (!output.includes(end)) {
        if (state.over) {
          clearTimeout(timer);
          assert.fail(`${place} failed\n${output}\n${notes}`);
        }
        await new Promise<void>((resolve) => (changed = resolve));
      }
      clearTimeout(timer);
      const next = all[index + 1];
      if (next?.info === 'text') assert.match(output.replace(end, ''), pattern(next.text), `what ${place} prints`);
      await settled?.();
      count++;
    }
  } finally {
    shell.stdin.end();
    await closed;
  }
  return count;
}

/** Expected output: `…` stands for anything, runs of spaces for each other. */
function pattern(text: string): RegExp {
  const escaped = text.trimEnd().replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/ {2,}/g, ' +').replaceAll('…', '[^]*?')}\\s*$`);
}
