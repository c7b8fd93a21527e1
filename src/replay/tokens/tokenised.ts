import type { AuditRecord } from '../../model/audit-record.ts';
import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import type { Tokeniser } from './tokeniser.ts';

/** How a member of the input is written into an export. */
type Rule = 'keep' | 'tokens' | 'address' | 'digest' | Members;
interface Members {
  readonly [member: string]: Rule;
}

/**
 * What is the deployment's own and no secret stays: times, ids that the gateway drew, tools as they are configured and described, labels,
 * findings without values. All else is tokens, also members that are not named here.
 */
const inputRules: Members = {
  version: 'keep',
  phase: 'keep',
  at: 'keep',
  at_ns: 'keep',
  request: { id: 'keep', method: 'keep', endpoint: 'keep', protocol_version: 'keep', trace_id: 'digest', ip: 'address' },
  identity: { issuer: 'keep', kind: 'keep', tenant: 'keep', auth: 'keep', on_behalf_of: { issuer: 'keep' } },
  target: { kind: 'keep', server: 'keep' },
  tool: 'keep',
  tools: 'keep',
  usage: 'keep',
  environment: 'keep',
  approval: { id: 'keep', state: 'keep', rules: 'keep', approved_at: 'keep' },
  session: { id: 'keep', started_at: 'keep', calls: 'keep', denied: 'keep', labels: 'keep' },
};

const historyRules: Members = {
  at: 'keep',
  method: 'keep',
  server: 'keep',
  effect: 'keep',
  outcome: 'keep',
  labels: 'keep',
  arguments_digest: 'digest',
  same_session: 'keep',
};
const findingRules: Members = { detector: 'keep', count: 'keep' };
const itemRules: Members = { kind: 'keep', server: 'keep', exposed_name: 'keep', findings: 'keep' };

/** Kinds whose names are configuration and not data: those of resources are addresses of things. */
const namedKinds = new Set(['tool', 'prompt', 'protocol', 'logging', 'roots', 'sampling', 'elicitation', 'notification', 'unknown']);

/** An input with tokens in the place of values. */
export function tokenisedInput(input: JsonObject, tokens: Tokeniser): JsonObject {
  const changed = member(input, inputRules, tokens) as JsonObject;
  const list = (key: string, rules: Members): Record<string, Json> => {
    const items = input[key];
    return Array.isArray(items) ? { [key]: items.map((item: Json) => member(item, rules, tokens)) } : {};
  };
  return {
    ...changed,
    ...list('history', { ...historyRules, tool: 'keep' }),
    ...list('findings', findingRules),
    ...list('items', itemRules),
    ...(isJsonObject(input['target']) ? { target: target(input['target'], tokens) } : {}),
    ...(isJsonObject(input['item']) ? { item: target(input['item'], tokens) } : {}),
  };
}

/** Who and what of a record, with the same tokens. What it says in words is left out: messages may quote values. */
export function tokenisedRecord(record: AuditRecord, tokens: Tokeniser): AuditRecord {
  const { v, kind, at, tenant, call, session, who, what, decision, outcome, enforced } = record as AuditRecord & {
    readonly enforced?: boolean;
  };
  const reasons = (list: NonNullable<AuditRecord['decision']>['reasons']): typeof list =>
    list.map(({ rule, effect, message }) => ({ rule, effect, message: rule === 'gateway/list' ? message : '' }));
  return {
    v,
    kind,
    at,
    tenant,
    ...(call === undefined ? {} : { call }),
    ...(session === undefined ? {} : { session }),
    ...(enforced === undefined ? {} : { enforced }),
    ...(who === undefined
      ? {}
      : {
          who: {
            issuer: who.issuer,
            subject: tokens.text(who.subject),
            client: tokens.text(who.client),
            groups: who.groups.map((group) => tokens.text(group)),
          },
        }),
    ...(what === undefined
      ? {}
      : {
          what: {
            ...what,
            name: namedKinds.has(what.kind) ? what.name : tokens.text(what.name),
            ...(what.arguments_digest === undefined ? {} : { arguments_digest: tokens.digest(what.arguments_digest) }),
          },
        }),
    ...(decision === undefined
      ? {}
      : {
          decision: {
            ...decision,
            reasons: reasons(decision.reasons),
            ...(decision.dry_run === undefined ? {} : { dry_run: reasons(decision.dry_run) }),
            ...(decision.redactions === undefined
              ? {}
              : {
                  redactions: decision.redactions.map((one) => ({
                    ...one,
                    ...(one.pointer === undefined ? {} : { pointer: tokens.text(one.pointer) }),
                  })),
                }),
            ...(decision.limits === undefined
              ? {}
              : { limits: decision.limits.map((limit) => ({ ...limit, key: tokens.text(limit.key) })) }),
            input_digest: tokens.digest(decision.input_digest),
          },
        }),
    ...(outcome === undefined ? {} : { outcome: { status: outcome.status, bytes: outcome.bytes, total_ms: outcome.total_ms } }),
  };
}

function target(value: JsonObject, tokens: Tokeniser): JsonObject {
  const { kind, name } = value;
  const named = typeof kind === 'string' && namedKinds.has(kind);
  return { ...value, ...(typeof name === 'string' ? { name: named ? name : tokens.text(name) } : {}) };
}

function member(value: Json | undefined, rule: Rule, tokens: Tokeniser): Json {
  if (value === undefined || value === null) return null;
  if (rule === 'keep') return value;
  if (rule === 'tokens') return tokens.value(value);
  if (rule === 'digest') return typeof value === 'string' ? tokens.digest(value) : tokens.value(value);
  if (rule === 'address') return typeof value === 'string' ? tokens.address(value) : tokens.value(value);
  if (!isJsonObject(value)) return tokens.value(value);
  const entries = Object.entries(value).flatMap(([key, item]) => {
    const known = Object.hasOwn(rule, key) ? rule[key] : undefined;
    return item === undefined ? [] : [[key, member(item, known ?? 'tokens', tokens)] as const];
  });
  return Object.fromEntries(entries);
}
