import type { Effect } from '../model/decision.ts';
import type { JsonObject } from '../model/json.ts';
import type { SinkProduct, SinkRecord } from './sink.ts';

/** The version of the schema that events are written by. */
export const ocsfVersion = '1.4.0';

const categoryUid = 6;
const classUid = 6_003;

interface Named {
  readonly id: number;
  readonly name: string;
}

const create: Named = { id: 1, name: 'Create' };
const read: Named = { id: 2, name: 'Read' };
const update: Named = { id: 3, name: 'Update' };
const remove: Named = { id: 4, name: 'Delete' };

/** What is neither reading nor changing for certain is `Other` under its own name: a tool may do anything. */
const activities: Readonly<Record<string, Named | undefined>> = {
  'resources/read': read,
  'resources/list': read,
  'resources/templates/list': read,
  'prompts/get': read,
  'prompts/list': read,
  'tools/list': read,
  'completion/complete': read,
  'keys.create': create,
  'keys.revoke': remove,
  'approvals.approve': update,
  'approvals.deny': update,
};

interface Verdict {
  readonly action: Named;
  readonly disposition: Named;
  readonly status: Named;
  readonly severity: Named;
}

const success: Named = { id: 1, name: 'Success' };
const failure: Named = { id: 2, name: 'Failure' };
const informational: Named = { id: 1, name: 'Informational' };
const low: Named = { id: 2, name: 'Low' };
const medium: Named = { id: 3, name: 'Medium' };

const verdicts: Readonly<Record<Effect, Verdict>> = {
  allow: { action: { id: 1, name: 'Allowed' }, disposition: { id: 1, name: 'Allowed' }, status: success, severity: informational },
  redact: { action: { id: 4, name: 'Modified' }, disposition: { id: 11, name: 'Corrected' }, status: success, severity: informational },
  require_approval: {
    action: { id: 4, name: 'Modified' },
    disposition: { id: 14, name: 'Delayed' },
    status: { id: 99, name: 'Held' },
    severity: low,
  },
  deny: { action: { id: 2, name: 'Denied' }, disposition: { id: 2, name: 'Blocked' }, status: failure, severity: medium },
};

/** What policy says against a call of an endpoint that only observes: the call went on. */
const observed: Verdict = {
  action: { id: 3, name: 'Observed' },
  disposition: { id: 15, name: 'Detected' },
  status: success,
  severity: low,
};

/**
 * A record as an OCSF event of class API Activity (6003), with the profiles `security_control` and `trace`. What OCSF has no place for is
 * under `unmapped`.
 * @see https://schema.ocsf.io/1.4.0/classes/api_activity
 */
export function ocsfEvent({ seq, hash, record }: SinkRecord, product: SinkProduct): JsonObject {
  const { who, what, decision, outcome, event, approval } = record;
  const operation = what?.method ?? event?.code ?? record.kind;
  const activity = activities[operation] ?? { id: 99, name: operation };
  const verdict = verdictOf(record);
  const isFailed = outcome !== undefined && outcome.status !== 'ok';
  const status = isFailed ? failure : (verdict?.status ?? success);
  const severity = verdict?.severity.id === medium.id ? medium : isFailed ? low : (verdict?.severity ?? informational);
  const time = Date.parse(record.at);
  return plain({
    category_uid: categoryUid,
    category_name: 'Application Activity',
    class_uid: classUid,
    class_name: 'API Activity',
    activity_id: activity.id,
    activity_name: activity.name,
    type_uid: classUid * 100 + activity.id,
    type_name: `API Activity: ${activity.id === 99 ? 'Other' : activity.name}`,
    severity_id: severity.id,
    severity: severity.name,
    status_id: status.id,
    status: status.name,
    status_code: outcome?.error_code ?? (record.kind === 'refused' ? event?.code : undefined),
    status_detail: decision?.reasons.map(({ rule, message }) => `${rule}: ${message}`).join('; ') ?? event?.message,
    time: Number.isSafeInteger(time) ? time : 0,
    duration: outcome?.total_ms === undefined ? undefined : Math.round(outcome.total_ms),
    message: `${record.kind} ${operation}${what === undefined ? '' : ` ${what.server ?? '-'}/${what.name}`}`,
    ...(verdict === undefined
      ? {}
      : {
          action_id: verdict.action.id,
          action: verdict.action.name,
          disposition_id: verdict.disposition.id,
          disposition: verdict.disposition.name,
        }),
    policy:
      decision === undefined
        ? undefined
        : { name: 'gateway', uid: decision.reasons[0]?.rule, version: decision.release, is_applied: decision.enforced !== false },
    trace: record.trace === undefined ? undefined : { uid: record.trace },
    metadata: {
      version: ocsfVersion,
      product: { name: 'Castellan', vendor_name: 'Castellan', version: product.version },
      uid: hash,
      sequence: seq,
      log_name: 'audit',
      tenant_uid: record.tenant,
      event_code: record.kind,
      correlation_uid: record.call ?? record.trace,
      profiles: ['security_control', 'trace'],
    },
    actor: who === undefined ? { app_name: 'castellan' } : actorOf(who, record.session),
    api: {
      operation,
      service: what?.server === undefined || what.server === null ? undefined : { name: what.server },
      request: record.call === undefined ? undefined : { uid: record.call },
      response: outcome === undefined ? undefined : { error: outcome.error_code, message: outcome.status },
    },
    src_endpoint: record.ip === undefined || record.ip === '' ? { name: product.host } : { ip: record.ip },
    dst_endpoint: what === undefined ? undefined : { svc_name: what.endpoint },
    resources: what === undefined ? undefined : [{ name: what.name, type: what.kind, uid: what.definition_digest }],
    unmapped: { castellan: { for: who?.for, decision, approval, outcome, event, what } },
  });
}

function verdictOf({ kind, decision }: SinkRecord['record']): Verdict | undefined {
  if (decision === undefined) return kind === 'refused' ? verdicts.deny : undefined;
  return decision.enforced === false && decision.effect !== 'allow' ? observed : verdicts[decision.effect];
}

function actorOf(who: NonNullable<SinkRecord['record']['who']>, session: string | undefined): object {
  return {
    user: { uid: who.subject, name: who.subject, domain: who.issuer, groups: who.groups.map((name) => ({ name })) },
    app_uid: who.client,
    app_name: who.client,
    session: session === undefined ? undefined : { uid: session },
  };
}

/** Without what is undefined. */
function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
