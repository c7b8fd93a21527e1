import type { Effect } from '../model/decision.ts';
import type { JsonObject } from '../model/json.ts';
import type { SinkProduct, SinkRecord } from './sink.ts';

/** The version of the schema that events are written by. */
export const ocsfVersion = '1.3.0';

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

const dispositions: Readonly<Record<Effect, { readonly action: Named; readonly disposition: Named }>> = {
  allow: { action: { id: 1, name: 'Allowed' }, disposition: { id: 1, name: 'Allowed' } },
  redact: { action: { id: 1, name: 'Allowed' }, disposition: { id: 11, name: 'Corrected' } },
  require_approval: { action: { id: 2, name: 'Denied' }, disposition: { id: 14, name: 'Delayed' } },
  deny: { action: { id: 2, name: 'Denied' }, disposition: { id: 2, name: 'Blocked' } },
};

/**
 * A record as an OCSF event of class API Activity (6003), with the profile `security_control`. What OCSF has no place for is under `unmapped`.
 * @see https://schema.ocsf.io/1.3.0/classes/api_activity
 */
export function ocsfEvent({ seq, hash, record }: SinkRecord, product: SinkProduct): JsonObject {
  const { who, what, decision, outcome, event, approval } = record;
  const operation = what?.method ?? event?.code ?? record.kind;
  const activity = activities[operation] ?? { id: 99, name: operation };
  const effect = decision?.effect ?? (record.kind === 'refused' ? 'deny' : undefined);
  const verdict = effect === undefined ? undefined : dispositions[effect];
  const isFailure = verdict?.action.id === 2 || (outcome !== undefined && outcome.status !== 'ok');
  const severity: Named =
    effect === 'deny' ? { id: 3, name: 'Medium' } : isFailure ? { id: 2, name: 'Low' } : { id: 1, name: 'Informational' };
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
    status_id: isFailure ? 2 : 1,
    status: isFailure ? 'Failure' : 'Success',
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
    policy: decision === undefined ? undefined : { name: 'gateway', uid: decision.reasons[0]?.rule, version: decision.release },
    metadata: {
      version: ocsfVersion,
      product: { name: 'Castellan', vendor_name: 'Castellan', version: product.version },
      uid: hash,
      sequence: seq,
      log_name: 'audit',
      tenant_uid: record.tenant,
      event_code: record.kind,
      original_time: record.at,
      correlation_uid: record.call ?? record.trace,
      profiles: ['security_control'],
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
    unmapped: { castellan: { for: who?.for, decision, approval, outcome, event, trace: record.trace, what } },
  });
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
