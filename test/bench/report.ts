import type { Phase, Visit } from './harness.ts';

/** What one candidate came to: medians over rounds. */
export interface Figures {
  readonly name: string;
  readonly cpuMs: Readonly<Record<'c1' | 'c16' | 'c64', number | undefined>>;
  readonly callsPerS: number | undefined;
  readonly addedP50Ms: number | undefined;
  readonly addedP99Ms: number | undefined;
  readonly idleRssMb: number | undefined;
  readonly startMs: number | undefined;
  readonly errors: number;
  readonly problem: string | undefined;
}

const phases = ['c1', 'c16', 'c64', 'rate'] as const;

function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return undefined;
  return sorted.length % 2 === 1 ? sorted[middle] : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Medians of each candidate; latencies are what it adds to `direct` in the same round. */
export function figures(visits: readonly Visit[]): readonly Figures[] {
  const direct = new Map(visits.filter(({ name }) => name === 'direct').map((visit) => [visit.round, visit.rate]));
  return [...new Set(visits.map(({ name }) => name))].map((name) => {
    const mine = visits.filter((visit) => visit.name === name);
    const of = (read: (visit: Visit) => number | undefined): number | undefined =>
      median(mine.map(read).filter((value): value is number => value !== undefined && Number.isFinite(value)));
    const cpu = (phase: 'c1' | 'c16' | 'c64'): number | undefined => of((visit) => visit[phase]?.gw_cpu_s_per_1k);
    const added = (key: 'p50_ms' | 'p99_ms'): number | undefined => of(({ round, rate }) => minus(rate?.[key], direct.get(round)?.[key]));
    const all = mine.flatMap((visit) => phases.map((phase) => visit[phase]).filter((one): one is Phase => one !== undefined));
    return {
      name,
      cpuMs: { c1: cpu('c1'), c16: cpu('c16'), c64: cpu('c64') },
      callsPerS: of((visit) => visit.c16?.calls_per_s),
      addedP50Ms: added('p50_ms'),
      addedP99Ms: added('p99_ms'),
      idleRssMb: of((visit) => visit.idle_rss_mb),
      startMs: of((visit) => visit.start?.startup_ms),
      errors: all.reduce((sum, { errors }) => sum + (errors ?? 0), 0),
      problem:
        mine.map(({ exception, start }) => exception ?? start?.error).find((words) => words !== undefined) ??
        all.map(({ error, error_sample: sample }) => error ?? sample).find((words) => words !== undefined),
    };
  });
}

function minus(value: number | undefined, base: number | undefined): number | undefined {
  return value === undefined || base === undefined ? undefined : value - base;
}

const shown = (value: number | undefined, digits: number): string => (value === undefined ? '–' : value.toFixed(digits));

/** The table in Markdown, as it also stands in docs/reference/benchmarks.md. */
export function table(rows: readonly Figures[]): string {
  const base = rows.find(({ name }) => name === 'node-undici')?.cpuMs.c16;
  const heads = [
    'candidate',
    'CPU ms a call, 1 agent',
    '16',
    '64',
    '× undici relay (16)',
    'calls/s (16)',
    'added p50 ms',
    'added p99 ms',
    'idle RSS MB',
    'start ms',
    'errors',
  ];
  const lines = rows.map((row) => {
    const ratio = base === undefined || row.cpuMs.c16 === undefined ? undefined : row.cpuMs.c16 / base;
    return [
      row.name,
      shown(row.cpuMs.c1, 3),
      shown(row.cpuMs.c16, 3),
      shown(row.cpuMs.c64, 3),
      shown(ratio, 2),
      shown(row.callsPerS, 0),
      shown(row.addedP50Ms, 2),
      shown(row.addedP99Ms, 2),
      shown(row.idleRssMb, 0),
      shown(row.startMs, 0),
      `${row.errors}${row.problem === undefined ? '' : ` ${row.problem.replaceAll(/\s+/g, ' ').slice(0, 120)}`}`,
    ];
  });
  return [heads, heads.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Beyond this the generator itself was kept waiting, and what is added to it says nothing. */
const busyP99Ms = 3;

/** Whether the machine was too busy for latencies: a call to the server alone was slow. */
export function isBusy(visits: readonly Visit[]): boolean {
  return visits.some(({ name, rate }) => name === 'direct' && (rate?.p99_ms ?? 0) > busyP99Ms);
}

/**
 * Whether each aim is met, in words: with the default, which keeps each decision's whole input, and without. Latencies are those of the relaxed
 * log: the full one waits for the disk's flush.
 */
export function aims(rows: readonly Figures[], busy: boolean): readonly string[] {
  const named = (name: string): Figures | undefined => rows.find((row) => row.name === name);
  const relay = named('node-undici')?.cpuMs.c16;
  const aim = (what: string, value: number | undefined, most: number, unit: string, digits = 2): string =>
    `${value === undefined ? 'unknown' : value <= most ? 'met    ' : 'NOT met'}  ${what}: ${shown(value, digits)}${unit}, aim ${most}${unit}`;
  const latency = (value: number | undefined): number | undefined => (busy ? undefined : value);
  const of = (full: Figures | undefined, relaxed: Figures | undefined, words: string): readonly string[] => {
    const cpuMs = full?.cpuMs.c16;
    return [
      aim(`${words}: CPU a call, all threads, 16 agents`, cpuMs, 0.25, ' ms', 3),
      aim(`${words}: multiple of the undici relay`, cpuMs === undefined || relay === undefined ? undefined : cpuMs / relay, 4.5, ' ×'),
      aim(`${words}: added p50 at 350 calls/s without the disk's flush`, latency(relaxed?.addedP50Ms), 1, ' ms'),
      aim(`${words}: added p99 at 350 calls/s without the disk's flush`, latency(relaxed?.addedP99Ms), 3, ' ms'),
    ];
  };
  return [
    ...of(named('castellan'), named('castellan-relaxed'), 'everything on'),
    ...of(named('castellan-digests'), named('castellan-digests-relaxed'), 'inputs not kept'),
    aim('idle RSS', named('castellan')?.idleRssMb, 150, ' MB', 0),
  ];
}
