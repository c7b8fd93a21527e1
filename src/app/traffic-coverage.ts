import type { CoverageRequest } from '../cli/replay-tools.ts';
import { GatewayError } from '../model/errors.ts';
import type { Opa } from '../rego/opa.ts';
import { entrypointsOf } from '../release/policy-source.ts';
import { vocabularyOf, literalsOf } from '../replay/tokens/vocabulary.ts';
import { readTraffic } from '../replay/traffic-classes.ts';
import { trafficCoverage, type KnownRule, type TrafficCoverage } from '../replay/traffic-coverage.ts';
import { openCandidate } from './candidate.ts';
import { withOpa, withTraffic } from './traffic.ts';

/** The interpreter takes some milliseconds for each input, several times that on a busy machine. */
const timeoutMs = 600_000;
const ruleSets = new Set(['allow', 'deny', 'require_approval', 'redact', 'label', 'limit']);

/** `castellan policy coverage`. @throws GatewayError `request.invalid`, `policy.invalid`, `store.unavailable` */
export async function coverByTraffic({ traffic: source, policy: named, maxClasses }: CoverageRequest): Promise<TrafficCoverage> {
  return withTraffic(source, async ({ recorded, filter, policy = 'policies' }) => {
    const traffic = await readTraffic(recorded, filter, maxClasses);
    return withOpa(async (opa) => {
      const { source: text, dataJson, name } = await openCandidate(opa, named ?? policy, policy);
      if (text.bundle?.wasm !== undefined)
        throw new GatewayError('policy.invalid', `\`${name}\` is a bundle without its Rego; give the folder that it was built from`);
      const data: unknown = JSON.parse(dataJson);
      const { literals } = vocabularyOf(await literalsOf(opa, text.files), [data]);
      const patient = {
        test: (query: Parameters<Opa['test']>[0]) => opa.test(query, { timeoutMs }),
        eval: (query: Parameters<Opa['eval']>[0]) => opa.eval({ ...query, bundle: true }, { timeoutMs }),
      };
      return trafficCoverage(patient, { files: text.files, rules: await rulesOf(opa, text.files), literals, data }, traffic);
    });
  });
}

async function rulesOf(opa: Opa, files: Readonly<Record<string, string>>): Promise<readonly KnownRule[]> {
  const { packages } = await opa.analyse({ files, entrypoints: entrypointsOf({ files }) });
  return packages.flatMap(({ path, rules, annotations, files: [file = ''] }) => {
    const [root, ...steps] = path.split('/');
    const sets = rules.map(({ name }) => name).filter((name) => ruleSets.has(name));
    if (root !== 'rules' || steps.length !== 2 || sets.length === 0) return [];
    const title = annotations.find((one) => one.title !== undefined)?.title;
    return [{ rule: steps.join('/'), ...(title === undefined ? {} : { title }), sets, file }];
  });
}
