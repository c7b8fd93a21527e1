import type { Call } from './call.ts';
import type { HistoryView } from './history.ts';
import type { InputPlan } from './input-plan.ts';

/** `request` as the plan has it. */
export function requestJson(plan: InputPlan, call: Call): string {
  const { arrival, session } = call;
  let json = `{"method":${JSON.stringify(call.method)}`;
  if (plan.wantsMember('request', 'id')) json += `,"id":"${call.id}"`;
  if (plan.wantsMember('request', 'endpoint')) json += `,"endpoint":${JSON.stringify(session.endpoint)}`;
  if (plan.wantsMember('request', 'protocol_version')) json += `,"protocol_version":"${session.protocolVersion}"`;
  if (arrival.traceId !== undefined && plan.wantsMember('request', 'trace_id')) json += `,"trace_id":${JSON.stringify(arrival.traceId)}`;
  if (plan.wantsMember('request', 'ip')) json += `,"ip":${JSON.stringify(arrival.ip)}`;
  if (plan.wantsMember('request', 'user_agent')) json += `,"user_agent":${JSON.stringify(arrival.userAgent)}`;
  if (call.task !== undefined && plan.wantsMember('request', 'task')) json += `,"task":${JSON.stringify(call.task)}`;
  return `${json}}`;
}

/** `target`, always whole. */
export function targetJson({ kind, server, name }: Call['target']): string {
  return `{"kind":"${kind}","server":${JSON.stringify(server)},"name":${JSON.stringify(name)}}`;
}

/** `session` as the plan has it. */
export function sessionJson(plan: InputPlan, call: Call, history: HistoryView): string {
  const { session } = call;
  let json = `{"labels":${history.labels.length === 0 ? '[]' : JSON.stringify(history.labels)}`;
  if (plan.wantsMember('session', 'id')) json += `,"id":${JSON.stringify(session.publicId)}`;
  if (plan.wantsMember('session', 'started_at')) json += `,"started_at":"${session.startedAt}"`;
  if (plan.wantsMember('session', 'calls')) json += `,"calls":${session.calls}`;
  if (plan.wantsMember('session', 'denied')) json += `,"denied":${session.denied}`;
  return `${json}}`;
}

/** `usage`, always whole. */
export function usageJson(history: HistoryView): string {
  return `{"calls_1m":${history.calls1m},"calls_1h":${history.calls1h},"same_call_1m":${history.sameCall1m}}`;
}
