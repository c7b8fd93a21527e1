import type { ApprovalTerms, Reason } from './decision.ts';
import type { ApprovalId, Digest, TenantId } from './ids.ts';
import type { JsonObject } from './json.ts';

export type ApprovalState = 'pending' | 'approved' | 'denied' | 'spent' | 'expired';

/** A held call. `binding` covers identity, tool definition, arguments and release: it can be spent on nothing else. */
export interface Approval {
  readonly id: ApprovalId;
  readonly tenant: TenantId;
  readonly state: ApprovalState;
  readonly binding: Digest;
  /** {@link principalKey} of who asked, for the rule that nobody approves themselves. */
  readonly requesterPrincipal: string;
  readonly requester: { readonly issuer: string; readonly subject: string; readonly client: string };
  readonly endpoint: string;
  readonly server: string;
  readonly tool: string;
  /** What the approver is shown: the arguments that will be executed, secrets masked. */
  readonly arguments: JsonObject;
  readonly reasons: readonly Reason[];
  readonly terms: ApprovalTerms;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly votes: readonly ApprovalVote[];
}

/** One approver's word. */
export interface ApprovalVote {
  readonly by: string;
  readonly principal: string;
  readonly vote: 'approve' | 'deny';
  readonly atMs: number;
  readonly comment?: string;
  /** The rules that an approving vote counted for when it was cast, by the groups that the voter had then. */
  readonly satisfies: readonly string[];
}

/** What a call that must wait is filed under. */
export type ApprovalRequest = Omit<Approval, 'id' | 'state' | 'votes'>;

/** Who has to approve, in words: what each rule asks, once where several ask the same. */
export function whoIsNeeded({ groups, quorum, terms }: ApprovalTerms): string {
  const asked = (terms === undefined || terms.length === 0 ? [{ groups, quorum }] : terms).map((one) => {
    const people = one.quorum > 1 ? `${one.quorum} people` : 'someone';
    return one.groups.length === 0
      ? 'nobody: the rule names no group'
      : `${people} of ${one.groups.map((group) => `\`${group}\``).join(' or ')}`;
  });
  return [...new Set(asked)].join(', and ');
}
