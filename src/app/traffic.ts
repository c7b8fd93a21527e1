import type { KeyRing } from '../audit/sealed-keys.ts';
import type { TrafficSource } from '../cli/replay-tools.ts';
import { loadConfig } from '../config/load.ts';
import type { RecordedDecisions, RecordedFilter } from '../model/recorded.ts';
import type { Db } from '../model/ports.ts';
import { Opa } from '../rego/opa.ts';
import { RecordedFile, type ExportHead } from '../replay/recorded-file.ts';
import { readInputKeys } from './input-keys.ts';
import { withRecorded } from './recorded.ts';

/** Decisions on record, and what is known about where they come from. */
export interface Traffic {
  readonly recorded: RecordedDecisions;
  readonly filter: RecordedFilter;
  /** The policy in force, where a configuration says which. */
  readonly policy: string | undefined;
  /** Of an export: its first line. */
  readonly head?: ExportHead;
  /** Where it comes from a database. */
  readonly database?: { readonly db: Db; readonly keys: KeyRing | undefined };
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
    return work({ recorded, filter: { tenant: '', ...window }, policy: undefined, head, historyWindowMs: head.history_window_ms });
  }
  const { config } = loadConfig(configPath ?? 'castellan.yaml', env);
  return withRecorded(config, (recorded, db) =>
    work({
      recorded,
      database: { db, keys: readInputKeys(config) },
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
