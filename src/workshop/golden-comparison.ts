import { canonical } from '../model/digest.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { OpaTools } from './ports.ts';
import type { Difference, EngineTools } from './two-engines.ts';

/** One golden case, as files under `cases/` hold them. */
export interface GoldenCase {
  readonly file: string;
  readonly name: string;
  readonly entrypoint: string;
  readonly input: JsonObject;
  readonly expect: Json;
  /** Replaces keys at the top of the release's data. */
  readonly data?: JsonObject;
}

/** A compiled release, and the files that it was made of. */
export interface ComparedRelease {
  readonly files: Readonly<Record<string, string>>;
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly data: string;
  readonly builtins: readonly string[];
  readonly entrypoints: readonly string[];
}

/** Asks every golden case of OPA's interpreter and of the WASM engine; what differs between the two, or from what the case expects. */
export async function compareGoldenCases(
  opa: Pick<OpaTools, 'eval'>,
  engines: EngineTools,
  release: ComparedRelease,
  cases: readonly GoldenCase[],
): Promise<Difference[]> {
  const differences: Difference[] = [];
  const byData = Map.groupBy(cases, ({ data }) => JSON.stringify(data ?? {}));
  for (const [changes, group] of byData) {
    const interpreted = await interpret(opa, release, group, JSON.parse(changes) as JsonObject);
    const data = JSON.stringify({ ...(JSON.parse(release.data) as JsonObject), ...(JSON.parse(changes) as JsonObject) });
    const engine = await engines.load(release.wasm, data, release.entrypoints);
    for (const [index, golden] of group.entries()) {
      const expected = canonical(golden.expect);
      const wasm = evaluated(() => engine.evaluate(golden.entrypoint, JSON.stringify(golden.input)));
      const interpreter = interpreted[index] ?? 'undefined';
      if (wasm !== interpreter || wasm !== expected)
        differences.push({ kind: 'case', name: golden.name, file: golden.file, interpreter, wasm, expected });
    }
  }
  return differences;
}

/** The answers of OPA's interpreter, in the order of the cases. One query asks all of them, unless the time is asked for or one fails. */
async function interpret(
  opa: Pick<OpaTools, 'eval'>,
  release: ComparedRelease,
  cases: readonly GoldenCase[],
  changes: JsonObject,
): Promise<readonly string[]> {
  if (!release.builtins.includes('time.now_ns')) {
    try {
      return await interpretTogether(opa, release.files, cases, changes);
    } catch {
      // A case whose rules conflict ends the query of all: each is asked for itself below, and says so.
    }
  }
  const answers: string[] = [];
  for (const golden of cases) {
    const now = /"at_ns":(\d+)/.exec(JSON.stringify(golden.input))?.[1];
    const asked = interpretTogether(opa, release.files, [golden], changes, now === undefined ? undefined : BigInt(now));
    answers.push(await asked.then(([answer = 'undefined']) => answer, fault));
  }
  return answers;
}

async function interpretTogether(
  opa: Pick<OpaTools, 'eval'>,
  files: Readonly<Record<string, string>>,
  cases: readonly GoldenCase[],
  changes: JsonObject,
  nowNs?: bigint,
): Promise<readonly string[]> {
  const answers: string[] = cases.map(() => 'undefined');
  // By `with`, and not as other data: the program stays the one that is compiled already. `with` takes variables and no references.
  const keys = Object.keys(changes);
  const taken = keys.map((key, index) => `change${index} := input.changes[${JSON.stringify(key)}]; `).join('');
  const changed = keys.map((key, index) => ` with data[${JSON.stringify(key)}] as change${index}`).join('');
  const byEntrypoint = Map.groupBy(cases.keys(), (index) => cases[index]?.entrypoint ?? '');
  for (const [entrypoint, indices] of byEntrypoint) {
    const answer = `answer := ${reference(entrypoint)} with input as asked${changed}`;
    const query = `answers := {i: answer | ${taken}some i, asked in input.cases; ${answer}}`;
    const input = JSON.stringify({ cases: indices.map((index) => cases[index]?.input), changes });
    const { result } = await opa.eval({ files, bundle: true, query, input, ...(nowNs === undefined ? {} : { nowNs }) });
    const [row] = JSON.parse(result) as readonly { readonly bindings?: { readonly answers?: JsonObject } }[];
    for (const [position, value] of Object.entries(row?.bindings?.answers ?? {})) {
      const index = indices[Number(position)];
      if (index !== undefined) answers[index] = canonical(value);
    }
  }
  return answers;
}

function reference(entrypoint: string): string {
  return `data${entrypoint
    .split('/')
    .map((part) => `[${JSON.stringify(part)}]`)
    .join('')}`;
}

function evaluated(work: () => string | undefined): string {
  try {
    const text = work();
    return text === undefined ? 'undefined' : canonical(JSON.parse(text) as Json);
  } catch (thrown) {
    return fault(thrown);
  }
}

function fault(thrown: unknown): string {
  return `fault: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
}
