import { collectDefaultMetrics, Registry } from 'prom-client';
import { effects } from '../model/decision.ts';
import type { Awaitable } from '../model/ports.ts';
import { Counter, counted, gauge, Histogram, summary } from './instruments.ts';
import type { LabelRule } from './label-family.ts';
import { StageTimer } from './stage-timer.ts';

/** Numbers of other rooms, read when metrics are asked for. */
export interface GaugeReaders {
  readonly approvalsOpen: () => Awaitable<number>;
  readonly sessionsOpen: () => Awaitable<number>;
  readonly callsInFlight: () => Awaitable<number>;
  /** Records that are handed over and not yet durable. */
  readonly auditQueue: () => Awaitable<number>;
  readonly upstreams: () => Awaitable<Iterable<{ readonly name: string; readonly up: boolean }>>;
  /** Tools that no list shows for their definition, and those in whose definition something was found. */
  readonly tools: () => Iterable<{ readonly upstream: string; readonly quarantined: number; readonly suspicious: number }>;
  /** The targets of checkpoints, and for how long each has not had the latest. */
  readonly checkpointsBehind: () => readonly { readonly target: string; readonly behindMs: number }[];
  /** The sinks of the audit log. */
  readonly sinks: () => readonly SinkNumbers[];
  readonly release: () => Awaitable<{ readonly id: string; readonly digest: string } | undefined>;
}

/** How one sink stands. */
export interface SinkNumbers {
  readonly name: string;
  readonly sent: number;
  readonly failures: number;
  readonly dropped: number;
  readonly lag: number;
}

/** What the gateway counts. No method throws, none waits, and none makes more time series than its labels allow. */
export interface Metrics {
  /** A decision was made. */
  readonly decided: (method: string, effect: string, upstream: string, decisionMs: number) => void;
  /** A decision was made that is not enforced. */
  readonly observed: (effect: string) => void;
  /** A call ended; `upstreamMs` is the part of `totalMs` that was spent waiting for the upstream. */
  readonly finished: (method: string, upstream: string, totalMs: number, upstreamMs: number) => void;
  readonly policyFault: (fault: string) => void;
  /** A rule was found out that took a call's time or memory. */
  readonly slowRule: (rule: string) => void;
  /** A request was refused before policy, with this error code. */
  readonly refused: (code: string) => void;
  readonly authFailed: (reason: string) => void;
  readonly auditFailed: () => void;
  readonly releaseLoadFailed: () => void;
  readonly configReloadFailed: () => void;
  /** Time of one stage of one call: kept by {@link Metrics.stages}. */
  readonly stage: (name: string, elapsedMs: number) => void;
  readonly stages: StageTimer;
  /** Where gauges are read from; later readers replace earlier ones of the same name. */
  readonly read: (readers: Partial<GaugeReaders>) => void;
  /** The text for `/metrics`. A gauge that cannot be read is left out and counted in `castellan_gauge_failures_total`. */
  readonly render: () => Promise<string>;
  readonly contentType: string;
  /** The same as values, for another way out. */
  readonly collect: () => Promise<readonly CollectedMetric[]>;
}

/** One metric as it stands: its samples, with the names that they have in Prometheus' text where those differ. */
export interface CollectedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly values: readonly {
    readonly metricName?: string;
    readonly labels: Readonly<Record<string, string | number>>;
    readonly value: number;
  }[];
}

export interface MetricsOptions {
  /** The methods that have a series of their own; all others are `other`. */
  readonly methods: readonly string[];
  /** The stages of a call, in order. */
  readonly stages: readonly string[];
  /** Metrics of the process: CPU, memory, event-loop delay, garbage collection. Default: on. */
  readonly process?: boolean;
}

