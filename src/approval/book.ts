import type { Approval, ApprovalRequest, ApprovalState } from '../model/approval.ts';
import { GatewayError } from '../model/errors.ts';
import { newId, type ApprovalId, type Digest, type TenantId } from '../model/ids.ts';
import type { ApprovalBook, Db } from '../model/ports.ts';
import { columns, insertApproval, readApprovals, withVotes, type ApprovalRow } from './rows.ts';
import { rulesSatisfied, stateAfter, writeVote } from './vote.ts';
import { Waits } from './waits.ts';

export interface ApprovalBookOptions {
  readonly db: Db;
  readonly now: () => number;
  /** Told of every approval that this process opened, decided or spent. */
  readonly onChange?: (approval: Approval) => void;
  /** Pending approvals that one principal may have, so that nobody buries the approvers. Default 100. */
  readonly maxPendingPerPrincipal?: number;
}

export interface OpenApprovalBook extends ApprovalBook {
  /** How many are pending, for metrics. */
  countPending(tenant: TenantId): Promise<number>;
  /** Ends all waits with the last known state. The database stays open. */
  close(): void;
}

const maxListed = 1_000;

/**
 * Held calls in the database: pending → approved, denied or expired; approved → spent or expired. Expiry needs nobody to run: a state is
 * read together with the clock, and each change of state is one conditional statement, so that of many at once one wins.
 */
export function createApprovalBook(options: ApprovalBookOptions): OpenApprovalBook {
  const { db, now, onChange, maxPendingPerPrincipal = 100 } = options;
  const waits = new Waits();
  const changed = (approval: Approval): Approval => {
    waits.changed(approval);
    onChange?.(approval);
    return approval;
  };
  const one = async (handle: Db, tenant: TenantId, id: ApprovalId, nowMs: number, rest = ''): Promise<Approval | undefined> =>
    (await readApprovals(handle, `WHERE tenant = $1 AND id = $2${rest}`, [tenant, id], nowMs))[0];
  const get = (tenant: TenantId, id: ApprovalId): Promise<Approval | undefined> => one(db, tenant, id, now());

  return {
    open: async (request) => {
      const { approval, made } = await db.tx((tx) => openOrJoin(tx, request, maxPendingPerPrincipal));
      return made ? changed(approval) : approval;
    },
    findDecided: async (tenant, binding, nowMs) =>
      (
        await readApprovals(
          db,
          "WHERE tenant = $1 AND binding = $2 AND state IN ('approved', 'denied') AND expires_at_ms > $3 ORDER BY created_at_ms DESC, changed_at_ms DESC LIMIT 1",
          [tenant, binding, nowMs],
          nowMs,
        )
      )[0],
    spend: async (tenant, id, binding, nowMs) => {
      const rows = await db.query<ApprovalRow>(
        `UPDATE approval SET state = 'spent', changed_at_ms = $1
         WHERE tenant = $2 AND id = $3 AND binding = $4 AND state = 'approved' AND expires_at_ms > $5 RETURNING ${columns}`,
        [nowMs, tenant, id, binding, nowMs],
      );
      const [spent] = await withVotes(db, rows, nowMs);
      if (spent === undefined) throw spendRefusal(await one(db, tenant, id, nowMs), id, binding);
      return changed(spent);
    },
    vote: async (tenant, id, vote, nowMs) =>
      changed(
        await db.tx(async (tx) => {
          const approval = await one(tx, tenant, id, nowMs, tx.engine === 'postgres' ? ' FOR UPDATE' : '');
          if (approval === undefined) throw unknown(id);
          const satisfies = rulesSatisfied(approval, vote);
          if (approval.state !== 'pending') throw conflict(approval, `this call is ${approval.state} already`);
          await writeVote(tx, approval, vote, satisfies, nowMs);
          const voted = (await one(tx, tenant, id, nowMs)) ?? approval;
          const state = stateAfter(voted);
          if (state === 'pending') return voted;
          await tx.query('UPDATE approval SET state = $1, changed_at_ms = $2 WHERE tenant = $3 AND id = $4', [state, nowMs, tenant, id]);
          return { ...voted, state };
        }),
      ),
    get,
    list: (tenant, filter, nowMs) => listed(db, tenant, filter, nowMs),
    wait: async (tenant, id, signal) => {
      const first = await get(tenant, id);
      if (first === undefined) throw unknown(id);
      return waits.wait(first, () => get(tenant, id), signal);
    },
    countPending: async (tenant) => {
      const sql = "SELECT count(*) AS n FROM approval WHERE tenant = $1 AND state = 'pending' AND expires_at_ms > $2";
      return (await db.query<{ n: number }>(sql, [tenant, now()]))[0]?.n ?? 0;
    },
    close: () => waits.close(),
  };
}

