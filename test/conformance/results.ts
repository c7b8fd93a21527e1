import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** How one check ended. */
export interface CheckResult {
  readonly status: string;
  readonly message: string | undefined;
}

/** Every check of a run, by scenario and id; a check that a scenario makes several times is counted on. */
export type Results = ReadonlyMap<string, CheckResult>;

interface WrittenCheck {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

/** What a suite wrote: one folder a scenario, `server-<scenario>-<time>/checks.json`. */
export async function readResults(folder: string): Promise<Results> {
  const results = new Map<string, CheckResult>();
  for (const name of (await readdir(folder)).sort()) {
    const scenario = name.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
    const checks = JSON.parse(await readFile(join(folder, name, 'checks.json'), 'utf8')) as readonly WrittenCheck[];
    for (const { id, status, errorMessage } of checks) {
      let key = `${scenario}: ${id}`;
      for (let turn = 2; results.has(key); turn++) key = `${scenario}: ${id} (${turn})`;
      results.set(key, { status, message: errorMessage });
    }
  }
  return results;
}

/** `44 passed 0 failed`, as the suite itself counts. */
export function tally(results: Results): string {
  const count = (status: string): number => [...results.values()].filter((check) => check.status === status).length;
  return `${count('SUCCESS')} passed ${count('FAILURE')} failed`;
}

/** How well a check ended; what is only told (`INFO`, `SKIPPED`, not made at all) is neither good nor bad. */
const rank = (status: string | undefined): number => (status === 'SUCCESS' ? 3 : status === 'WARNING' ? 1 : status === 'FAILURE' ? 0 : 2);

/** In words, each check that ended worse through the gateway than directly. */
export function worse(direct: Results, through: Results): readonly string[] {
  const words: string[] = [];
  for (const key of new Set([...direct.keys(), ...through.keys()])) {
    const [before, after] = [direct.get(key), through.get(key)];
    if (rank(after?.status) >= rank(before?.status)) continue;
    const why = after?.message === undefined ? '' : `: ${after.message}`;
    words.push(`${key}: direct ${before?.status ?? 'not made'}, gateway ${after?.status ?? 'not made'}${why}`);
  }
  return words;
}
