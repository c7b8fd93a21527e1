import { SpanKind, SpanStatusCode, TraceFlags, type HrTime, type SpanContext } from '@opentelemetry/api';
import { resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import type { BatchSpanProcessor, ReadableSpan } from '@opentelemetry/sdk-trace';
import type { FinishedSpan } from './call-trace.ts';
import type { LogEntry } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { TraceContext } from './trace-context.ts';

/** What is sent where. */
export interface OtelOptions {
  /** `/v1/traces`, `/v1/metrics` and `/v1/logs` are below it. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly traces: boolean;
  readonly metrics: boolean;
  readonly logs: boolean;
  readonly metricsIntervalMs: number;
  readonly version: string;
  readonly instance: string;
}

/** An open way to an OpenTelemetry receiver. What it does not take is dropped: nothing waits for it. */
export interface Otel {
  readonly spans: (spans: readonly FinishedSpan[]) => void;
  readonly log: (entry: LogEntry) => void;
  /** Sends what is gathered, for two seconds at most. */
  close(): Promise<void>;
}

const closeMs = 2_000;
const exportTimeoutMs = 10_000;
const scope = { name: 'castellan' };

/** Opens what is asked for; each signal's packages are loaded only where it is sent. */
export async function openOtel(options: OtelOptions, metrics: Pick<Metrics, 'collect'>): Promise<Otel> {
  const resource = resourceFromAttributes({
    'service.name': 'castellan',
    'service.version': options.version,
    'service.instance.id': options.instance,
  });
  const base = options.endpoint.replace(/\/+$/, '');
  const to = (path: string): { url: string; headers: Record<string, string>; timeoutMillis: number } => ({
    url: `${base}${path}`,
    headers: { ...options.headers },
    timeoutMillis: exportTimeoutMs,
  });
  const closing: (() => Promise<unknown>)[] = [];
  let traces: BatchSpanProcessor | undefined;
  if (options.traces) {
    const { BatchSpanProcessor: Batch } = await import('@opentelemetry/sdk-trace');
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
    const processor = new Batch({ exporter: new OTLPTraceExporter(to('/v1/traces')), maxQueueSize: 8_192, scheduledDelayMillis: 1_000 });
    traces = processor;
    closing.push(() => processor.shutdown());
  }
  if (options.metrics) {
    const { openMetricsExport } = await import('./otel-metrics.ts');
    const exporting = await openMetricsExport(to('/v1/metrics'), resource, options.metricsIntervalMs, metrics);
    closing.push(() => exporting.close());
  }
  let log: Otel['log'] = () => undefined;
  if (options.logs) {
    const { openLogExport } = await import('./otel-logs.ts');
    const exporting = await openLogExport(to('/v1/logs'), resource);
    log = exporting.log;
    closing.push(() => exporting.close());
  }
  return {
    spans: (spans) => {
      for (const span of spans) traces?.onEnd(readableSpan(span, resource));
    },
    log,
    close: async () => {
      const ended = Promise.allSettled(closing.map((close) => close()));
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, closeMs).unref())]);
    },
  };
}

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;

function readableSpan(span: FinishedSpan, resource: Resource): ReadableSpan {
  const { name, kind, context, parent, link, startMs, endMs, attributes, error } = span;
  const spanContext = contextOf(context);
  return {
    name,
    kind: kinds[kind],
    spanContext: () => spanContext,
    ...(parent === undefined ? {} : { parentSpanContext: contextOf(parent) }),
    startTime: hrTime(startMs),
    endTime: hrTime(endMs),
    duration: hrTime(endMs - startMs),
    status: error === undefined ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR },
    attributes: error === undefined ? attributes : { ...attributes, 'error.type': error },
    links: link === undefined ? [] : [{ context: contextOf(link) }],
    events: [],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function contextOf({ traceId, spanId, sampled }: TraceContext): SpanContext {
  return { traceId, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE };
}

/** Seconds and nanoseconds. */
export function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1_000_000)];
}
