import type { AuditRecord } from '../model/audit-record.ts';
import type { Db } from '../model/ports.ts';
import { segmentOf, segmentRecords, SegmentTerms } from './segment-terms.ts';

/** So many segments are renewed in one transaction. */
const segmentsAtOnce = 16;
const pageRows = 1_000;

/**
 * After the texts of some records were taken away: the terms of their segments become those of the records that are left, so that a name that
 * is gone from the log is gone from its search too. The segment that is being written to is left for a later round: its writer knows what it
 * has written. @throws GatewayError `store.unavailable`
 */
export async function forgetTerms(db: Db, tenant: string, log: string, fromSeq: number, toSeq: number): Promise<void> {
  const [head] = await db.query<{ seq: number }>('SELECT seq FROM audit_head WHERE tenant = $1 AND log = $2', [tenant, log]);
  const end = Math.min(segmentOf(toSeq), segmentOf(head?.seq ?? 0) - 1);
  for (let first = segmentOf(fromSeq); first <= end; first += segmentsAtOnce)
    await renew(db, tenant, log, first, Math.min(end, first + segmentsAtOnce - 1));
}

async function renew(db: Db, tenant: string, log: string, first: number, last: number): Promise<void> {
  const terms = new SegmentTerms();
  const endSeq = (last + 1) * segmentRecords;
  for (let after = first * segmentRecords - 1; ;) {
    const rows = await db.query<{ seq: number; record: string }>(
      "SELECT seq, record FROM audit_record WHERE tenant = $1 AND log = $2 AND seq > $3 AND seq < $4 AND record <> '' ORDER BY seq LIMIT $5",
      [tenant, log, after, endSeq, pageRows],
    );
    for (const { seq, record } of rows) terms.note(tenant, log, seq, JSON.parse(record) as AuditRecord);
    after = rows.at(-1)?.seq ?? after;
    if (rows.length < pageRows) break;
  }
  await db.tx(async (tx) => {
    await tx.query("DELETE FROM audit_term WHERE tenant = $1 AND log = $2 AND segment >= $3 AND segment <= $4 AND field <> ''", [
      tenant,
      log,
      first,
      last,
    ]);
    await terms.write(tx);
  });
}
