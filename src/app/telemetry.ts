import { hostname } from 'node:os';
import type { Config } from '../config/schema-types.ts';
import { revealedHeaders } from '../config/secret.ts';
import type { RequestTracer } from '../http/mcp-trace.ts';
import { isJsonObject } from '../model/json.ts';
import type { AuditLog } from '../model/ports.ts';
import { traceScope } from '../model/trace-scope.ts';
import { version } from '../version.ts';
import type { Observation } from './observe.ts';

/** What the telemetry of a configuration adds to the rooms. Absent parts cost nothing: they are not there. */
export interface Telemetry {
  /** Follows each MCP request; left out where traces are not configured. */
  readonly tracer?: RequestTracer;
  /** The audit log with an ear for what it is told of the running call. */
  readonly heard: <Log extends AuditLog>(audit: Log) => Log;
  close(): Promise<void>;
}

const none: Telemetry = { heard: (audit) => audit, close: () => Promise.resolve() };

/** Opens what `telemetry` asks for. Nothing is loaded where it asks for nothing. */
export async function openTelemetry(config: Config, observation: Observation): Promise<Telemetry> {
  const { otlp } = config.telemetry;
  if (otlp === undefined || !(otlp.traces || otlp.metrics || otlp.logs)) return none;
  const { openOtel } = await import('../observe/otel.ts');
  const otel = await openOtel(
    {
      endpoint: otlp.endpoint,
      headers: revealedHeaders(otlp.headers),
      traces: otlp.traces,
      metrics: otlp.metrics,
      logs: otlp.logs,
      metricsIntervalMs: otlp.metrics_interval_ms,
      version,
      instance: `${hostname()}-${process.pid}`,
    },
    observation.metrics,
  );
  if (otlp.logs) observation.onLogEntry(otel.log);
  const close = (): Promise<void> => otel.close();
  if (!otlp.traces) return { ...none, close };
  const { CallTrace } = await import('../observe/call-trace.ts');
  const running = (): InstanceType<typeof CallTrace> | undefined => {
    const scope = traceScope.getStore();
    return scope instanceof CallTrace ? scope : undefined;
  };
  observation.onStage((name, elapsedMs, step) => running()?.stage(name, elapsedMs, step));
  const tracer: RequestTracer = {
    begin: (headers) => {
      const trace = new CallTrace({ traceparent: headers['traceparent'], tracestate: headers['tracestate'] }, otlp.sample_ratio);
      return {
        run: (work) => traceScope.run(trace, work),
        end: (status) => otel.spans(trace.finish(status)),
      };
    },
    message: (method, id, params) => {
      const trace = running();
      if (trace === undefined) return undefined;
      const meta = params?.['_meta'];
      trace.message(method, id, isJsonObject(meta) ? { traceparent: meta['traceparent'], tracestate: meta['tracestate'] } : undefined);
      return trace.traceId;
    },
  };
  const heard = <Log extends AuditLog>(audit: Log): Log => ({
    ...audit,
    append: (record, input) => {
      running()?.record(record);
      return audit.append(record, input);
    },
    hand: (record, input) => {
      running()?.record(record);
      audit.hand(record, input);
    },
  });
  return { tracer, heard, close };
}
