import type { JsonObject } from '../model/json.ts';
import type { SinkRecord } from './sink.ts';

/**
 * A record as an event of OPA's decision log; `undefined` for one that holds no decision. `decision_id` is the call, with `/result` behind it
 * for the judgement of what came back. Where the input is not kept, every part of it that was changed or left out is under `erased`.
 * @see https://www.openpolicyagent.org/docs/management-decision-logs
 */
export function decisionEvent(one: SinkRecord, labels: Readonly<Record<string, string>>, withInput: boolean): JsonObject | undefined {
  const { record, input } = one;
  const { decision, call } = record;
  if (decision === undefined) return undefined;
  const isResult = record.kind === 'finished';
  const { effect, reasons, redactions, limits, labels: given, dry_run: dryRun } = decision;
  const result = { effect, reasons, redactions, limits, labels: given, dry_run: dryRun, approval: record.approval };
  return plain({
    labels,
    decision_id: `${call ?? `${record.tenant}/${one.seq}`}${isResult ? '/result' : ''}`,
    trace_id: record.trace,
    bundles: { gateway: { revision: decision.release } },
    path: isResult
      ? 'gateway/result'
      : record.what?.phase === 'list'
        ? 'gateway/list'
        : record.what?.phase === 'message'
          ? 'gateway/message'
          : 'gateway/call',
    result,
    requested_by: record.ip,
    timestamp: nanoTime(record.at),
    metrics: { timer_rego_query_eval_ns: Math.round(decision.took_ms * 1_000_000), counter_castellan_seq: one.seq },
    error: decision.fault === undefined ? undefined : { code: decision.fault, message: `policy fault \`${decision.fault}\`` },
    custom: { castellan: { seq: one.seq, hash: one.hash, who: record.who, what: record.what, session: record.session } },
    ...(withInput ? inputOf(input) : {}),
  });
}

function inputOf(input: SinkRecord['input']): object {
  if (input === undefined || input.state === 'absent') return { erased: ['/input'] };
  const parsed: unknown = JSON.parse(input.json);
  return input.state === 'kept' ? { input: parsed } : { input: parsed, masked: input.pointers.map((pointer) => `/input${pointer}`) };
}

/** OPA writes nanoseconds. */
function nanoTime(at: string): string {
  return at.replace(/(?:\.(\d{1,9}))?Z$/, (_match, fraction: string | undefined) => `.${(fraction ?? '').padEnd(9, '0')}Z`);
}

function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
