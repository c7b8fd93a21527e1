import { randomBytes } from 'node:crypto';

/** A place in a trace, as W3C Trace Context carries it. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

const parentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const maxStateChars = 512;

/** Reads a `traceparent`; `undefined` where it is none. @see https://www.w3.org/TR/trace-context/#traceparent-header */
export function readTraceparent(text: unknown): TraceContext | undefined {
  const [, version, traceId = '', spanId = '', flags = ''] =
    typeof text === 'string' && text.length < 200 ? (parentPattern.exec(text) ?? []) : [];
  if (version === undefined || version === 'ff' || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  if (version === '00' && (text as string).length !== 55) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Writes a `traceparent`. */
export function traceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/** A `tracestate` that is fit to be handed on, else `undefined`: printable, and of a length that every system takes. */
export function readTracestate(text: unknown): string | undefined {
  return typeof text === 'string' && text.length <= maxStateChars && /^[\x20-\x7e]+$/.test(text) ? text : undefined;
}

/** A new trace's id. */
export function newTraceId(): string {
  return randomBytes(16).toString('hex');
}

/** A new span's id. */
export function newSpanId(): string {
  return randomBytes(8).toString('hex');
}

/** Whether a trace of this id is kept: the same answer wherever the id is looked at with the same ratio. */
export function isSampled(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
}
