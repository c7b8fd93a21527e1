import type { Group, Share } from './groups.ts';
import type { Kind } from './verdict.ts';

/** Why an input cannot be replayed. */
export type NotReplayable = 'masked' | 'erased' | 'expired' | 'too_large' | 'not_kept';

/** One day of the window, UTC. */
export interface Day {
  readonly day: string;
  readonly decisions: number;
  readonly kinds: Partial<Readonly<Record<Kind, number>>>;
}

export interface Quantiles {
  readonly p50_us: number | null;
  readonly p99_us: number | null;
}

/** What a candidate would have done. */
export interface ReplayReport {
  readonly mode: 'recorded' | 'faithful';
  readonly candidate: { readonly name: string; readonly digest: string };
  /** The release in force that its speed was compared with. */
  readonly base: { readonly name: string; readonly digest: string } | null;
  readonly since: string | null;
  readonly until: string | null;
  /** First and last decision that was read. */
  readonly first_at: string | null;
  readonly last_at: string | null;
  /** Decisions on record; the next six add up to it. */
  readonly decisions: number;
  readonly replayed: number;
  readonly not_replayable: Readonly<Record<NotReplayable, number>>;
  /** Faults and refusals that the gateway itself decided: policy gave no answer that could be compared. */
  readonly gateway_decided: number;
  /** The candidate has no such entrypoint. */
  readonly no_entrypoint: number;
  /** Faithful: decisions that depend on a call whose outcome under the candidate nobody knows. */
  readonly unknowable: number;
  /** Faithful: results of calls that would not have been sent. */
  readonly moot: number;
  readonly same: number;
  readonly changed: number;
  readonly kinds: Readonly<Record<Kind, number>>;
  /** Of a replay from an export: rules of the candidate that decide by values which are tokens there, so that they never speak. */
  readonly unserved_rules: readonly string[];
  readonly groups: readonly Group[];
  /** Differences beyond the groups that are told apart. */
  readonly ungrouped: number;
  readonly by: { readonly rule: readonly Share[]; readonly tool: readonly Share[]; readonly role: readonly Share[] };
  readonly days: readonly Day[];
  readonly latency: {
    /** Of the candidate, over all that was evaluated here. */
    readonly candidate: Quantiles;
    /** Both on the same part of the inputs, on this machine. */
    readonly compared: { readonly candidate: Quantiles; readonly base: Quantiles; readonly inputs: number } | null;
    /** As recorded, on the machine that decided. */
    readonly recorded: Quantiles;
    /** Evaluations by time: from which µs on, how many. */
    readonly histogram: readonly { readonly from_us: number; readonly candidate: number; readonly base: number }[];
  };
  /** Inputs that were evaluated; the rest were the same as one before, as far as the candidate reads. */
  readonly evaluated: number;
  readonly workers: number;
  readonly took_ms: number;
  readonly per_s: number;
}

/** Decisions that cannot be replayed, whatever the reason. */
export function notReplayable({ not_replayable: by }: Pick<ReplayReport, 'not_replayable'>): number {
  return Object.values(by).reduce((sum, count) => sum + count, 0);
}
