import { ValueType, type HrTime } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type DataPoint,
  type Histogram,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import type { CollectedMetric, Metrics } from './metrics.ts';

/** Metrics that go out at an interval, until closed. */
export interface MetricsExport {
  close(): Promise<void>;
}

/** Sends what `/metrics` shows, in the same names: one set of instruments, two ways out. */
export function openMetricsExport(
  to: { readonly url: string; readonly headers: Record<string, string>; readonly timeoutMillis: number },
  resource: Resource,
  intervalMs: number,
  metrics: Pick<Metrics, 'collect'>,
): Promise<MetricsExport> {
  const startTime = now();
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(to),
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(intervalMs, to.timeoutMillis),
    metricProducers: [
      {
        collect: async () => ({
          resourceMetrics: {
            resource,
            scopeMetrics: [
              { scope: { name: 'castellan' }, metrics: (await metrics.collect()).flatMap((one) => metricData(one, startTime)) },
            ],
          },
          errors: [],
        }),
      },
    ],
  });
  const provider = new MeterProvider({ resource, readers: [reader] });
  return Promise.resolve({ close: () => provider.shutdown() });
}

function metricData(metric: CollectedMetric, startTime: HrTime): MetricData[] {
  const { name, help, type, values } = metric;
  const endTime = now();
  const common = { aggregationTemporality: AggregationTemporality.CUMULATIVE };
  const descriptor = (suffix = '') => ({ name: `${name}${suffix}`, description: help, unit: unitOf(name), valueType: ValueType.DOUBLE });
  const points = (of: CollectedMetric['values']): DataPoint<number>[] =>
    of.map(({ labels, value }) => ({ startTime, endTime, attributes: { ...labels }, value }));
  if (type === 'counter')
    return [{ ...common, descriptor: descriptor(), dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: points(values) }];
  if (type === 'gauge') return [{ ...common, descriptor: descriptor(), dataPointType: DataPointType.GAUGE, dataPoints: points(values) }];
  if (type === 'histogram')
    return [
      { ...common, descriptor: descriptor(), dataPointType: DataPointType.HISTOGRAM, dataPoints: histograms(metric, startTime, endTime) },
    ];
  // A summary's quantiles are not kept here: its sum and its count say the same as two sums.
  return (['_sum', '_count'] as const).map((suffix) => ({
    ...common,
    descriptor: descriptor(suffix),
    dataPointType: DataPointType.SUM as const,
    isMonotonic: true,
    dataPoints: points(values.filter(({ metricName }) => metricName === `${name}${suffix}`)),
  }));
}

function histograms({ name, values }: CollectedMetric, startTime: HrTime, endTime: HrTime): DataPoint<Histogram>[] {
  const series = new Map<string, { labels: Record<string, string | number>; buckets: [number, number][]; sum: number; count: number }>();
  for (const { metricName, labels, value } of values) {
    const { le, ...own } = labels;
    const key = JSON.stringify(own);
    let one = series.get(key);
    if (one === undefined) series.set(key, (one = { labels: own, buckets: [], sum: 0, count: 0 }));
    if (metricName === `${name}_sum`) one.sum = value;
    else if (metricName === `${name}_count`) one.count = value;
    else if (le !== undefined) one.buckets.push([le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value]);
  }
  return [...series.values()].map(({ labels, buckets, sum, count }) => {
    const sorted = buckets.sort(([left], [right]) => left - right);
    const boundaries = sorted.map(([bound]) => bound).filter(Number.isFinite);
    // Prometheus' buckets hold all that is below; OpenTelemetry's only what is between two bounds.
    const counts = sorted.map(([, total], index) => total - (sorted[index - 1]?.[1] ?? 0));
    if (counts.length === boundaries.length) counts.push(count - (sorted.at(-1)?.[1] ?? 0));
    return { startTime, endTime, attributes: labels, value: { buckets: { boundaries, counts }, sum, count } };
  });
}

function unitOf(name: string): string {
  if (name.includes('_seconds')) return 's';
  return name.includes('_bytes') ? 'By' : '1';
}

function now(): HrTime {
  const ms = Date.now();
  return [Math.floor(ms / 1000), (ms % 1000) * 1_000_000];
}
