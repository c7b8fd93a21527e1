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
}

/** What a call that must wait is filed under. */
export type ApprovalRequest = Omit<Approval, 'id' | 'state' | 'votes'>;
