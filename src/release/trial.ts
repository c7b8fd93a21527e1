import type { Entrypoint } from '../model/decision.ts';
import { canonical } from '../model/digest.ts';
import type { JsonObject } from '../model/json.ts';
import type { PolicyEngine } from '../model/ports.ts';
import { runGoldenCases, type GoldenCase } from './golden-cases.ts';
import { smokeTest } from './smoke.ts';

/**
 * Asks a release that came up everything that it has to answer before it may come into force; gives the first fault in words. `open` brings it up
 * once more over other data, for the golden cases that lay theirs over the release's: those engines are closed again.
 */
export async function tryRelease(
  engine: PolicyEngine,
  dataJson: string,
  open: (dataJson: string) => Promise<PolicyEngine>,
  entries: readonly Entrypoint[],
  cases: readonly GoldenCase[],
): Promise<string | undefined> {
  const fault = await smokeTest(engine, entries);
  if (fault !== undefined) return fault;
  // Cases of the same data one after the other: one engine at a time.
  const keyed = cases.map((golden) => ({ golden, key: golden.data === undefined ? '' : canonical(golden.data) }));
  let trial: { readonly key: string; readonly engine: PolicyEngine } | undefined;
  const engineWith = async (data: JsonObject | undefined): Promise<PolicyEngine> => {
    if (data === undefined) return engine;
    const key = canonical(data);
    if (trial?.key === key) return trial.engine;
    await trial?.engine.close();
    trial = undefined;
    trial = { key, engine: await open(JSON.stringify({ ...(JSON.parse(dataJson) as JsonObject), ...data })) };
    return trial.engine;
  };
  try {
    const ordered = keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ golden }) => golden);
    return await runGoldenCases(engineWith, ordered);
  } finally {
    await trial?.engine.close();
  }
}
