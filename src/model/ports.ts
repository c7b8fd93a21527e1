import type { Approval, ApprovalRequest, ApprovalState, ApprovalVote } from './approval.ts';
import type { AuditRecord } from './audit-record.ts';
import type { CancelSignal } from './cancellation.ts';
import type { Entrypoint, PolicyAnswer, PolicyFault, Redaction } from './decision.ts';
import type { Identity } from './identity.ts';
import type { ApprovalId, Digest, ReleaseId, TenantId } from './ids.ts';
import type { ToolFacts } from './input.ts';
import type { KeptInput } from './kept-input.ts';

/** A value, or a promise of one where it is not at hand. */
export type Awaitable<T> = T | Promise<T>;

/** One SQL text for SQLite and PostgreSQL: `$1` placeholders, integer milliseconds, JSON as text. Booleans are 0 and 1. */
export interface Db {
  readonly engine: 'sqlite' | 'postgres';
  query<Row = Record<string, unknown>>(sql: string, params?: readonly SqlValue[]): Promise<Row[]>;
  /** The same statement for each row of values, in order; nothing is read. `sql` has one list of `VALUES`. */
  insert(sql: string, rows: readonly (readonly SqlValue[])[]): Promise<void>;
  /** All or nothing; `work` gets a handle that is valid until it settles. Nested calls are refused. */
  tx<T>(work: (db: Db) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
export type SqlValue = string | number | bigint | null | Uint8Array;

/** The append-only log. */
export interface AuditLog {
  /** Resolves when the record is durable, and the input sealed with it. @throws GatewayError `audit.unavailable` */
  append(record: AuditRecord, input?: KeptInput): Promise<{ seq: number; hash: Digest }>;
  /** Hands a record over: it becomes durable with the next group; a failure is counted and makes the next `append` fail. */
  hand(record: AuditRecord, input?: KeptInput): void;
  /** Resolves when all that was handed over is durable. */
  flush(): Promise<void>;
}

/** What an evaluation gave: policy's answer, or the fault that stands in its place. */
export type Evaluation<Answer = PolicyAnswer> =
  | { readonly ok: true; readonly answer: Answer; readonly tookMs: number }
  | { readonly ok: false; readonly fault: PolicyFault; readonly message: string; readonly rule?: string; readonly tookMs: number };

/** The answer of `gateway/list`: exposed names of tools, or indices-free names of items, that the identity may see. */
export interface ListAnswer {
  readonly visible: readonly string[];
}

/** The answer of `gateway/mask`: what the audit record must not keep. */
export interface MaskAnswer {
  readonly version: 1;
  readonly redactions: readonly Redaction[];
  /** Nothing of the input is kept. */
  readonly drop?: boolean;
}

/** Compiled policy, ready to evaluate. Never throws and never rejects: every fault is a value. */
export interface PolicyEngine {
  evaluate(entry: 'gateway/list', inputJson: string, deadlineMs: number): Promise<Evaluation<ListAnswer>>;
  evaluate(entry: 'gateway/mask', inputJson: string, deadlineMs: number): Promise<Evaluation<MaskAnswer>>;
  evaluate(entry: Exclude<Entrypoint, 'gateway/list' | 'gateway/mask'>, inputJson: string, deadlineMs: number): Promise<Evaluation>;
  close(): Promise<void>;
}

/** Top-level keys of the input, each with the members of it that are read; `null` where it is read whole. */
export type InputReads = ReadonlyMap<string, ReadonlySet<string> | null>;

/** The release in force. Captured once per call. */
export interface ActiveRelease {
  readonly id: ReleaseId;
  readonly digest: Digest;
  /** Git commit of the policy's folder, `-dirty` appended where the work tree differs; `null` outside Git. */
  readonly commit: string | null;
  readonly loadedAtMs: number;
  readonly engine: PolicyEngine;
  /**
   * What an entrypoint can read of the input: top-level keys, each with the members it can read of it (`null`: all); `null` means
   * everything. The rest need not be sent.
   */
  reads(entry: Entrypoint): InputReads | null;
  /**
   * Whether `gateway/result` could answer anything but a plain allow for a result of this tool: `false` only where it was proved for every
   * result in which detectors found nothing. Absent: evaluate. `tool` is an object of the catalogue's snapshot; its identity is the key.
   */
  readonly resultMatters?: (tool: ToolFacts, hasFindings: boolean) => boolean;
  /**
   * Whether `gateway/mask` could answer anything for an input that is to be kept: `false` only where the release has no mask, or it was proved
   * for every input in which detectors found nothing. Absent: ask it.
   */
  readonly maskMatters?: (hasFindings: boolean) => boolean;
}

/** Held calls. */
export interface ApprovalBook {
  /** Files a held call, or gives the pending one with the same binding: asking twice makes one approval. */
  open(request: ApprovalRequest): Promise<Approval>;
  /** The newest approved or denied approval with this binding whose time is not over, if any; it is not spent by looking. */
  findDecided(tenant: TenantId, binding: Digest, nowMs: number): Promise<Approval | undefined>;
  /** Exactly one caller wins. @throws GatewayError `approval.conflict` for every other */
  spend(tenant: TenantId, id: ApprovalId, binding: Digest, nowMs: number): Promise<Approval>;
  /** @throws GatewayError `approval.unknown`, `approval.conflict` (already decided, expired), `admin.forbidden` (own call, group missing) */
  vote(
    tenant: TenantId,
    id: ApprovalId,
    vote: Omit<ApprovalVote, 'atMs' | 'satisfies'> & { readonly groups: readonly string[] },
    nowMs: number,
  ): Promise<Approval>;
  get(tenant: TenantId, id: ApprovalId): Promise<Approval | undefined>;
  list(tenant: TenantId, filter: { state?: ApprovalState; limit?: number }, nowMs: number): Promise<Approval[]>;
  /** Resolves with the approval when it leaves `pending`, or when `signal` aborts with its last state. */
  wait(tenant: TenantId, id: ApprovalId, signal: CancelSignal): Promise<Approval>;
}

/** A service agent's key, as it can be shown: its secret is told once, by {@link ApiKeyBook.create}, and never stored. */
export interface ApiKey {
  readonly id: string;
  readonly tenant: TenantId;
  /** Who calls with it: the subject of its {@link Identity}. */
  readonly subject: string;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly expiresAtMs: number;
  readonly revokedAtMs: number | null;
  /** Five minutes coarse. */
  readonly lastUsedAtMs: number | null;
}

/** Keys of service agents. */
export interface ApiKeyBook {
  /** The key's facts and its token `cst_<id>_<secret>`, which cannot be had again. @throws GatewayError `request.invalid` */
  create(
    request: Pick<ApiKey, 'tenant' | 'subject' | 'groups' | 'scopes' | 'createdBy' | 'expiresAtMs'>,
    nowMs: number,
  ): Promise<{ key: ApiKey; token: string }>;
  /** Who calls, or `undefined` for a key that is unknown, revoked or expired. @throws GatewayError `store.unavailable` */
  verify(token: string, nowMs: number): Promise<Identity | undefined>;
  /** Ends a key; ending it twice changes nothing. @throws GatewayError `not_found` */
  revoke(tenant: TenantId, id: string, nowMs: number): Promise<ApiKey>;
  list(tenant: TenantId): Promise<ApiKey[]>;
}
