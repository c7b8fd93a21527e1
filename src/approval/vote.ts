import type { Approval, ApprovalVote } from '../model/approval.ts';
import type { ApprovalTerms, RuleTerms } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';

/** A vote and the groups of who casts it. */
export type CastVote = Omit<ApprovalVote, 'atMs' | 'satisfies'> & { readonly groups: readonly string[] };

/**
 * The rules that a vote counts for: those that name a group of the voter's, and that let the requester decide where it is they. A rule without
 * groups is decided by nobody. A denial counts for the same rules, so that nobody outside the groups can stop a call.
 * @throws GatewayError `admin.forbidden` where it counts for none
 */
export function rulesSatisfied(approval: Approval, vote: CastVote): readonly string[] {
  const terms = ruleTerms(approval.terms);
  const isOwn = vote.principal === approval.requesterPrincipal;
  const open = terms.filter((one) => !isOwn || one.allow_self);
  if (open.length === 0) throw new GatewayError('admin.forbidden', 'nobody decides on their own call: ask somebody else to');
  const counted = open.filter((one) => one.groups.some((group) => vote.groups.includes(group)));
  if (counted.length > 0) return counted.map((one) => one.rule);
  const groups = [...new Set(open.flatMap((one) => one.groups))];
  throw new GatewayError(
    'admin.forbidden',
    groups.length === 0
      ? 'the rule that asks for this approval names no group, so nobody can decide it; name one in the policy'
      : `this approval needs somebody of ${groups.map((group) => `\`${group}\``).join(' or ')}`,
  );
}

/**
 * Writes a vote. One voice for each principal: who approved may still deny, since one deny ends it, but not approve twice.
 * @throws GatewayError `approval.conflict` for a second approving vote
 */
export async function writeVote(tx: Db, approval: Approval, vote: CastVote, satisfies: readonly string[], nowMs: number): Promise<void> {
  const change =
    vote.vote === 'deny'
      ? 'DO UPDATE SET vote = excluded.vote, at_ms = excluded.at_ms, remark = excluded.remark, satisfies_json = excluded.satisfies_json'
      : 'DO NOTHING';
  const written = await tx.query(
    `INSERT INTO approval_vote (tenant, approval_id, principal, voter, vote, at_ms, remark, satisfies_json)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant, approval_id, principal) ${change} RETURNING principal`,
    [approval.tenant, approval.id, vote.principal, vote.by, vote.vote, nowMs, vote.comment ?? null, JSON.stringify(satisfies)],
  );
  if (written.length === 0)
    throw new GatewayError('approval.conflict', 'you have approved this already; it waits for somebody else', {
      detail: { id: approval.id },
    });
}

/**
 * What the votes come to: one deny ends it; it is approved when each rule has its quorum of principals, by the groups that they had when they
 * voted.
 */
export function stateAfter(approval: Approval): 'pending' | 'approved' | 'denied' {
  const { votes, terms } = approval;
  if (votes.some((vote) => vote.vote === 'deny')) return 'denied';
  const isMet = ({ rule, quorum }: RuleTerms): boolean => {
    const voters = new Set(votes.filter((vote) => vote.satisfies.includes(rule)).map((vote) => vote.principal));
    // A quorum below one, from wherever it came, must not approve without a vote.
    return voters.size >= Math.max(1, quorum);
  };
  return ruleTerms(terms).every(isMet) ? 'approved' : 'pending';
}

/** Key of the terms of an approval that does not tell its rules apart; no rule is named so. */
const whole = '*';

/** What each rule asks. Several entries of one rule are each asked for, so they are told apart. */
function ruleTerms(terms: ApprovalTerms): readonly RuleTerms[] {
  const { groups, quorum, expires_s, allow_self = false } = terms;
  if (terms.terms === undefined || terms.terms.length === 0) return [{ rule: whole, groups, quorum, expires_s, allow_self }];
  const seen = new Map<string, number>();
  return terms.terms.map((one) => {
    const turn = (seen.get(one.rule) ?? 0) + 1;
    seen.set(one.rule, turn);
    return turn === 1 ? one : { ...one, rule: `${one.rule}#${turn}` };
  });
}
