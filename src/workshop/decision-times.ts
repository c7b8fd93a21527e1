/** Asks one question of a compiled policy, and is settled when it is answered. */
export type Ask = (entrypoint: string, inputJson: string) => Promise<{ readonly ok: boolean; readonly message?: string }>;

export interface TimedCase {
  readonly file: string;
  readonly name: string;
  readonly entrypoint: string;
  readonly input: unknown;
}

/** How long the cases of one file took, in microseconds, each from the question to its answer. */
export interface DecisionTimes {
  /** The file's path without `cases/` and `.json`: `secrets/egress`. */
  readonly set: string;
  readonly cases: number;
  /** Of the largest input. */
  readonly input_bytes: number;
  readonly p50_us: number;
  readonly p99_us: number;
}

const warmUp = 20;

/**
 * Asks the cases of each file in turn, one at a time, `count` times each.
 * @throws Error that names the case which has no answer
 */
export async function timeDecisions(ask: Ask, cases: readonly TimedCase[], count: number): Promise<DecisionTimes[]> {
  const rows: DecisionTimes[] = [];
  for (const [file, group] of Map.groupBy(cases, (golden) => golden.file)) {
    const questions = group.map(({ name, entrypoint, input }) => ({ name, entrypoint, json: JSON.stringify(input) }));
    const timesUs: number[] = [];
    for (let turn = -warmUp; turn < count; turn++) {
      for (const { name, entrypoint, json } of questions) {
        const began = performance.now();
        const { ok, message } = await ask(entrypoint, json);
        if (turn >= 0) timesUs.push((performance.now() - began) * 1_000);
        if (!ok) throw new Error(`golden case \`${name}\` of \`${file}\` has no answer: ${message ?? ''}`);
      }
    }
    timesUs.sort((a, b) => a - b);
    rows.push({
      set: file.replace(/^cases\//, '').replace(/\.json$/, ''),
      cases: group.length,
      input_bytes: Math.max(...questions.map(({ json }) => Buffer.byteLength(json))),
      p50_us: at(timesUs, 0.5),
      p99_us: at(timesUs, 0.99),
    });
  }
  return rows.sort((a, b) => (a.set < b.set ? -1 : 1));
}

function at(sorted: readonly number[], share: number): number {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}
