import { methodTable } from '../call/methods.ts';
import { TrackedCall, type History } from '../call/history.ts';
import type { Observer, Stage } from '../call/parts.ts';
import type { Config } from '../config/schema-types.ts';
import type { Secret } from '../config/secret.ts';
import type { IdentityEvent } from '../identity/options.ts';
import { recentCalls } from '../audit/recent-calls.ts';
import type { AuditRecord } from '../model/audit-record.ts';
import type { Db } from '../model/ports.ts';
import { createLog, type Log, type LogEntry } from '../observe/log.ts';
import { createMetrics, type Metrics } from '../observe/metrics.ts';
import type { ReleaseEvent } from '../release/release-ports.ts';
import type { UpstreamLog } from '../upstream/types.ts';

const stages: readonly Stage[] = [
  'receive',
  'authenticate',
  'resolve',
  'build-input',
  'decide',
  'record-decision',
  'act',
  'send',
  'inspect',
  'record-finish',
  'reply',
];

/** What the gateway shows of itself. */
export interface Observation {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly observer: Observer;
  readonly upstreamLog: UpstreamLog;
  readonly identityEvent: (event: IdentityEvent) => void;
  readonly onRelease: (event: ReleaseEvent) => void;
  readonly onWorkerEnd: (end: { readonly reason: string; readonly message: string }) => void;
  readonly configRefused: () => void;
  /** Hears of each line of the log, and of each stage of a call: for another way out. Once, before the gateway serves. */
  readonly onLogEntry: (listener: (entry: LogEntry) => void) => void;
  readonly onStage: (listener: Observer['stage']) => void;
  /** Hears of each release that came into force. */
  readonly onReleaseChange: (listener: () => void) => void;
  readonly restoreHistory: (db: Db, history: History, config: Config) => Promise<void>;
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** Log and metrics of one gateway. The secrets of its configuration are masked wherever they turn up. */
export function observe(config: Config, secrets: readonly Secret[]): Observation {
  let onEntry: ((entry: LogEntry) => void) | undefined;
  const log = createLog({
    onEntry: (entry) => onEntry?.(entry),
    level: config.log.level,
    format: config.log.format,
    color: process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '',
  });
  log.conceal(secrets.map((secret) => secret.reveal()));
  const metrics = createMetrics({ methods: Object.keys(methodTable), stages });
  const listeners: (() => void)[] = [];
  const observer: Mutable<Observer> = {
    decided: metrics.decided,
    observed: metrics.observed,
    fault: (fault, release, rule) => {
      metrics.policyFault(fault);
      log.error('policy.fault', { fault, release, rule });
    },
    refused: (code) => {
      metrics.refused(code);
      if (code.startsWith('auth.')) metrics.authFailed(code);
    },
    finished: metrics.finished,
    stage: metrics.stage,
    auditFailed: (error) => {
      metrics.auditFailed();
      log.error('audit.failed', { error });
    },
    failed: (callId, error) => log.error('call.failed', { call: callId, error }),
  };
  return {
    log,
    metrics,
    observer,
    upstreamLog: ({ level, event, upstream, detail }) => log.write(level, event, { upstream, ...detail }),
    identityEvent: (event) => log.write(event.kind === 'keys.failed' ? 'warn' : 'info', event.kind, { ...event }),
    onRelease: (event) => {
      if (event.kind === 'refused') metrics.releaseLoadFailed();
      if (event.kind === 'culprit') metrics.slowRule(event.rule);
      const isTrouble = event.kind === 'refused' || event.kind === 'unwatched' || event.kind === 'culprit';
      log.write(isTrouble ? 'error' : 'info', `release.${event.kind}`, { ...event });
      if (event.kind === 'activated' || event.kind === 'resumed') for (const listener of listeners) listener();
    },
    onWorkerEnd: ({ reason, message }) => log.warn('policy.worker_ended', { reason, message }),
    configRefused: metrics.configReloadFailed,
    onLogEntry: (listener) => void (onEntry = listener),
    onStage: (listener) => {
      // Replaced, not wrapped from the start: without a listener a stage costs what it did.
      observer.stage = (name, elapsedMs, step) => {
        metrics.stage(name, elapsedMs);
        listener(name, elapsedMs, step);
      };
    },
    onReleaseChange: (listener) => void listeners.push(listener),
    restoreHistory: async (db, history, { limits, tenant }) => {
      const sinceMs = Date.now() - limits.history_window_s * 1000;
      const limit = limits.history_entries * 500;
      for (const { decided, finished } of await recentCalls(db, { tenant, sinceMs, limit })) restoreCall(history, decided, finished);
    },
  };
}

/** Puts a recorded call back into its identity's history. One whose end is not recorded may have reached the upstream, so its labels count. */
function restoreCall(history: History, decided: AuditRecord, finished: AuditRecord | undefined): void {
  const { who, what, decision } = decided;
  const route = what === undefined ? undefined : methodTable[what.method]?.route;
  if (who === undefined || what?.phase !== 'call' || route !== 'one' || decision === undefined) return;
  const sent = decision.effect === 'allow' || decision.effect === 'redact' || decision.enforced === false;
  const labels = sent ? [...new Set([...(what.labels ?? []), ...(decision.labels ?? []), ...(finished?.decision?.labels ?? [])])] : [];
  const { method, server, name: tool, arguments_digest = '' } = what;
  const tracked = new TrackedCall(Date.parse(decided.at), decided.session ?? '', { method, server, tool, labels, arguments_digest });
  const status = finished?.outcome?.status;
  const outcome = !sent
    ? 'denied'
    : status === 'ok'
      ? 'ok'
      : status === undefined || status === 'unknown' || status === 'cancelled'
        ? 'unknown'
        : 'error';
  history.restore(JSON.stringify([decided.tenant, who.issuer, who.subject, who.client]), tracked, decision.effect, outcome);
}
