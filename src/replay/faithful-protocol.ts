import type { Limit } from '../model/decision.ts';
import type { ReplayPolicy } from './protocol.ts';
import type { WorkerBuiltins } from '../policy/protocol.ts';
import type { Kind, Verdict } from './verdict.ts';

export interface FaithfulWorkerData {
  readonly candidate: ReplayPolicy;
  readonly builtins: WorkerBuiltins | undefined;
  readonly maxMemoryBytes: number;
  readonly historyWindowMs: number;
  readonly state: SharedArrayBuffer;
  /** Whether this worker sees every call: then limits may have any key. */
  readonly isAlone: boolean;
}

/** What a record says beside its input. */
export interface RecordFacts {
  readonly tenant: string;
  /** The id of the call. */
  readonly call: string;
  /** Who calls, as history is kept. */
  readonly identity: string;
  readonly subject: string;
  readonly session: string;
  readonly server: string | null;
  readonly name: string;
  readonly argumentsDigest: string;
  readonly toolLabels: readonly string[];
  readonly limits: readonly Limit[];
  /** Its answer under the candidate depends on neither history nor labels. */
  readonly isIndependent: boolean;
  /** The decision was only observed: the call was sent as it came, whatever it says. */
  readonly observed: boolean;
}

/** To a worker, four for each input: entrypoint's index, input, what was recorded, {@link RecordFacts}; the last two as JSON. */
export type FaithfulBatch = (number | string)[];

export interface FaithfulAnswer {
  readonly changed: readonly { readonly index: number; readonly kind: Kind; readonly was: Verdict; readonly now: Verdict }[];
  readonly evaluated: number;
  readonly undecidable: number;
  /** Places of inputs that depend on what nobody knows. */
  readonly unknowable: readonly number[];
  /** Results of calls that would not have been sent. */
  readonly moot: number;
  readonly times: Uint32Array;
  /** A limit was named whose key is of several identities: only a worker that sees every call can count it. */
  readonly isShared: boolean;
}
