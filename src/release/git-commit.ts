import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const timeoutMs = 5_000;

/**
 * The commit that `path` is at, with `-dirty` appended where its files differ from it; `null` outside Git, without Git, and where Git
 * refuses. Nothing of the repository's own configuration is run: no hooks, no file system monitor.
 */
export async function gitCommit(path: string): Promise<string | null> {
  const safe = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false', '-c', 'core.untrackedCache=false'];
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };
  // One process for both answers: starting one holds up this thread, and this is asked again and again while calls are served.
  const status = ['status', '--porcelain=v2', '--branch', '--ignored=no', '--', '.'];
  try {
    const lines = (await run('git', [...safe, ...status], { cwd: path, timeout: timeoutMs, env })).stdout.split('\n');
    const [commit] = lines.flatMap((line) => /^# branch\.oid ([0-9a-f]{40,64})$/.exec(line)?.[1] ?? []);
    if (commit === undefined) return null;
    return lines.every((line) => line === '' || line.startsWith('# ')) ? commit : `${commit}-dirty`;
  } catch {
    // No repository, no commit yet, no `git`: the release then has its digest alone, which is what identifies it.
    return null;
  }
}
