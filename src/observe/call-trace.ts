import type { AuditRecord } from '../model/audit-record.ts';
import type { TraceScope } from '../model/trace-scope.ts';
import { isSampled, newSpanId, newTraceId, readTraceparent, readTracestate, traceparent, type TraceContext } from './trace-context.ts';

/** The stage in which an upstream is waited for: its span is the parent of what the upstream does. */
const sendStage = 'send';
/** Agents choose some of the values. */
const maxValueChars = 200;

export type TraceAttributes = Readonly<Record<string, string | number>>;

/** One finished span, in terms of no library. Times are milliseconds since 1970, with fractions. */
export interface FinishedSpan {
  readonly name: string;
  readonly kind: 'server' | 'client' | 'internal';
  readonly context: TraceContext;
  readonly parent: TraceContext | undefined;
  readonly link: TraceContext | undefined;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: TraceAttributes;
  /** A class of error, as in `error.type`; `undefined` where all went well. */
  readonly error: string | undefined;
}

interface Stage {
  readonly name: string;
  readonly step: string | undefined;
  readonly startMs: number;
  readonly endMs: number;
}

/** Trace context as a message may carry it, in its header or in its body. */
export interface IncomingContext {
  readonly traceparent: unknown;
  readonly tracestate: unknown;
}

/**
 * The trace of one MCP request. Facts gather while it runs; spans are made of them at the end, so that a call that is not sampled costs two ids.
 * Holds names, ids and decisions; never arguments, results or tokens.
 */
export class CallTrace implements TraceScope {
  readonly #startedMs = performance.now();
  readonly #spanId = newSpanId();
  readonly #sendId = newSpanId();
  readonly #stages: Stage[] = [];
  readonly #attributes: Record<string, string | number> = {};
  #parent: TraceContext | undefined;
  #link: TraceContext | undefined;
  #traceId: string;
  #sampled: boolean;
  #error: string | undefined;
  #call: string | undefined;
  tracestate: string | undefined;

  /** @param ratio the share of traces without a parent that is kept, 0 to 1 */
  constructor(header: IncomingContext, ratio: number) {
    this.#parent = readTraceparent(header.traceparent);
    this.#traceId = this.#parent?.traceId ?? newTraceId();
    this.#sampled = this.#parent?.sampled ?? isSampled(this.#traceId, ratio);
    this.tracestate = this.#parent === undefined ? undefined : readTracestate(header.tracestate);
  }

  get traceId(): string {
    return this.#traceId;
  }

  get sampled(): boolean {
    return this.#sampled;
  }

