import type { ApprovalRequest } from '../../src/model/approval.ts';
import { digestText } from '../../src/model/digest.ts';
import type { TenantId } from '../../src/model/ids.ts';
import { rawNumber } from '../../src/model/json.ts';

export const tenant = 'default' as TenantId;
export const startMs = 1_700_000_000_000;
export const requesterPrincipal = JSON.stringify([tenant, 'https://idp.example', 'alice']);

/** A held call of alice's, bound to `what`, that needs one of `approvers` within ten minutes. */
export function request(what: string, changes: Partial<ApprovalRequest> = {}): ApprovalRequest {
  return {
    tenant,
    binding: digestText(what),
    requesterPrincipal,
    requester: { issuer: 'https://idp.example', subject: 'alice', client: 'agent' },
    endpoint: 'main',
    server: 'files',
    tool: 'delete_file',
    arguments: { path: '/tmp/żółć \0 \ud800', size: rawNumber('12345678901234567890'), ratio: 0.1, list: [1, null, true] },
    reasons: [{ rule: 'tools/destructive', effect: 'require_approval', message: 'it deletes' }],
    terms: { groups: ['approvers'], quorum: 1, expires_s: 600 },
    createdAtMs: startMs,
    expiresAtMs: startMs + 600_000,
    ...changes,
  };
}

export function voter(name: string, vote: 'approve' | 'deny' = 'approve', groups: readonly string[] = ['approvers']) {
  return { by: name, principal: JSON.stringify([tenant, 'https://idp.example', name]), vote, groups };
}
