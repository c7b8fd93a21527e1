import { writeFile } from 'node:fs/promises';
import type { ReplayTools, TrafficSource } from '../cli/replay-tools.ts';
import { loadConfig } from '../config/load.ts';
import { GatewayError } from '../model/errors.ts';
import type { RecordedDecisions, RecordedFilter } from '../model/recorded.ts';
import { Opa } from '../rego/opa.ts';
import { RecordedFile } from '../replay/recorded-file.ts';
import { replayFaithfully } from '../replay/faithful.ts';
import { replay } from '../replay/replay.ts';
import { openCandidate, replayBuiltins } from './candidate.ts';

/** The commands over decisions on record. */
export const replayTools: ReplayTools = {
  replay: async (request) =>
    withTraffic(request.traffic, async ({ recorded, filter, policy, historyWindowMs }) => {
      const folder = request.policy ?? policy ?? 'policies';
      const base = request.base ?? policy;
      const { candidate, inForce } = await withOpa(async (opa) => ({
        candidate: await openCandidate(opa, request.against, folder),
        inForce: base === undefined ? undefined : await openCandidate(opa, base, folder),
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
  async write(path, content) {
    try {
      await writeFile(path, content);
    } catch (cause) {
      throw new GatewayError('request.invalid', `\`${path}\` cannot be written; check its folder and its permissions`, { cause });
    }
  },
};

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
  throw new GatewayError('request.invalid', `the inputs of \`${config.tenant}\` are not kept; give an export with \`--from\``);
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
