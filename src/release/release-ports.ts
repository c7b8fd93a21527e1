import type { Entrypoint } from '../model/decision.ts';
import type { Digest } from '../model/ids.ts';
import type { ActiveRelease, PolicyEngine } from '../model/ports.ts';
import type { TimeRule } from './culprit.ts';
import type { PolicySource } from './policy-source.ts';
import type { PolicyPlace } from './read-policy.ts';

/** A compiled policy. `Build` of `src/rego` has what it takes. */
export interface BuiltRelease {
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** The data document's JSON text. */
  readonly data: string;
  /** What each entrypoint can read of the input: key paths, or `null` for everything. */
  readonly entrypoints: Readonly<Record<string, { readonly reads: readonly (readonly string[])[] | null }>>;
  /** Packages and their rules; absent: nothing is proved about the release. */
  readonly packages?: readonly { readonly path: string; readonly rules: readonly { readonly name: string }[] }[];
}

/** Partial evaluation, as `Opa.partial` of `src/rego` does it: one residue for each query of each case. */
export type PartialEvaluation = (query: {
  readonly files: Readonly<Record<string, string>>;
  readonly bundle: boolean;
  readonly unknowns: readonly string[];
  readonly cases: readonly { readonly input: string; readonly queries: readonly string[] }[];
}) => Promise<readonly (readonly { readonly outcome: string }[])[]>;

export interface ReleaseManagerOptions {
  readonly source: PolicyPlace;
  /** Compiles with these entrypoints. Throws with words that name file and line. */
  readonly build: (source: PolicySource, entrypoints: readonly Entrypoint[]) => Promise<BuiltRelease>;
  /** Runs the policy's own tests: `undefined` when they pass, else their report. Absent: none are run. */
  readonly test?: ((source: PolicySource) => Promise<string | undefined>) | undefined;
  /** Lets the release say which results need no judging (`ActiveRelease.resultMatters`). Absent: all are judged. */
  readonly partial?: PartialEvaluation | undefined;
  /** The data document of a bundle with a module, as JSON text, where it has more than a `data.json`. Absent: such a bundle is refused. */
  readonly readData?: ((source: PolicySource) => Promise<string>) | undefined;
  /** Brings a compiled release up; for a moment only where `isTrial`. */
  readonly createEngine: (module: WebAssembly.Module, dataJson: string, isTrial?: boolean) => Promise<PolicyEngine>;
  /** Names the rule behind a call that took too long or too much memory ({@link CulpritSearch}). Absent: none is named. */
  readonly timeRule?: TimeRule | undefined;
  /** What compiles and what evaluates, so that a build that was made and tried by others is not used; such as OPA's version. */
  readonly compiler?: string | undefined;
  /** Folder for compiled releases; absent: compiled at each start. */
  readonly cacheDir?: string | undefined;
  readonly now?: (() => number) | undefined;
  readonly onEvent?: ((event: ReleaseEvent) => void) | undefined;
  /** Told of each compiled policy as it comes into force, before the event: so that it can be kept. */
  readonly keep?: ((release: KeptRelease) => void) | undefined;
  /** Whether a change of the folder is taken by itself; true when absent. */
  readonly watch?: boolean | undefined;
  /** Quiet time after a change before the folder is read; 100 when absent. */
  readonly debounceMs?: number | undefined;
  /** How often the folder is read though nothing was reported; 15,000 when absent. */
  readonly recheckMs?: number | undefined;
  /** How long a replaced release keeps its workers without being asked; 30,000 when absent. */
  readonly retireIdleMs?: number | undefined;
}

/** A compiled policy under the id that decisions name. */
export interface KeptRelease {
  readonly id: string;
  readonly digest: Digest;
  readonly build: Digest;
  readonly built: BuiltRelease;
  /** Its text by path; absent where a kept build was resumed. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What happened to the release: for the log, the audit and metrics. `build` is the `buildDigest` of what decides from then on. */
export type ReleaseEvent = ReleaseFacts & { readonly build?: string };

type ReleaseFacts =
  | { readonly kind: 'activated'; readonly id: string; readonly digest: string; readonly tookMs: number; readonly isFromCache: boolean }
  | { readonly kind: 'resumed'; readonly id: string; readonly digest: string; readonly because: string }
  | { readonly kind: 'relabelled'; readonly id: string; readonly digest: string }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'culprit'; readonly id: string; readonly rule: string; readonly fault: string; readonly message: string }
  | { readonly kind: 'unwatched'; readonly message: string };

export interface ReleaseStatus {
  readonly active: Pick<ActiveRelease, 'id' | 'digest' | 'commit' | 'loadedAtMs'> | undefined;
  /** What is in the folder and is not in force, because it does not compile or pass. Gone once the folder is good. */
  readonly candidate?: { readonly error: string; readonly atMs: number; readonly digest?: Digest };
}

export interface ReleaseManager {
  /** The release in force; `undefined` where none was ever good: then every call is denied. */
  current(): ActiveRelease | undefined;
  status(): ReleaseStatus;
  /** Reads the folder now; resolves with the status after it. */
  reload(): Promise<ReleaseStatus>;
  /** Stops watching and ends the engines. */
  close(): Promise<void>;
}
