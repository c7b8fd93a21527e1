/** The time that went into one stage. */
export interface StageTime {
  readonly stage: string;
  readonly count: number;
  readonly totalMs: number;
}

/** Sums up the time of each stage of calls. Adding to it is a map look-up and two additions. */
export class StageTimer<Stage extends string = string> {
  readonly #times = new Map<string, { count: number; totalMs: number }>();

  /** The stages, in the order in which they are shown. */
  constructor(stages: readonly Stage[]) {
    for (const stage of stages) this.#times.set(stage, { count: 0, totalMs: 0 });
  }

  /** A stage that is not one of the constructor's is not counted. */
  add(stage: Stage, elapsedMs: number): void {
    const time = this.#times.get(stage);
    if (time === undefined) return;
    time.count++;
    time.totalMs += elapsedMs;
  }

  read(): readonly StageTime[] {
    return [...this.#times].map(([stage, { count, totalMs }]) => ({ stage, count, totalMs }));
  }

  reset(): void {
    for (const time of this.#times.values()) time.count = time.totalMs = 0;
  }
}

/** Where the time of a call went, one line a stage: runs, microseconds a run, share of all. */
export function stageTable(times: readonly StageTime[]): string {
  const totalMs = times.reduce((sum, time) => sum + time.totalMs, 0);
  const width = Math.max(5, ...times.map(({ stage }) => stage.length));
  const row = (stage: string, count: string, mean: string, share: string): string =>
    `${stage.padEnd(width)} ${count.padStart(9)} ${mean.padStart(10)} ${share.padStart(6)}`;
  const lines = times.map(({ stage, count, totalMs: ms }) =>
    row(
      stage,
      String(count),
      count === 0 ? '–' : ((ms / count) * 1000).toFixed(1),
      totalMs === 0 ? '–' : `${((ms / totalMs) * 100).toFixed(1)}%`,
    ),
  );
  return [row('stage', 'runs', 'µs a run', 'share'), ...lines].join('\n');
}
