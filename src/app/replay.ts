import { writeFile } from 'node:fs/promises';
import type { ReplayTools, TrafficSource } from '../cli/replay-tools.ts';
import { loadConfig } from '../config/load.ts';
import { GatewayError } from '../model/errors.ts';
import type { RecordedDecision, RecordedDecisions, RecordedFilter } from '../model/recorded.ts';
import { Opa } from '../rego/opa.ts';
import { RecordedFile } from '../replay/recorded-file.ts';
import { replayFaithfully } from '../replay/faithful.ts';
import { replay } from '../replay/replay.ts';
import { explain } from '../workshop/explain.ts';
import { openCandidate, replayBuiltins } from './candidate.ts';
import { withRecorded } from './recorded.ts';

/** The commands over decisions on record. */
export const replayTools: ReplayTools = {
  replay: async (request) =>
    withTraffic(request.traffic, async ({ recorded, filter, policy, historyWindowMs }) => {
      const folder = request.policy ?? policy ?? 'policies';
      const base = request.base ?? policy;
      const { candidate, inForce } = await withOpa(async (opa) => ({
        candidate: await openCandidate(opa, request.against, folder),
        // Its speed beside its own would say nothing.
        inForce: base === undefined || base === request.against ? undefined : await openCandidate(opa, base, folder),
      }));
      const options = {
        recorded,
        filter,
        candidate,
        base: inForce,
        builtins: replayBuiltins(),
        workers: request.workers,
        onProgress: request.onProgress,
      };
      return request.mode === 'faithful' ? replayFaithfully({ ...options, historyWindowMs }) : replay(options);
    }),
  explain: async ({ traffic, decision, policy: named }) =>
    withTraffic(traffic, async ({ recorded, filter, policy = 'policies' }) => {
      const inputJson = inputOf(decision, await recorded.ofCall(filter.tenant, decision));
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

/** The input of the call's last decision that was not of its result. @throws GatewayError `not_found`, `request.invalid` where the input is gone */
function inputOf(call: string, decisions: readonly RecordedDecision[]): string {
  const found = decisions.findLast(({ entry }) => entry === 'gateway/call' || entry === 'gateway/message') ?? decisions.at(-1);
  if (found === undefined) throw new GatewayError('not_found', `there is no decision \`${call}\` on record; give the id of a call`);
  const { input } = found;
  if (input.state === 'kept') return input.json;
  const why = input.state === 'masked' ? 'masked' : input.why.replaceAll('_', ' ');
  throw new GatewayError('request.invalid', `the input of \`${call}\` is ${why}; give one like it with \`--input\``);
}

/** Decisions on record, and what is known about where they come from. */
export interface Traffic {
  readonly recorded: RecordedDecisions;
  readonly filter: RecordedFilter;
  /** The policy in force, where a configuration says which. */
  readonly policy: string | undefined;
  /** How long history reaches. */
  readonly historyWindowMs: number;
}

/** Gives `work` what is on record. @throws GatewayError `request.invalid`, `store.unavailable` */
export async function withTraffic<T>(source: TrafficSource, work: (traffic: Traffic) => Promise<T>): Promise<T> {
  const { configPath, from, env, sinceMs, untilMs } = source;
  const window = { ...(sinceMs === undefined ? {} : { sinceMs }), ...(untilMs === undefined ? {} : { untilMs }) };
  if (from !== undefined) {
    const recorded = new RecordedFile(from);
    const head = await recorded.head();
    return work({ recorded, filter: { tenant: '', ...window }, policy: undefined, historyWindowMs: head.history_window_ms });
  }
  const { config } = loadConfig(configPath ?? 'castellan.yaml', env);
  return withRecorded(config, (recorded) =>
    work({
      recorded,
      filter: { tenant: config.tenant, ...window },
      policy: config.policy.bundle ?? config.policy.path,
      historyWindowMs: config.limits.history_window_s * 1000,
    }),
  );
}

/** Starts OPA for as long as `work` takes. */
export async function withOpa<T>(work: (opa: Opa) => Promise<T>): Promise<T> {
  const opa = new Opa();
  try {
    return await work(opa);
  } finally {
    await opa.close();
  }
}
