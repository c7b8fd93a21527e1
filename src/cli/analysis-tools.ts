import type { Explanation } from '../workshop/explain.ts';
import type { CellChange, Matrix } from '../workshop/matrix.ts';
import type { Proof } from '../workshop/prove.ts';
import type { Environment } from './application.ts';

/** Where the tools of an analysis come from: a file, or the upstreams of a configuration as they answer now. */
export interface ToolSource {
  readonly toolsFile?: string;
  readonly configPath?: string;
  readonly env: Environment;
}

/** What can be said about a policy without a call. */
export interface AnalysisTools {
  /** @throws GatewayError `request.invalid`, `policy.invalid` */
  explain(options: { readonly policy: string; readonly inputFile: string }): Promise<Explanation>;
  /** @throws GatewayError `request.invalid`, `policy.invalid`, `upstream.unreachable` */
  matrix(options: MatrixOptions): Promise<Matrix>;
  /** What changes between two revisions: folders, or Git revisions of `policy`. */
  diff(options: MatrixOptions & { readonly revisions: readonly [string, string] }): Promise<{
    readonly after: Matrix;
    readonly changes: readonly CellChange[];
  }>;
  prove(options: { readonly policy: string; readonly statementsFile: string; readonly source: ToolSource }): Promise<readonly Proof[]>;
  /** @throws GatewayError `request.invalid` where it cannot be written */
  write(path: string, text: string): Promise<void>;
}

export interface MatrixOptions {
  readonly policy: string;
  readonly source: ToolSource;
  readonly rolesFile?: string;
}
