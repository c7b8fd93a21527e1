import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SuggestAnswer, SuggestRequest } from '../cli/replay-tools.ts';
import { canonical } from '../model/digest.ts';
import { GatewayError } from '../model/errors.ts';
import type { Json } from '../model/json.ts';
import { createPolicyEngine } from '../policy/pool.ts';
import type { Opa } from '../rego/opa.ts';
import { readGoldenCases } from '../release/golden-cases.ts';
import { readPolicyTests, type PolicySource } from '../release/policy-source.ts';
import { replay } from '../replay/replay.ts';
import { replayHtml } from '../replay/report-html.ts';
import { readUse } from '../replay/suggest/observed-use.ts';
import { suggestionReadme } from '../replay/suggest/readme-text.ts';
import { suggestPolicy, type Suggestion } from '../replay/suggest/suggestion.ts';
import { compileCandidate, openCandidate, replayBuiltins, type Candidate } from './candidate.ts';
import { withOpa, withTraffic } from './traffic.ts';

const deadlineMs = 5_000;

/** `castellan policy suggest`. @throws GatewayError `request.invalid`, `policy.invalid`, `store.unavailable` */
export async function suggest({ traffic: source, policy: named, tests, output, workers }: SuggestRequest): Promise<SuggestAnswer> {
  await refuseUnlessEmpty(output);
  return withTraffic(source, async ({ recorded, filter, policy = 'policies', head }) => {
    if (head?.tokenised === true)
      throw new GatewayError(
        'request.invalid',
        'an export for replay has tokens for names and values; learn from the database, with `--config`',
      );
    const observed = await readUse(recorded, filter);
    if (observed.calls === 0) throw new GatewayError('request.invalid', 'no call that went on is on record there; nothing can be learned');
    const { suggestion, candidate, changedCases, tested } = await withOpa(async (opa) => {
      const inForce = await openCandidate(opa, named ?? policy, policy);
      if (inForce.source.bundle?.wasm !== undefined)
        throw new GatewayError(
          'policy.invalid',
          `\`${inForce.name}\` is a bundle without its Rego; give the folder that it was built from`,
        );
      const made = await suggestPolicy(observed, (files) => opa.format(files));
      const merged = await compileCandidate(opa, 'the policy in force with the suggestion', mergedSource(inForce.source, made), policy);
      const { cases } = await readPolicyTests(tests);
      return { suggestion: made, candidate: merged, changedCases: await changedBy(merged, cases), tested: await testOf(opa, made) };
    });
    const report = await replay({ recorded, filter, candidate, builtins: replayBuiltins(), workers });
    const files = {
      ...under('policies', suggestion.policy),
      ...under('policy-tests', suggestion.tests),
      'README.md': suggestionReadme(observed, suggestion, report, changedCases),
      'replay.json': `${JSON.stringify(report, null, 2)}\n`,
      'replay.html': replayHtml(report, []),
    };
    await write(output, files);
    return {
      files: Object.keys(files).sort(),
      calls: observed.calls,
      used: observed.usages.length,
      tests: tested,
      replay: report,
      changed_cases: changedCases,
    };
  });
}

function mergedSource(source: PolicySource, { policy }: Suggestion): PolicySource {
  return { ...source, files: { ...source.files, ...policy } };
}

/** Runs the suggestion's own tests. @throws GatewayError `policy.invalid` when one fails: then nothing is written */
async function testOf(opa: Opa, { policy, tests }: Suggestion): Promise<number> {
  const answer = await opa.test({
    files: { ...under('policies', policy), ...under('policy-tests', tests) },
    paths: ['policies', 'policy-tests'],
  });
  if (answer.exit_code !== 0)
    throw new GatewayError('policy.invalid', `the tests of the suggestion fail, so nothing was written: ${answer.text}`);
  return answer.results.length;
}

/** Golden cases of the repository that the merged policy answers otherwise. */
async function changedBy({ module, dataJson }: Candidate, cases: PolicySource['cases']): Promise<readonly string[]> {
  const asked = readGoldenCases(cases).filter(({ data }) => data === undefined);
  if (asked.length === 0) return [];
  const engine = await createPolicyEngine({ module, dataJson, builtins: replayBuiltins(), spares: 0, maxMemoryBytes: 256 * 1_048_576 });
  try {
    const changed: string[] = [];
    for (const { file, name, entrypoint, input, expect } of asked) {
      const given = await engine.evaluate(entrypoint as 'gateway/call', JSON.stringify(input), deadlineMs);
      if (!given.ok || canonical(given.answer as unknown as Json) !== canonical(expect)) changed.push(`${file}: ${name}`);
    }
    return changed;
  } finally {
    await engine.close();
  }
}

function under(folder: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]));
}

async function refuseUnlessEmpty(folder: string): Promise<void> {
  let names: readonly string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return;
    throw new GatewayError('request.invalid', `\`${folder}\` cannot be written; give \`--out\` a folder that is not there yet`, { cause });
  }
  if (names.length > 0)
    throw new GatewayError('request.invalid', `\`${folder}\` is not empty; give \`--out\` a folder that is not there yet`);
}

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
  } catch (cause) {
    throw new GatewayError('request.invalid', `\`${folder}\` cannot be written; check its permissions and the space there`, { cause });
  }
}
