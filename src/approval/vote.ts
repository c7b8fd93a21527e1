import type { Approval, ApprovalVote } from '../model/approval.ts';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';

/** A vote and the groups of who casts it. */
export type CastVote = Omit<ApprovalVote, 'atMs'> & { readonly groups: readonly string[] };

/**
 * Who may decide: somebody in one of the terms' groups (any approver where they name none), and never who asked unless the terms say so. The
 * same holds for denying, so that nobody outside the groups can stop a call.
 * @throws GatewayError `admin.forbidden`
 */
export function checkVoter(approval: Approval, vote: CastVote): void {
  const { terms } = approval;
  if (vote.principal === approval.requesterPrincipal && terms.allow_self !== true)
    throw new GatewayError('admin.forbidden', 'nobody decides on their own call: ask somebody else to');
  if (terms.groups.length > 0 && !terms.groups.some((group) => vote.groups.includes(group)))
    throw new GatewayError(
      'admin.forbidden',
      `this approval needs somebody of ${terms.groups.map((group) => `\`${group}\``).join(' or ')}`,
    );
}

/**
 * Writes a vote. One voice for each principal: who approved may still deny, since one deny ends it, but not approve twice.
 * @throws GatewayError `approval.conflict` for a second approving vote
 */
export async function writeVote(tx: Db, approval: Approval, vote: CastVote, nowMs: number): Promise<void> {
  const change =
    vote.vote === 'deny' ? 'DO UPDATE SET vote = excluded.vote, at_ms = excluded.at_ms, remark = excluded.remark' : 'DO NOTHING';
  const written = await tx.query(
    `INSERT INTO approval_vote (tenant, approval_id, principal, voter, vote, at_ms, remark) VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (tenant, approval_id, principal) ${change} RETURNING principal`,
    [approval.tenant, approval.id, vote.principal, vote.by, vote.vote, nowMs, vote.comment ?? null],
  );
  if (written.length === 0)
    throw new GatewayError('approval.conflict', 'you have approved this already; it waits for somebody else', {
      detail: { id: approval.id },
    });
}

/** What the votes come to: one deny ends it, and `quorum` principals approve it. */
export function stateAfter(approval: Approval): 'pending' | 'approved' | 'denied' {
  if (approval.votes.some((vote) => vote.vote === 'deny')) return 'denied';
  // A quorum below one, from wherever it came, must not approve without a vote.
  return approval.votes.length >= Math.max(1, approval.terms.quorum) ? 'approved' : 'pending';
}
