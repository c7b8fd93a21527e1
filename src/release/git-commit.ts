import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const timeoutMs = 5_000;

/**
 * The commit that `path` is at, with `-dirty` appended where its files differ from it; `null` outside Git, without Git, and where Git
 * refuses. Nothing of the repository's own configuration is run: no hooks, no file system monitor.
 */
export async function gitCommit(path: string): Promise<string | null> {
  const git = async (...args: string[]): Promise<string> => {
    const safe = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false', '-c', 'core.untrackedCache=false'];
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };
    return (await run('git', [...safe, ...args], { cwd: path, timeout: timeoutMs, env })).stdout.trim();
  };
  try {
    const commit = await git('rev-parse', '--verify', 'HEAD');
    if (!/^[0-9a-f]{40,64}$/.test(commit)) return null;
    return (await git('status', '--porcelain', '--ignored=no', '--', '.')) === '' ? commit : `${commit}-dirty`;
  } catch {
    // No repository, no commit yet, no `git`: the release then has its digest alone, which is what identifies it.
    return null;
  }
}
