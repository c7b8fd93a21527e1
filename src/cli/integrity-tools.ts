import type { Finding } from '../model/input.ts';
import type { CatalogueView } from '../upstream/catalogue-view.ts';
import type { Drift } from '../upstream/definition-diff.ts';
import type { Environment } from './application.ts';

/** A configuration whose servers are asked. */
export interface IntegritySource {
  readonly configPath: string;
  readonly env: Environment;
}

/** What `castellan lock` is to do. */
export interface LockRequest extends IntegritySource {
  /** Entries to take over, `server` or `server/tool`; absent: everything. */
  readonly update?: readonly string[];
  /** Servers whose instructions are to be taken over, beside `update`. */
  readonly instructions?: readonly string[];
  /** `false`: only compare. */
  readonly write: boolean;
}

/** A difference with what the scan of the live definition found. */
export interface ScannedDrift extends Drift {
  readonly findings: readonly Finding[];
}

/** How the lockfile and the servers stood to each other before anything was written. */
export interface LockAnswer {
  readonly path: string;
  readonly written: boolean;
  readonly servers: number;
  readonly tools: number;
  /** All that differs between the lockfile as it is now and the servers that were asked. */
  readonly drift: readonly ScannedDrift[];
  /** What this run took over. */
  readonly taken: readonly ScannedDrift[];
}

/** Servers' own words, and what was reviewed of them. */
export interface IntegrityTools {
  /**
   * Asks the servers and compares them with the lockfile, or writes it.
   * @throws GatewayError `config.invalid`, `request.invalid`, `upstream.unreachable` where a server that is asked does not answer
   */
  lock(request: LockRequest): Promise<LockAnswer>;
  /** What the servers of a configuration offer now. @throws GatewayError `config.invalid` */
  catalogue(source: IntegritySource): Promise<CatalogueView>;
}
