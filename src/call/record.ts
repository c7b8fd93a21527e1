import type { Decision } from '../model/decision.ts';
import type { AuditDecision, AuditOutcome, AuditRecord, AuditSubject } from '../model/audit-record.ts';
import type { Identity } from '../model/identity.ts';
import type { Digest } from '../model/ids.ts';
import { isoTime } from '../model/iso-time.ts';
import type { InputDocument } from './build-input.ts';
import type { Call } from './call.ts';
import { maskedInput } from './masked-input.ts';
import type { Parts } from './parts.ts';

/**
 * Makes a decision durable, and with it the whole input that it was made on; nothing may be sent before it resolves. A failure is counted
 * and logged.
 * @throws GatewayError `audit.unavailable`
 */
export async function makeDurable(parts: RecordParts, record: AuditRecord, input?: InputDocument): Promise<void> {
  try {
    const settled = input?.mask === undefined ? input : await maskedInput(parts, input);
    await parts.audit.append(shown(parts, record, settled), settled?.kept);
  } catch (error) {
    parts.observer.auditFailed(error);
    throw error;
  }
}

/** Hands a finished record over, with the input that its result was judged on: after policy's mask. */
export function hand(parts: RecordParts, record: AuditRecord, input?: InputDocument): void {
  parts.audit.hand(shown(parts, record, input), input?.kept);
}

type RecordParts = Pick<Parts, 'audit' | 'observer' | 'keyedDigest' | 'content' | 'settings'>;

/** The record as it is written: digests under their key, and a word where its input is not kept although inputs are. */
function shown(parts: RecordParts, record: AuditRecord, input: InputDocument | undefined): AuditRecord {
  const { decision, what } = record;
  if (decision === undefined) return record;
  const isKept = input?.kept !== undefined;
  return {
    ...record,
    ...(what?.arguments_digest === undefined
      ? {}
      : { what: { ...what, arguments_digest: parts.keyedDigest(what.arguments_digest as Digest) } }),
    decision: {
      ...decision,
      // The audit log puts in the digest of what is sealed.
      input_digest: isKept ? '' : parts.keyedDigest(decision.input_digest as Digest),
      ...(input?.state === undefined ? {} : { input: input.state }),
    },
  };
}

/** The record of a decision, durable before anything is sent. */
export function decidedRecord(call: Call, decision: Decision, atMs: number, approval?: AuditRecord['approval']): AuditRecord {
  return {
    v: 1,
    kind: 'decided',
    at: isoTime(atMs),
    ...common(call),
    decision: withCommit(auditDecision(decision), call),
    ...(approval === undefined ? {} : { approval }),
  };
}

/**
 * The record of how it ended; `judged` is what policy said on the result, where it was asked. Who and what are in the decided record of the
 * same call id: saying it twice cost a sixth of what auditing costs.
 */
export function finishedRecord(call: Call, outcome: AuditOutcome, atMs: number, judged?: Decision): AuditRecord {
  return {
    v: 1,
    kind: 'finished',
    at: isoTime(atMs),
    tenant: call.identity.tenant,
    call: call.id,
    ...(judged === undefined ? {} : { decision: auditDecision(judged) }),
    outcome,
  };
}

/** The record of a request that never reached policy. */
export function refusedRecord(options: {
  readonly atMs: number;
  readonly tenant: string;
  readonly code: string;
  readonly message: string;
  readonly ip: string;
  readonly endpoint: string;
  readonly method?: string;
  readonly identity?: Identity;
  readonly trace?: string | undefined;
  readonly call?: string;
  readonly bytes: number;
}): AuditRecord {
  return {
    v: 1,
    kind: 'refused',
    at: isoTime(options.atMs),
    tenant: options.tenant,
    ip: options.ip,
    ...(options.call === undefined ? {} : { call: options.call }),
    ...(options.trace === undefined ? {} : { trace: options.trace }),
    ...(options.identity === undefined ? {} : { who: who(options.identity) }),
    event: {
      code: options.code,
      message: options.message,
      detail: { endpoint: options.endpoint, method: options.method ?? null, bytes: options.bytes },
    },
  };
}

const whoKept = new WeakMap<Identity, NonNullable<AuditRecord['who']>>();

function who(identity: Identity): NonNullable<AuditRecord['who']> {
  let kept = whoKept.get(identity);
  if (kept === undefined) {
    const { issuer, subject, client, groups, onBehalfOf } = identity;
    kept = { issuer, subject, client, groups, ...(onBehalfOf === null ? {} : { for: `${onBehalfOf.issuer} ${onBehalfOf.subject}` }) };
    whoKept.set(identity, kept);
  }
  return kept;
}

function common(call: Call): Omit<AuditRecord, 'v' | 'kind' | 'at'> {
  const { arrival, tool, target } = call;
  const what: AuditSubject = {
    phase: call.phase,
    method: call.method,
    endpoint: call.session.endpoint,
    kind: target.kind,
    server: target.server,
    name: target.name,
    ...(tool === undefined
      ? {}
      : {
          exposed: tool.exposed_name,
          definition_digest: tool.definition_digest,
          ...(tool.labels.length === 0 ? {} : { labels: tool.labels }),
        }),
    arguments_digest: call.subjectDigest,
    bytes: arrival.bytes,
  };
  return {
    tenant: call.identity.tenant,
    call: call.id,
    session: call.session.publicId,
    ip: arrival.ip,
    ...(arrival.traceId === undefined ? {} : { trace: arrival.traceId }),
    who: who(call.identity),
    what,
  };
}

function withCommit(decision: AuditDecision, { snapshot }: Call): AuditDecision {
  const commit = snapshot.release?.commit ?? null;
  return commit === null ? decision : { ...decision, commit };
}

function auditDecision(decision: Decision): AuditDecision {
  return {
    effect: decision.effect,
    reasons: decision.reasons,
    ...(decision.dryRun.length === 0 ? {} : { dry_run: decision.dryRun }),
    ...(decision.redactions.length === 0 ? {} : { redactions: decision.redactions }),
    ...(decision.limits.length === 0 ? {} : { limits: decision.limits }),
    ...(decision.labels.length === 0 ? {} : { labels: decision.labels }),
    release: decision.release,
    input_digest: decision.inputDigest,
    took_ms: Math.round(decision.tookMs * 1000) / 1000,
    ...(decision.fault === undefined ? {} : { fault: decision.fault }),
    ...(decision.enforced === undefined ? {} : { enforced: decision.enforced }),
  };
}
