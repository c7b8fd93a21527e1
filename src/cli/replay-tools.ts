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

/** What is done with decisions on record. */
export interface ReplayTools {
  /** @throws GatewayError `request.invalid`, `policy.invalid`, `store.unavailable` */
  replay(options: ReplayRequest): Promise<ReplayReport>;
  /** @throws GatewayError `request.invalid`, `policy.invalid`, `store.unavailable` */
  coverage(request: CoverageRequest): Promise<TrafficCoverage>;
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
