import type { Approval, ApprovalRequest, ApprovalState, ApprovalVote } from '../model/approval.ts';
import type { ApprovalTerms, Reason } from '../model/decision.ts';
import type { ApprovalId, Digest, TenantId } from '../model/ids.ts';
import { rawNumber, type JsonObject } from '../model/json.ts';
import type { Db, SqlValue } from '../model/ports.ts';

/** An approval as its table has it; what the clock makes of it is the reader's business. */
export interface ApprovalRow {
  readonly tenant: TenantId;
  readonly id: ApprovalId;
  readonly binding: Digest;
  readonly state: ApprovalState;
  readonly requester_principal: string;
  readonly issuer: string;
  readonly subject: string;
  readonly client: string;
  readonly endpoint: string;
  readonly server: string;
  readonly tool: string;
  readonly arguments_json: string;
  readonly reasons_json: string;
  readonly terms_json: string;
  readonly created_at_ms: number;
  readonly expires_at_ms: number;
}

interface VoteRow {
  readonly approval_id: ApprovalId;
  readonly principal: string;
  readonly voter: string;
  readonly vote: 'approve' | 'deny';
  readonly at_ms: number;
  readonly remark: string | null;
  readonly satisfies_json: string;
}

export const columns =
  'tenant, id, binding, state, requester_principal, issuer, subject, client, endpoint, server, tool, arguments_json, reasons_json, terms_json, created_at_ms, expires_at_ms';

/** The approvals that `rest` (what follows SELECT … FROM approval) finds, with their votes, in its order. */
export async function readApprovals(db: Db, rest: string, params: readonly SqlValue[], nowMs: number): Promise<Approval[]> {
  return withVotes(db, await db.query<ApprovalRow>(`SELECT ${columns} FROM approval ${rest}`, params), nowMs);
}

/** Rows as approvals, with their votes in the order in which they were cast. All rows are of one tenant. */
export async function withVotes(db: Db, rows: readonly ApprovalRow[], nowMs: number): Promise<Approval[]> {
  const [first] = rows;
  if (first === undefined) return [];
  const places = rows.map((_, index) => `$${index + 2}`).join(', ');
  const votes = await db.query<VoteRow>(
    `SELECT approval_id, principal, voter, vote, at_ms, remark, satisfies_json FROM approval_vote WHERE tenant = $1 AND approval_id IN (${places}) ORDER BY at_ms`,
    [first.tenant, ...rows.map((row) => row.id)],
  );
  return rows.map((row) => approvalOf(row, votes.filter((vote) => vote.approval_id === row.id).map(voteOf), nowMs));
}

/** Files a new approval. @returns false when one with the same binding is pending: the index lets in one */
export async function insertApproval(db: Db, id: ApprovalId, request: ApprovalRequest): Promise<boolean> {
  const { tenant, binding, requester, terms } = request;
  const inserted = await db.query(
    `INSERT INTO approval (${columns}, changed_at_ms)
     VALUES ($1, $2, $3, 'pending', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
     ON CONFLICT (tenant, binding) WHERE state = 'pending' DO NOTHING RETURNING id`,
    [
      tenant,
      id,
      binding,
      request.requesterPrincipal,
      requester.issuer,
      requester.subject,
      requester.client,
      request.endpoint,
      request.server,
      request.tool,
      JSON.stringify(request.arguments),
      JSON.stringify(request.reasons),
      JSON.stringify(terms),
      request.createdAtMs,
      request.expiresAtMs,
      request.createdAtMs,
    ],
  );
  return inserted.length === 1;
}

function approvalOf(row: ApprovalRow, votes: readonly ApprovalVote[], nowMs: number): Approval {
  const over = row.expires_at_ms <= nowMs && (row.state === 'pending' || row.state === 'approved');
  return {
    id: row.id,
    tenant: row.tenant,
    state: over ? 'expired' : row.state,
    binding: row.binding,
    requesterPrincipal: row.requester_principal,
    requester: { issuer: row.issuer, subject: row.subject, client: row.client },
    endpoint: row.endpoint,
    server: row.server,
    tool: row.tool,
    arguments: exactJson(row.arguments_json) as JsonObject,
    reasons: JSON.parse(row.reasons_json) as Reason[],
    terms: JSON.parse(row.terms_json) as ApprovalTerms,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    votes,
  };
}

function voteOf(row: VoteRow): ApprovalVote {
  const { principal, voter: by, vote, at_ms: atMs, remark, satisfies_json: rules } = row;
  return { by, principal, vote, atMs, satisfies: JSON.parse(rules) as string[], ...(remark === null ? {} : { comment: remark }) };
}

/** JSON text with the numbers that a double would change kept as their text: the approver is shown what will be executed. */
function exactJson(text: string): unknown {
  return JSON.parse(text, ((_key: string, value: unknown, context: { source?: string }) => {
    if (typeof value !== 'number' || context.source === undefined || JSON.stringify(value) === context.source) return value;
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? rawNumber(context.source) : exactFraction(value, context.source);
  }) as (key: string, value: unknown) => unknown);
}

function exactFraction(value: number, source: string): unknown {
  // 1.0 and 1e2 are the same number in another writing; a number with more digits than a double holds is not.
  return Number.isFinite(value) && source.replace(/[^0-9]/g, '').length <= 15 ? value : rawNumber(source);
}
