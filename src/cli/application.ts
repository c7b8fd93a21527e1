import type { AuditRecord } from '../model/audit-record.ts';
import type { AnalysisTools } from './analysis-tools.ts';
import type { AuthoringTools } from './authoring-tools.ts';
import type { KeepingTools } from './keeping-tools.ts';
import type { IntegrityTools } from './integrity-tools.ts';
import type { ReplayTools } from './replay-tools.ts';

/** What the commands do with the joined rooms; `app.ts` supplies it, so that no command builds anything itself. */
export interface Application {
  /** Starts the gateway of a configuration file. @throws GatewayError `config.invalid`, `policy.invalid`, `store.unavailable` */
  startGateway(options: { readonly configPath: string; readonly env: Environment }): Promise<RunningGateway>;
  checkSetup(configPath: string, env: Environment): Promise<SetupCheck>;
  readonly auditProofs: AuditProofs;
  readonly receipts: ReceiptTools;
  /** The audit log of a configuration's database, without a running gateway. */
  readAudit(configPath: string, env: Environment): Promise<AuditReader>;
  keys(configPath: string, env: Environment): Promise<OfflineKeys>;
  readonly keeping: KeepingTools;
  readonly policy: PolicyTools;
  readonly authoring: AuthoringTools;
  readonly analysis: AnalysisTools;
  readonly integrity: IntegrityTools;
  readonly replay: ReplayTools;
  runDemo(options: { readonly output: DemoOutput; readonly once: boolean; readonly port: number }): Promise<boolean>;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface RunningGateway {
  readonly url: string;
  /** Reads the configuration again; a bad one changes nothing. */
  reload(): Promise<unknown>;
  /** Takes no more, finishes what was accepted, then ends. */
  close(): Promise<void>;
}

export interface SetupCheck {
  /** Each with file, place and cure; empty when all is good. */
  readonly problems: readonly string[];
  readonly upstreams: number;
  readonly endpoints: number;
  readonly release: string | null;
  readonly tests: number;
}

export interface Verification {
  readonly ok: boolean;
  readonly records?: number;
  readonly headSeq?: number;
  readonly headHash?: string;
  /** Checkpoints that fit, and whether their signatures were checked. */
  readonly checkpoints?: number;
  readonly signed?: boolean;
  /** Of an export: records after its last checkpoint, opened inputs, and whether records were picked. */
  readonly unsigned?: number;
  readonly inputs?: number;
  readonly selection?: boolean;
  readonly removed?: number;
  readonly at?: number;
  readonly line?: number;
  readonly kind?: string;
  readonly problem?: string;
  readonly advice?: string;
}

export interface VerifyRequest {
  readonly config: string;
  /** `seq:hash`, as it was noted earlier. */
  readonly head?: string;
  /** Public keys, and signed notes from outside the log: texts, or the files that they are in. */
  readonly keys?: readonly string[];
  readonly checkpoints?: readonly string[];
  /** Whether the sealed inputs are opened and compared too. */
  readonly inputs?: boolean;
}

/** A receipt as far as the commands look into it. */
export interface ReceiptSummary {
  readonly call: string;
  readonly records: readonly { readonly input?: unknown }[];
  readonly releases: readonly { readonly id: string }[];
}

/** What was found in a receipt: `holds` is `null` where it cannot be said. */
export interface ReceiptFindings {
  readonly ok: boolean;
  readonly call: string;
  readonly findings: readonly { readonly what: string; readonly holds: boolean | null; readonly detail: string }[];
}

/** Receipts of calls. Both: @throws GatewayError `config.invalid`, `store.unavailable`, `request.invalid`, `not_found` */
export interface ReceiptTools {
  write(configPath: string, env: Environment, callId: string, withInputs: boolean): Promise<ReceiptSummary>;
  /** Offline, with public keys (or the files that they are in) alone. */
  check(path: string, keys: readonly string[]): Promise<ReceiptFindings>;
}

/** What can be shown of an audit log. All: @throws GatewayError `config.invalid`, `store.unavailable`, `request.invalid`, `not_found` */
export interface AuditProofs {
  verify(request: VerifyRequest, env: Environment): Promise<Verification>;
  /** An export file, with its public keys alone. */
  verifyFile(path: string, request: Omit<VerifyRequest, 'config' | 'head'>): Promise<Verification>;
  checkpoint(configPath: string, env: Environment): Promise<{ readonly note: string; readonly public_key: string }>;
  inclusion(configPath: string, env: Environment, seq: number): Promise<object>;
  consistency(configPath: string, env: Environment, from: number, to: number | undefined): Promise<object>;
  /** The request with its files read. */
  readGiven<T extends Pick<VerifyRequest, 'keys' | 'checkpoints'>>(request: T): Promise<T>;
}

/** Searches the audit log; the query is that of the admin API's `/audit/search`. */
export interface AuditReader {
  search(query: URLSearchParams): Promise<AuditPage>;
  /** The records that fit as a file; `format` of the query says in which form. */
  export(query: URLSearchParams): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface AuditPage {
  readonly records: readonly { readonly seq: number; readonly hash: string; readonly record: AuditRecord }[];
  /** Where to go on; `null` when everything was looked at. */
  readonly next: string | null;
}

/** Keys without a running gateway, straight in the database of a configuration: how the first key is made. */
export interface OfflineKeys {
  create(request: KeyRequest): Promise<{ readonly id: string; readonly key: string }>;
  list(): Promise<readonly KeyRow[]>;
  revoke(id: string): Promise<boolean>;
  close(): Promise<void>;
}

export interface KeyRequest {
  readonly name: string;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  /** Without it, as long as the configuration says. */
  readonly expires_in_s?: number;
}

export interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
  readonly lastUsedAtMs: number | null;
}

export interface PolicyFolders {
  readonly policy: string;
  readonly tests: string;
}

/** One fault in a policy: OPA's words in `text`, and its place where it has one. */
export interface PolicyFault {
  readonly text: string;
  readonly file?: string;
  /** From 1. */
  readonly row?: number;
  /** In bytes, from 1. */
  readonly col?: number;
  /** The line in question and a mark below it, where OPA gives them. */
  readonly details?: readonly string[];
}

/** A folder of Rego made into a release. */
export interface PolicyTools {
  build(
    folders: PolicyFolders,
    outputFolder: string,
  ): Promise<{ readonly release: string; readonly digest: string; readonly wasm_bytes: number }>;
}

/** Where the demo writes. */
export interface DemoOutput {
  readonly json: boolean;
  answer(value: unknown, text: () => string): void;
  line(text: string): void;
  note(text: string): void;
  paint(colour: 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold', text: string): string;
  table(headings: readonly string[], rows: readonly (readonly string[])[]): string;
}
