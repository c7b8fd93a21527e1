import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { GatewayError } from '../model/errors.ts';

const run = promisify(execFile);
const timeoutMs = 30_000;
const maxFileBytes = 64 * 1_048_576;

/**
 * Gives `work` a folder with the policy at a revision: the revision itself where it is a folder, else what Git has of `folder` at it, written out
 * for as long as `work` takes. Links are left out; nothing of the repository's own configuration is run.
 * @throws GatewayError `request.invalid` where it is neither
 */
export async function withRevision<T>(folder: string, revision: string, work: (path: string) => Promise<T>): Promise<T> {
  if (await isFolder(revision)) return work(revision);
  if (revision.startsWith('-')) throw unknown(revision, folder);
  const path = await mkdtemp(join(tmpdir(), 'castellan-revision-'));
  try {
    const listed = (await git(folder, revision, 'ls-tree', '-r', '-z', '--end-of-options', revision, '--', '.')).split('\0');
    const files = listed.flatMap((line) => {
      const [, mode = '', , name = ''] = /^(\d+) (\w+) \w+\t(.+)$/s.exec(line) ?? [];
      return mode.startsWith('100') && /\.(rego|json|ya?ml)$/.test(name) && !name.startsWith('..') ? [name] : [];
    });
    if (files.length === 0) throw unknown(revision, folder);
    for (const name of files) {
      const text = await git(folder, revision, 'show', '--end-of-options', `${revision}:./${name}`);
      await mkdir(dirname(join(path, name)), { recursive: true });
      await writeFile(join(path, name), text);
    }
    return await work(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

async function git(folder: string, revision: string, ...args: string[]): Promise<string> {
  const safe = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false'];
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };
  try {
    return (await run('git', [...safe, ...args], { cwd: folder, timeout: timeoutMs, maxBuffer: maxFileBytes, env })).stdout;
  } catch (cause) {
    throw unknown(revision, folder, cause);
  }
}

function unknown(revision: string, folder: string, cause?: unknown): GatewayError {
  const words = `\`${revision}\` is no folder, and no Git revision that has the policy folder \`${folder}\``;
  return new GatewayError('request.invalid', words, cause === undefined ? {} : { cause });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // Not there: then it is to be a Git revision.
  }
}
