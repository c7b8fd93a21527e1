import type { LookupFunction } from 'node:net';
import type { AuditRecord } from '../model/audit-record.ts';
import type { Digest } from '../model/ids.ts';
import type { RecordedInput } from '../model/recorded.ts';
import type { S3Place } from './s3-objects.ts';

/** A record as a sink gets it. */
export interface SinkRecord {
  readonly seq: number;
  readonly hash: Digest;
  readonly record: AuditRecord;
  /** The input of its decision: only where the sink is to have it, and the record has one. */
  readonly input?: RecordedInput;
}

/** Where records go. One batch at a time; a batch may come again after a fault, with the same records or with fewer. */
export interface Sink {
  /** Resolves when the other side has taken all of them. @throws SinkFault */
  send(batch: readonly SinkRecord[]): Promise<void>;
  close(): Promise<void>;
}

/** The other side did not take a batch. It is sent again. */
export class SinkFault extends Error {
  /** How long the other side asks to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** The batch is too much for the other side: half of it may do. */
  readonly tooLarge: boolean;

  constructor(message: string, options: { retryAfterMs?: number | undefined; tooLarge?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SinkFault';
    this.retryAfterMs = options.retryAfterMs;
    this.tooLarge = options.tooLarge ?? false;
  }
}

/** How a record is written: as the log has it, as an OCSF event, or as a line of CEF. */
export type RecordFormat = 'castellan' | 'ocsf' | 'cef';

/** What sinks need of the network: which addresses are private, and a look-up that refuses names that lead to one. */
export interface SinkNetwork {
  readonly isPrivate: (host: string) => boolean;
  readonly guardedLookup: LookupFunction;
}

/** One sink, as configured; secrets are plain text here. Over HTTP, without leave for a private network, an address that is private is refused. */
export type SinkTarget =
  | {
      readonly kind: 'syslog';
      readonly host: string;
      readonly port: number;
      readonly tls: boolean;
      /** PEM of the authority that signed the receiver's certificate. Default: the system's authorities. */
      readonly ca: string | undefined;
      readonly format: RecordFormat;
    }
  | ({ readonly allowPrivateNetwork: boolean } & HttpTarget);

type HttpTarget =
  | {
      readonly kind: 'webhook';
      readonly url: string;
      /** `whsec_` and base64; the first is the newest. Each signs, so that a receiver may know either. */
      readonly secrets: readonly string[];
      readonly format: RecordFormat;
    }
  | {
      readonly kind: 'opa';
      readonly url: string;
      readonly partition: string | undefined;
      readonly headers: Readonly<Record<string, string>>;
      readonly labels: Readonly<Record<string, string>>;
      readonly includeInput: boolean;
      /** Of one request's body, compressed. */
      readonly uploadSizeLimitBytes: number;
    }
  | { readonly kind: 'otlp'; readonly url: string; readonly headers: Readonly<Record<string, string>> }
  | ({ readonly kind: 's3'; readonly format: RecordFormat } & S3Place);

/** A sink and how it is fed. */
export interface SinkOptions {
  readonly name: string;
  readonly target: SinkTarget;
  readonly kinds: readonly AuditRecord['kind'][];
  /** Where a sink without a cursor begins: at the log's first record, or after the one that is its last now. */
  readonly from: 'start' | 'now';
  readonly batchRecords: number;
  /** How long records gather before a batch that is not full is sent. */
  readonly gatherMs: number;
}

/** What every sink says of the gateway. */
export interface SinkProduct {
  readonly version: string;
  readonly host: string;
  /** Default 10000. */
  readonly timeoutMs?: number;
}
