import type { Decision } from '../model/decision.ts';
import type { AuditDecision, AuditOutcome, AuditRecord, AuditSubject } from '../model/audit-record.ts';
import type { Identity } from '../model/identity.ts';
import type { Digest } from '../model/ids.ts';
import { isoTime } from '../model/iso-time.ts';
import type { InputDocument } from './build-input.ts';
import type { Call } from './call.ts';
import { maskedInput } from './masked-input.ts';
import type { Parts } from './parts.ts';

type Open<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** A record that was just made and nobody else has: its digests are still to be put under their key, in place. */
export interface DraftRecord extends Open<Omit<AuditRecord, 'what' | 'decision'>> {
  what?: Open<AuditSubject>;
  decision?: Open<AuditDecision>;
}

/**
 * Makes a decision durable, and with it the whole input that it was made on; nothing may be sent before it resolves. A failure is counted
 * and logged.
 * @throws GatewayError `audit.unavailable`
 */
export async function makeDurable(parts: RecordParts, record: DraftRecord, input?: InputDocument): Promise<void> {
  try {
    const settled = input?.mask === undefined ? input : await maskedInput(parts, input);
    await parts.audit.append(shown(parts, record, settled), settled?.kept);
  } catch (error) {
    parts.observer.auditFailed(error);
    throw error;
  }
}

/** Hands a finished record over, with the input that its result was judged on: after policy's mask. */
export function hand(parts: RecordParts, record: DraftRecord, input?: InputDocument): void {
  parts.audit.hand(shown(parts, record, input), input?.kept);
}

type RecordParts = Pick<Parts, 'audit' | 'observer' | 'keyedDigest' | 'content' | 'settings'>;

/** The record as it is written: digests under their key, and a word where its input is not kept although inputs are. */
function shown(parts: RecordParts, record: DraftRecord, input: InputDocument | undefined): AuditRecord {
  const { decision, what } = record;
  if (decision === undefined) return record;
  if (what?.arguments_digest !== undefined) what.arguments_digest = parts.keyedDigest(what.arguments_digest as Digest);
  // The audit log puts in the digest of what is sealed.
  decision.input_digest = input?.kept === undefined ? parts.keyedDigest(decision.input_digest as Digest) : '';
  if (input?.state !== undefined) decision.input = input.state;
  return record;
}

/** The record of a decision, durable before anything is sent. */
export function decidedRecord(call: Call, decision: Decision, atMs: number, approval?: AuditRecord['approval']): DraftRecord {
  const { arrival, identity } = call;
  const made = auditDecision(decision);
  const commit = call.snapshot.release?.commit ?? null;
  if (commit !== null) made.commit = commit;
  // What may be absent is set afterwards, here and below: spreading it costs a call some microseconds.
  const record: DraftRecord = {
    v: 1,
    kind: 'decided',
    at: isoTime(atMs),
    tenant: identity.tenant,
    call: call.id,
    session: call.session.publicId,
    ip: arrival.ip,
    who: who(identity),
    what: what(call),
    decision: made,
  };
  if (arrival.traceId !== undefined) record.trace = arrival.traceId;
  if (approval !== undefined) record.approval = approval;
  return record;
}

/**
 * The record of how it ended; `judged` is what policy said on the result, where it was asked. Who and what are in the decided record of the
 * same call id: saying it twice cost a sixth of what auditing costs.
 */
export function finishedRecord(call: Call, outcome: AuditOutcome, atMs: number, judged?: Decision): DraftRecord {
  const record: DraftRecord = { v: 1, kind: 'finished', at: isoTime(atMs), tenant: call.identity.tenant, call: call.id };
  if (judged !== undefined) record.decision = auditDecision(judged);
  record.outcome = outcome;
  return record;
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

function what(call: Call): Open<AuditSubject> {
  const { target, tool } = call;
  const subject: Open<AuditSubject> = {
    phase: call.phase,
    method: call.method,
    endpoint: call.session.endpoint,
    kind: target.kind,
    server: target.server,
    name: target.name,
    arguments_digest: call.subjectDigest,
    bytes: call.arrival.bytes,
  };
  if (tool === undefined) return subject;
  subject.exposed = tool.exposed_name;
  subject.definition_digest = tool.definition_digest;
  if (tool.labels.length > 0) subject.labels = tool.labels;
  return subject;
}

function auditDecision(decision: Decision): Open<AuditDecision> {
  const record: Open<AuditDecision> = {
    effect: decision.effect,
    reasons: decision.reasons,
    release: decision.release,
    input_digest: decision.inputDigest,
    took_ms: Math.round(decision.tookMs * 1000) / 1000,
  };
  if (decision.dryRun.length > 0) record.dry_run = decision.dryRun;
  if (decision.redactions.length > 0) record.redactions = decision.redactions;
  if (decision.limits.length > 0) record.limits = decision.limits;
  if (decision.labels.length > 0) record.labels = decision.labels;
  if (decision.fault !== undefined) record.fault = decision.fault;
  if (decision.enforced !== undefined) record.enforced = decision.enforced;
  return record;
}