const fastSeconds = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const slowSeconds = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The gateway's metrics, with a registry of their own. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  // The delay of the event loop is measured by a timer of its own: each 10 ms, as it is by default, it would be most of what an idle gateway does.
  if (options.process !== false) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  const upstream = { name: 'upstream', max: 200 };
  const method = { name: 'method', values: options.methods };
  const counter = (name: string, help: string, labels: readonly LabelRule[] = []): Counter =>
    new Counter(registry, `castellan_${name}`, help, labels);
  const histogram = (name: string, help: string, bounds: readonly number[], labels: readonly LabelRule[] = []): Histogram =>
    new Histogram(registry, `castellan_${name}`, help, bounds, labels);

  const calls = counter('calls_total', 'Calls that policy decided.', [{ name: 'effect', values: effects }, upstream, method]);
  const observed = counter('observed_decisions_total', 'Decisions that were recorded and not enforced.', [
    { name: 'effect', values: effects },
  ]);
  const decisionSeconds = histogram('decision_seconds', 'Time of a policy decision.', fastSeconds);
  const callSeconds = histogram('call_seconds', 'Time of a call, upstream included.', slowSeconds, [upstream]);
  const upstreamSeconds = histogram('upstream_seconds', 'Time that a call waited for its upstream.', slowSeconds, [upstream]);
  const addedSeconds = histogram('added_seconds', 'Time that the gateway added to a call.', fastSeconds);
  const faults = counter('policy_faults_total', 'Evaluations that failed; each is a denial.', [{ name: 'fault', max: 20 }]);
  const slowRules = counter('policy_slow_rules_total', 'Searches that named the rule behind an evaluation that was cut off.', [
    { name: 'rule', max: 100 },
  ]);
  const refusals = counter('refusals_total', 'Requests that were refused before policy, by error code.', [{ name: 'code', max: 100 }]);
  const authFailures = counter('auth_failures_total', 'Tokens and keys that were refused.', [{ name: 'reason', max: 50 }]);
  const auditFailures = counter('audit_failures_total', 'Audit records that could not be made durable.');
  const releaseFailures = counter('release_load_failures_total', 'Releases that did not come into force; the last good one stays.');
  const reloadFailures = counter('config_reload_failures_total', 'Configurations that did not come into force; the last good one stays.');
  const gaugeFailures = counter('gauge_failures_total', 'Gauges that could not be read.', [{ name: 'gauge', max: 20 }]);
  const stages = new StageTimer(options.stages);
  summary(registry, 'castellan_stage_seconds', 'Time of each stage of a call.', () =>
    stages.read().map(({ stage, count, totalMs }) => ({ labels: { stage }, sum: totalMs / 1000, count })),
  );

  let readers: Partial<GaugeReaders> = {};
  registerGauges(
    registry,
    () => readers,
    (name) => gaugeFailures.add(name),
  );
  return {
    observed: (effect) => observed.add(effect),
    decided: (name, effect, server, decisionMs) => {
      calls.add(effect, server, name);
      decisionSeconds.observe(decisionMs / 1000);
    },
    finished: (_name, server, totalMs, upstreamMs) => {
      callSeconds.observe(totalMs / 1000, server);
      if (upstreamMs > 0) upstreamSeconds.observe(upstreamMs / 1000, server);
      addedSeconds.observe(Math.max(0, totalMs - upstreamMs) / 1000);
    },
    policyFault: (fault) => faults.add(fault),
    slowRule: (rule) => slowRules.add(rule),
    refused: (code) => refusals.add(code),
    authFailed: (reason) => authFailures.add(reason),
    auditFailed: () => auditFailures.add(),
    releaseLoadFailed: () => releaseFailures.add(),
    configReloadFailed: () => reloadFailures.add(),
    stage: (name, elapsedMs) => stages.add(name, elapsedMs),
    stages,
    read: (more) => {
      readers = { ...readers, ...more };
    },
    render: () => registry.metrics(),
    contentType: registry.contentType,
    collect: async () => (await registry.getMetricsAsJSON()) as unknown as readonly CollectedMetric[],
  };
}

type Values = Iterable<{ readonly labels: Record<string, string>; readonly value: number }>;

function registerGauges(registry: Registry, readers: () => Partial<GaugeReaders>, failed: (name: string) => void): void {
  const add = (name: string, help: string, read: (from: Partial<GaugeReaders>) => Awaitable<Values | undefined>): void =>
    gauge(registry, `castellan_${name}`, help, async () => {
      try {
        return (await read(readers())) ?? [];
      } catch {
        failed(name); // Counted, and the sample is missing: the other metrics are worth having all the same.
        return [];
      }
    });
  const number = (name: string, help: string, key: 'approvalsOpen' | 'sessionsOpen' | 'callsInFlight' | 'auditQueue'): void =>
    add(name, help, async (from) => {
      const read = from[key];
      return read === undefined ? undefined : [{ labels: {}, value: await read() }];
    });
  number('approvals_open', 'Held calls that wait for a decision.', 'approvalsOpen');
  number('sessions_open', 'Agent sessions that are open.', 'sessionsOpen');
  number('calls_in_flight', 'Calls that are being served.', 'callsInFlight');
  number('audit_queue', 'Audit records that are not durable yet.', 'auditQueue');
  add('upstream_up', 'Whether an upstream can be reached: 1 or 0.', async ({ upstreams }) => {
    const all = [...((await upstreams?.()) ?? [])];
    return all.map(({ name, up }) => ({ labels: { upstream: name }, value: up ? 1 : 0 }));
  });
  add('tools_quarantined', 'Tools that no list shows because their definition is not the reviewed one.', ({ tools }) =>
    [...(tools?.() ?? [])].map(({ upstream, quarantined }) => ({ labels: { upstream }, value: quarantined })),
  );
  add('tools_suspicious', 'Tools in whose definition a scan found something.', ({ tools }) =>
    [...(tools?.() ?? [])].map(({ upstream, suspicious }) => ({ labels: { upstream }, value: suspicious })),
  );
  add('release_info', 'The policy release in force; always 1.', async ({ release }) => {
    const active = await release?.();
    return active === undefined ? undefined : [{ labels: { release: active.id, digest: active.digest }, value: 1 }];
  });
  add('audit_checkpoint_behind_seconds', 'For how long a target has not had the latest checkpoint.', ({ checkpointsBehind }) =>
    checkpointsBehind?.().map(({ target, behindMs }) => ({ labels: { target }, value: behindMs / 1000 })),
  );
  add('sink_lag', 'Audit records that a sink has not got yet.', ({ sinks }) =>
    sinks?.().map(({ name, lag }) => ({ labels: { sink: name }, value: lag })),
  );
  const ofSinks = (name: string, help: string, key: 'sent' | 'failures' | 'dropped'): void =>
    counted(registry, `castellan_${name}`, help, () =>
      (readers().sinks?.() ?? []).map((sink) => ({ labels: { sink: sink.name }, value: sink[key] })),
    );
  ofSinks('sink_sent_total', 'Audit records that a sink has taken.', 'sent');
  ofSinks('sink_failures_total', 'Batches that a sink did not take; each is sent again.', 'failures');
  ofSinks('sink_dropped_total', 'Audit records that a sink refuses as too large even alone; they stay in the log.', 'dropped');
}
