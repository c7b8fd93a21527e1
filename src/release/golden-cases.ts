import type { Entrypoint } from '../model/decision.ts';
import { canonical } from '../model/digest.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { PolicyEngine } from '../model/ports.ts';

/** One recorded question and its whole answer, as a file under `cases/` holds them: `{"<rule>": [case, …]}`. */
export interface GoldenCase {
  readonly file: string;
  readonly name: string;
  readonly entrypoint: Entrypoint;
  readonly input: JsonObject;
  readonly expect: Json;
  /** Replaces keys at the top of the release's data. */
  readonly data?: JsonObject;
}

const deadlineMs = 5_000;

/** The cases in `files` (path to JSON text). @throws SyntaxError that names the file */
export function readGoldenCases(files: Readonly<Record<string, string>>): GoldenCase[] {
  return Object.entries(files).flatMap(([file, text]) => {
    try {
      const groups = JSON.parse(text) as Readonly<Record<string, Omit<GoldenCase, 'file'>[]>>;
      return Object.values(groups).flatMap((cases) => cases.map((golden) => ({ ...golden, file })));
    } catch (cause) {
      throw new SyntaxError(`\`${file}\` is no file of golden cases: ${String(cause)}`, { cause });
    }
  });
}

/**
 * Asks every case of the engine that `engineWith` gives for the data the case lays over the release's own (none: `undefined`); gives the first
 * difference in words. The policy's own tests run in OPA's interpreter: this is the proof that the compiled module answers the same.
 */
export async function runGoldenCases(
  engineWith: (data: JsonObject | undefined) => Promise<PolicyEngine>,
  cases: readonly GoldenCase[],
): Promise<string | undefined> {
  for (const { file, name, entrypoint, input, expect, data } of cases) {
    const engine = await engineWith(data);
    const given = await engine.evaluate(entrypoint as 'gateway/call', JSON.stringify(input), deadlineMs);
    const answer = given.ok ? canonical(given.answer as unknown as Json) : `${given.fault}: ${given.message}`;
    if (answer !== canonical(expect)) return `golden case \`${name}\` of \`${file}\` gives ${answer} and expects ${canonical(expect)}`;
  }
  return undefined;
}