async function openOrJoin(tx: Db, request: ApprovalRequest, maxPending: number): Promise<{ approval: Approval; made: boolean }> {
  const { tenant, binding, requesterPrincipal, createdAtMs: nowMs } = request;
  // What the clock has ended makes room: in the index for this binding, and in the count for this principal.
  await tx.query(
    `UPDATE approval SET state = 'expired', changed_at_ms = $1
     WHERE tenant = $2 AND state = 'pending' AND expires_at_ms <= $3 AND (binding = $4 OR requester_principal = $5)`,
    [nowMs, tenant, nowMs, binding, requesterPrincipal],
  );
  const find = (): Promise<Approval[]> =>
    readApprovals(tx, "WHERE tenant = $1 AND binding = $2 AND state = 'pending'", [tenant, binding], nowMs);
  const [pending] = await find();
  if (pending !== undefined) return { approval: pending, made: false };
  const [count] = await tx.query<{ n: number }>(
    "SELECT count(*) AS n FROM approval WHERE tenant = $1 AND requester_principal = $2 AND state = 'pending'",
    [tenant, requesterPrincipal],
  );
  if ((count?.n ?? 0) >= maxPending)
    throw new GatewayError('approval.conflict', `${maxPending} calls of yours wait for approval already: wait until some are decided`);
  const made = await insertApproval(tx, newId('approval'), request);
  const [approval] = await find();
  if (approval === undefined) throw new GatewayError('approval.conflict', 'the approval was decided while it was filed: repeat the call');
  return { approval, made };
}

function listed(db: Db, tenant: TenantId, filter: { state?: ApprovalState; limit?: number }, nowMs: number): Promise<Approval[]> {
  const limit = Math.min(Math.max(Math.trunc(filter.limit ?? 100), 1), maxListed);
  const tail = 'ORDER BY created_at_ms DESC, id LIMIT';
  const { state } = filter;
  if (state === undefined) return readApprovals(db, `WHERE tenant = $1 ${tail} $2`, [tenant, limit], nowMs);
  if (state === 'expired') {
    const condition = "(state = 'expired' OR (state IN ('pending', 'approved') AND expires_at_ms <= $2))";
    return readApprovals(db, `WHERE tenant = $1 AND ${condition} ${tail} $3`, [tenant, nowMs, limit], nowMs);
  }
  // What is decided or spent stays so; what is pending or approved has ended with its time.
  const notBeforeMs = state === 'pending' || state === 'approved' ? nowMs : -1;
  return readApprovals(
    db,
    `WHERE tenant = $1 AND state = $2 AND expires_at_ms > $3 ${tail} $4`,
    [tenant, state, notBeforeMs, limit],
    nowMs,
  );
}

function spendRefusal(approval: Approval | undefined, id: ApprovalId, binding: Digest): GatewayError {
  if (approval === undefined) return unknown(id);
  if (approval.binding !== binding) return conflict(approval, 'this approval is for another call, or for one that has changed since');
  return conflict(approval, `this approval cannot be used: it is ${approval.state}`);
}

function conflict(approval: Approval, message: string): GatewayError {
  return new GatewayError('approval.conflict', message, { detail: { id: approval.id, state: approval.state } });
}

function unknown(id: ApprovalId): GatewayError {
  return new GatewayError('approval.unknown', `there is no approval \`${id}\`; \`castellan approvals list\` shows them`);
}
