import { writeFile } from 'node:fs/promises';
import type { ReplayTools } from '../cli/replay-tools.ts';
import { GatewayError } from '../model/errors.ts';
import type { Opa } from '../rego/opa.ts';
import { entrypointsOf } from '../release/policy-source.ts';
import { replayFaithfully, type FaithfulOptions } from '../replay/faithful.ts';
import { independentOfHistory } from '../replay/independent.ts';
import type { ExportHead } from '../replay/recorded-file.ts';
import { replay } from '../replay/replay.ts';
import { dataLiterals, literalsOf, unservedRules, wordsOf } from '../replay/tokens/vocabulary.ts';
import { explain } from '../workshop/explain.ts';
import { openCandidate, replayBuiltins, type Candidate } from './candidate.ts';
import { explainRecorded, keptInput, mainDecision } from './explain-recorded.ts';
import { exportToFile } from './export-for-replay.ts';
import { suggest } from './suggest.ts';
import { coverByTraffic } from './traffic-coverage.ts';
import { withOpa, withTraffic } from './traffic.ts';

/** The commands over decisions on record. */
export const replayTools: ReplayTools = {
  replay: async (request) =>
    withTraffic(request.traffic, async ({ recorded, filter, policy, historyWindowMs, head }) => {
      const folder = request.policy ?? policy ?? 'policies';
      const base = request.base ?? policy;
      const opened = await withOpa(async (opa) => {
        const candidate = await openCandidate(opa, request.against, folder);
        // Its speed beside its own would say nothing.
        const inForce = base === undefined || base === request.against ? undefined : await openCandidate(opa, base, folder);
        return { candidate, inForce, unserved: await unservedBy(opa, head, candidate) };
      });
      const options = {
        recorded,
        filter,
        candidate: opened.candidate,
        base: opened.inForce,
        builtins: replayBuiltins(),
        workers: request.workers,
        onProgress: request.onProgress,
      };
      const report = await (request.mode === 'faithful'
        ? replayFaithfully({ ...options, historyWindowMs, independent: independence(opened.candidate) })
        : replay(options));
      return { ...report, unserved_rules: opened.unserved };
    }),
  coverage: coverByTraffic,
  suggest,
  exportForReplay: exportToFile,
  explain: async ({ traffic, decision, policy: named }) =>
    withTraffic(traffic, async ({ recorded, filter, policy = 'policies', database }) => {
      if (named === undefined && database !== undefined) return await explainRecorded(database.db, database.keys, filter.tenant, decision);
      const inputJson = keptInput(decision, mainDecision(decision, await recorded.ofCall(filter.tenant, decision)));
      const source = await withOpa(async (opa) => (await openCandidate(opa, named ?? policy, policy)).source);
      return withOpa(async (opa) => explain(opa, { inputJson, files: source.files }));
    }),
  async write(path, content) {
    try {
      await writeFile(path, content);
    } catch (cause) {
      throw new GatewayError('request.invalid', `\`${path}\` cannot be written; check its folder and its permissions`, { cause });
    }
  },
};

/** Partial evaluation of a candidate whose Rego is at hand. */
function independence({ source }: Candidate): FaithfulOptions['independent'] {
  if (source.bundle?.wasm !== undefined) return undefined;
  return (questions) =>
    withOpa(async (opa) => {
      const { files } = source;
      const { packages } = await opa.analyse({ files, entrypoints: entrypointsOf(source) });
      const sets = packages.flatMap(({ path, rules }) =>
        path.startsWith('rules/') ? rules.filter(({ kind }) => kind === 'set').map(({ name }) => [...path.split('/'), name]) : [],
      );
      return independentOfHistory(opa, files, sets, questions);
    });
}

/** Rules of a candidate that an export cannot serve, because they decide by values that are tokens there. */
async function unservedBy(opa: Opa, head: ExportHead | undefined, { source, dataJson }: Candidate): Promise<readonly string[]> {
  if (head?.tokenised !== true) return [];
  if (source.bundle?.wasm !== undefined) return ['(a bundle without its Rego: its literals are not known)'];
  const { literals, numbers } = head.vocabulary;
  const kept = { literals: new Set(literals), words: new Set(literals.flatMap(wordsOf)), numbers };
  return unservedRules([...(await literalsOf(opa, source.files)), dataLiterals(JSON.parse(dataJson))], kept);
}
