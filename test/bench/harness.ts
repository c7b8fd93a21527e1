import { spawn, spawnSync, type SpawnOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { benchFolder, projectFolder } from './setup.ts';

const shared = join(projectFolder, '..', 'shared', 'bench');
/** The harness's copy here: the original may be read-only, and is not ours to write into. */
export const harnessFolder = join(benchFolder, 'harness');

/** One visit of a candidate, as `run.py` writes it. */
export interface Visit {
  readonly name: string;
  readonly round: number;
  readonly load1: number;
  readonly start?: { readonly startup_ms?: number; readonly error?: string };
  readonly idle_rss_mb?: number;
  readonly exception?: string;
  readonly c1?: Phase;
  readonly c16?: Phase;
  readonly c64?: Phase;
  readonly rate?: Phase;
}

export interface Phase {
  readonly calls: number;
  readonly errors?: number;
  readonly error?: string;
  readonly error_sample?: string;
  readonly calls_per_s: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly gw_cpu_s_per_1k: number;
}

export function harnessIsThere(): boolean {
  return existsSync(join(shared, 'run.py'));
}

/** Runs a program to its end. @throws Error when it fails */
export async function run(program: string, args: readonly string[], options: SpawnOptions = {}): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 2, 2], ...options });
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('exit', resolve));
  if (code !== 0) throw new Error(`\`${[program, ...args].join(' ')}\` ended with code ${String(code)}`);
}

/** Copies the harness and builds what it needs; what was built before is used again. */
export async function prepareHarness(): Promise<void> {
  for (const tool of ['go', 'python3', 'taskset'])
    if (spawnSync(tool, [tool === 'go' ? 'version' : '--version'], { stdio: 'ignore' }).status !== 0)
      throw new Error(`the harness needs \`${tool}\`; install it and run this again`);
  await cp(shared, harnessFolder, { recursive: true, filter: (source) => !/[\\/](node_modules|results|run|peers|bin|keys)$/.test(source) });
  await writable(harnessFolder);
  for (const part of ['upstream', 'loadgen']) {
    const program = join(harnessFolder, 'bin', part);
    if (!existsSync(program)) await run('go', ['build', '-o', program, '.'], { cwd: join(harnessFolder, part) });
  }
  const relays = join(harnessFolder, 'nodegw');
  if (!existsSync(join(relays, 'node_modules'))) await run('npm', ['ci', '--silent'], { cwd: relays });
  const keys = ['keys.mjs', join(harnessFolder, 'keys'), 'http://127.0.0.1:9100', 'mcp'];
  // Made anew: its tokens live for two days.
  await run(process.execPath, keys, { cwd: relays });
}

async function writable(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }))
    if (!entry.parentPath.includes('node_modules') && !entry.isSymbolicLink()) await chmod(join(entry.parentPath, entry.name), 0o755);
}

/** Visits the candidates, round by round and interleaved, and gives what was measured. */
export async function runHarness(names: readonly string[], rounds: number, candidates: string): Promise<readonly Visit[]> {
  const out = `castellan-${Date.now()}`;
  const args = ['--only', names.join(','), '--rounds', String(rounds), '--dur', '3s', '--phases', 'start,warm,1,16,64,rate', '--out', out];
  await run('python3', ['run.py', ...args], { cwd: harnessFolder, env: { ...process.env, CANDIDATES: candidates } });
  const lines = (await readFile(join(harnessFolder, 'results', `${out}.jsonl`), 'utf8')).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Visit);
}

/** The rivals' own table of the harness, shortened to the rows that are compared most; empty where the file is not there. */
export async function rivalFigures(): Promise<string> {
  try {
    const text = await readFile(join(shared, 'RIVALS.md'), 'utf8');
    const cells = text
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.split('|').map((cell) => cell.replaceAll('*', '').trim()));
    const of = (name: string, on = ''): string | undefined => {
      const row = cells.find((cell) => cell[1]?.startsWith(name) === true && cell[2]?.startsWith(on) === true);
      return row === undefined ? undefined : `${name}${on === '' ? '' : ` (${row[2] ?? ''})`} ${row[4] ?? '?'}`;
    };
    const rows = [
      of('agentgateway', 'JWT'),
      of('Docker mcp-gateway', ''),
      of('ToolHive vmcp', 'JWT'),
      of('fastmcp proxy'),
      of('MCP SDK v1'),
    ];
    return rows.filter((row) => row !== undefined).join(' | ');
  } catch {
    return ''; // another version of the harness: the table stands without its rivals
  }
}