  get outgoing(): string {
    return traceparent({ traceId: this.#traceId, spanId: this.#sendId, sampled: this.#sampled });
  }

  /**
   * The message was read. Its own context is the parent, whatever came in the header: that one may belong to a proxy, and becomes a link.
   * @see https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/#context-propagation
   */
  message(method: string, id: string | number | undefined, context: IncomingContext | undefined): void {
    const own = readTraceparent(context?.traceparent);
    if (own !== undefined) {
      if (this.#parent !== undefined && this.#parent.spanId !== own.spanId) this.#link = this.#parent;
      this.#parent = own;
      this.#traceId = own.traceId;
      this.#sampled = own.sampled;
      this.tracestate = readTracestate(context?.tracestate);
    }
    this.#set('mcp.method.name', method);
    if (id !== undefined) this.#set('jsonrpc.request.id', String(id));
  }

  /** @param step what was done in the stage: the span's name, where there is one */
  stage(name: string, elapsedMs: number, step?: string): void {
    if (!this.#sampled) return;
    const endMs = performance.now();
    this.#stages.push({ name, step, startMs: Math.max(this.#startedMs, endMs - elapsedMs), endMs });
  }

  /** What the audit log is told of this call. */
  record({ kind, call, session, what, decision, approval, outcome, event }: AuditRecord): void {
    if (!this.#sampled) return;
    // What an upstream asks in the middle of this call is recorded as calls of its own.
    if (call !== undefined && call !== (this.#call ??= call)) return;
    if (what !== undefined) {
      this.#set('mcp.method.name', what.method);
      this.#set('castellan.endpoint', what.endpoint);
      this.#set('castellan.upstream', what.server ?? undefined);
      if (what.kind === 'tool') this.#set('gen_ai.tool.name', what.name);
      if (what.kind === 'prompt') this.#set('gen_ai.prompt.name', what.name);
      if (what.method === 'tools/call') this.#set('gen_ai.operation.name', 'execute_tool');
    }
    this.#set('castellan.call.id', call);
    this.#set('mcp.session.id', session);
    if (decision !== undefined && kind === 'decided') {
      this.#set('castellan.decision.effect', decision.effect);
      this.#set('castellan.decision.rules', decision.reasons.map(({ rule }) => rule).join(','));
      this.#set('castellan.release', decision.release);
      if (decision.effect === 'deny') this.#error = 'policy.denied';
    }
    this.#set('castellan.approval.id', approval?.id);
    this.#set('castellan.approval.state', approval?.state);
    if (outcome !== undefined) {
      this.#set('castellan.outcome', outcome.status);
      this.#error =
        outcome.status === 'ok' || outcome.status === 'held'
          ? undefined
          : (outcome.error_code ?? (outcome.status === 'denied' ? 'policy.denied' : outcome.status));
    }
    if (kind === 'refused') this.#error = event?.code ?? 'refused';
  }

  /** The spans, the call's own first. Empty for one that is not sampled. */
  finish(httpStatus: number): readonly FinishedSpan[] {
    if (!this.#sampled) return [];
    const endedMs = performance.now();
    const base = Date.now() - endedMs;
    const context: TraceContext = { traceId: this.#traceId, spanId: this.#spanId, sampled: true };
    const method = String(this.#attributes['mcp.method.name'] ?? 'unknown');
    const target = this.#attributes['gen_ai.tool.name'] ?? this.#attributes['gen_ai.prompt.name'];
    const name = target === undefined ? method : `${method} ${target}`;
    const error = this.#error ?? (httpStatus >= 400 ? String(httpStatus) : undefined);
    const root: FinishedSpan = {
      ...{ name, kind: 'server', context, parent: this.#parent, link: this.#link, error },
      startMs: base + this.#startedMs,
      endMs: base + endedMs,
      attributes: {
        ...this.#attributes,
        'network.transport': 'tcp',
        'network.protocol.name': 'http',
        'http.response.status_code': httpStatus,
      },
    };
    const stages = this.#stages.map((stage): FinishedSpan => {
      const isSend = stage.name === sendStage;
      return {
        ...{ name: isSend ? name : (stage.step ?? stage.name), kind: isSend ? 'client' : 'internal', parent: context, link: undefined },
        context: { traceId: this.#traceId, spanId: isSend ? this.#sendId : newSpanId(), sampled: true },
        startMs: base + stage.startMs,
        endMs: base + stage.endMs,
        attributes: isSend ? this.#sendAttributes() : { 'castellan.stage': stage.name },
        error: isSend && error?.startsWith('upstream') === true ? error : undefined,
      };
    });
    return [root, ...stages];
  }

  #sendAttributes(): TraceAttributes {
    const kept = ['mcp.method.name', 'gen_ai.tool.name', 'gen_ai.prompt.name', 'gen_ai.operation.name', 'castellan.upstream'];
    const own = kept.flatMap((key) => (this.#attributes[key] === undefined ? [] : [[key, this.#attributes[key]] as const]));
    return { 'castellan.stage': sendStage, ...Object.fromEntries(own) };
  }

  #set(key: string, value: string | undefined): void {
    if (value !== undefined && value !== '') this.#attributes[key] = value.slice(0, maxValueChars);
  }
}
