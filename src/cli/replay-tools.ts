import type { Progress } from '../replay/replay.ts';
import type { ReplayReport } from '../replay/report.ts';
import type { TrafficCoverage } from '../replay/traffic-coverage.ts';
import type { ExportReport } from '../replay/tokens/export.ts';
import type { Explanation } from '../workshop/explain.ts';
import type { Environment } from './application.ts';

/** Where recorded decisions come from: the database of a configuration, or a file that was exported from one. */
export interface TrafficSource {
  readonly configPath?: string;
  readonly from?: string;
  readonly env: Environment;
  /** Milliseconds since the epoch. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

export interface ExportForReplay {
  readonly traffic: TrafficSource;
  readonly output: string;
  /** Policies whose literals are kept too, beside the one in force: folders, bundles of Rego, Git revisions. */
  readonly also: readonly string[];
  /** The policy in force; absent: the configuration's. */
  readonly policy?: string;
  /** A file with the secret that tokens are made with; absent: another secret each time. */
  readonly keyFile?: string;
}

export interface CoverageRequest {
  readonly traffic: TrafficSource;
  /** A folder, a bundle of Rego or a Git revision; absent: the configuration's policy. */
  readonly policy?: string;
  /** Kinds of decisions that are evaluated line by line. */
  readonly maxClasses: number;
}

export interface SuggestRequest {
  readonly traffic: TrafficSource;
  /** The policy that the suggestion is added to; absent: the configuration's. */
  readonly policy?: string;
  /** Its folder of tests. */
  readonly tests: string;
  /** A folder that is not there yet, or empty. */
  readonly output: string;
  readonly workers?: number;
}

export interface SuggestAnswer {
  /** Paths under the output folder. */
  readonly files: readonly string[];
  /** Calls that it was learned from. */
  readonly calls: number;
  /** Tools, prompts and resources that they used. */
  readonly used: number;
  /** Tests of the suggestion, all of which pass. */
  readonly tests: number;
  readonly replay: ReplayReport;
  /** Golden cases of the repository that answer otherwise with it. */
  readonly changed_cases: readonly string[];
}

/** What is done with decisions on record. */
export interface ReplayTools {
  /** @throws GatewayError `request.invalid`, `policy.invalid`, `store.unavailable` */
  replay(options: ReplayRequest): Promise<ReplayReport>;
  /** @throws GatewayError `request.invalid`, `policy.invalid`, `store.unavailable` */
  coverage(request: CoverageRequest): Promise<TrafficCoverage>;
  /** @throws GatewayError `request.invalid`, `policy.invalid`, `store.unavailable` */
  suggest(request: SuggestRequest): Promise<SuggestAnswer>;
  /** Writes recorded decisions with tokens for their values. @throws GatewayError `request.invalid`, `policy.invalid`, `store.unavailable` */
  exportForReplay(options: ExportForReplay): Promise<ExportReport>;
  /** A recorded decision, under the policy in force or another: a folder, a bundle or a Git revision. @throws GatewayError `not_found`, `request.invalid` */
  explain(options: { readonly traffic: TrafficSource; readonly decision: string; readonly policy?: string }): Promise<Explanation>;
  /** @throws GatewayError `request.invalid` where it cannot be written */
  write(path: string, text: string): Promise<void>;
}

export interface ReplayRequest {
  readonly traffic: TrafficSource;
  /** A folder, a bundle, or a Git revision of `policy`. */
  readonly against: string;
  /** Its speed is compared; absent: the policy in force, where a configuration says which. */
  readonly base?: string;
  /** The policy folder that Git revisions are of; absent: the configuration's. */
  readonly policy?: string;
  readonly mode: 'recorded' | 'faithful';
  readonly workers?: number;
  readonly onProgress?: (progress: Progress) => void;
}
