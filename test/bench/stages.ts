import { readdir, readFile } from 'node:fs/promises';
import type { Running } from '../support/running.ts';
import { load, startCandidate, startUpstream } from './processes.ts';
import { ours } from './setup.ts';

interface StageSum {
  readonly seconds: number;
  readonly count: number;
}

/** Clock ticks of the kernel, in which it counts a thread's time. */
const tickMs = 10;
/** Time spent waiting for somebody else: no CPU of the calling thread. */
const waits: Readonly<Record<string, string>> = {
  decide: 'the policy worker, hand-over included',
  'record-decision': "the audit worker and the disk's flush",
  send: 'the upstream',
};

/**
 * Where the time of a call goes, by a run of its own: 16 agents against the gateway with everything on. Prints the wall time of each stage
 * from `/metrics`, and the CPU time of each thread a call.
 */
export async function printStages(name: string, calls: number): Promise<void> {
  const candidate = ours.find((one) => one.name === name);
  if (candidate === undefined) throw new Error(`no candidate \`${name}\``);
  const origin = `http://127.0.0.1:${candidate.port}`;
  const upstream = await startUpstream();
  let gateway: Running | undefined;
  try {
    gateway = await startCandidate(candidate, true);
    await load(origin, 8_000);
    const [stagesBefore, threadsBefore] = [await stages(origin), await threads(gateway.pid)];
    await load(origin, calls);
    const [stagesAfter, threadsAfter] = [await stages(origin), await threads(gateway.pid)];
    console.log(`\nWhere the time of a call goes (${name}, 16 agents, a run of its own): wall time of each stage, waiting included\n`);
    console.log(stageTable(stagesBefore, stagesAfter));
    console.log('\nCPU of each thread, µs a call:');
    for (const [thread, ms] of threadsAfter) {
      const us = ((ms - (threadsBefore.get(thread) ?? 0)) * 1_000) / calls;
      if (us >= 0.5) console.log(`  ${thread.padEnd(28)} ${us.toFixed(0).padStart(6)}`);
    }
  } finally {
    await gateway?.stop();
    await upstream.stop();
  }
}

/** The gateway's own sums of each stage. */
async function stages(origin: string): Promise<ReadonlyMap<string, StageSum>> {
  const text = await (await fetch(`${origin}/metrics`)).text();
  const sums = new Map<string, StageSum>();
  for (const [, kind, stage = '', value] of text.matchAll(/^castellan_stage_seconds_(sum|count)\{stage="([^"]+)"\} (\S+)$/gm)) {
    const before = sums.get(stage) ?? { seconds: 0, count: 0 };
    sums.set(stage, { ...before, [kind === 'sum' ? 'seconds' : 'count']: Number(value) });
  }
  return sums;
}

function stageTable(before: ReadonlyMap<string, StageSum>, after: ReadonlyMap<string, StageSum>): string {
  const lines = ['| stage | runs | µs a run | waits for |', '| --- | --- | --- | --- |'];
  for (const [stage, sum] of after) {
    const count = sum.count - (before.get(stage)?.count ?? 0);
    const us = ((sum.seconds - (before.get(stage)?.seconds ?? 0)) / count) * 1_000_000;
    if (count > 0) lines.push(`| ${stage} | ${count} | ${us.toFixed(1)} | ${waits[stage] ?? ''} |`);
  }
  return lines.join('\n');
}

/** CPU time so far of each thread of a process, in ms, by name and number; empty where the system does not tell. */
export async function threads(pid: number): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  try {
    for (const task of await readdir(`/proc/${pid}/task`)) {
      const stat = await readFile(`/proc/${pid}/task/${task}/stat`, 'utf8');
      const [user = 0, system = 0] = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 13)
        .map(Number);
      const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
      found.set(`${task === String(pid) ? 'main' : name} ${task}`, (user + system) * tickMs);
    }
  } catch {
    return found; // not Linux, or the thread is gone: the table shows what is known
  }
  return found;
}
