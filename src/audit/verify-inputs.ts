import type { AuditRecord } from '../model/audit-record.ts';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { checkInput } from './input-commitment.ts';
import type { KeyRing } from './sealed-keys.ts';
import { SealedReader } from './sealed-reader.ts';
import { finding, type Finding } from './verify-finding.ts';

export interface VerifyInputsOptions {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  readonly toSeq: number;
  readonly keys: KeyRing;
}

const pageRows = 500;

/**
 * Opens the sealed inputs of a log whose records verify, and compares each with the commitment in its record. Gives their number, or the first
 * one that is not the one that was decided on. What was erased is passed over.
 * @throws GatewayError `store.unavailable`
 */
export async function verifyInputs(db: Db, { tenant, log = 'main', toSeq, keys }: VerifyInputsOptions): Promise<number | Finding> {
  const reader = new SealedReader(db, keys, tenant, log);
  let checked = 0;
  for (let after = 0; ;) {
    const rows = await db.query<{ seq: number; record: string }>(
      'SELECT seq, record FROM audit_record WHERE tenant = $1 AND log = $2 AND seq > $3 AND seq <= $4 ORDER BY seq LIMIT $5',
      [tenant, log, after, toSeq, pageRows],
    );
    const last = rows.at(-1);
    if (last === undefined) return checked;
    const opened = await openInputs(reader, after + 1, last.seq);
    if ('kind' in opened) return opened;
    for (const { seq, record } of rows) {
      const input = opened.get(seq);
      if (input === undefined || record === '') continue;
      if (!checkInput(JSON.parse(record) as AuditRecord, input.json, input.salt))
        return finding(seq, 'input_swapped', 'its sealed input is not the one that the decision was made on: it was edited or swapped');
      checked += 1;
    }
    after = last.seq;
  }
}

async function openInputs(
  reader: SealedReader,
  fromSeq: number,
  toSeq: number,
): Promise<Awaited<ReturnType<SealedReader['open']>> | Finding> {
  try {
    return await reader.open(fromSeq, toSeq);
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'request.invalid') return finding(fromSeq, 'input_swapped', error.message);
    throw error;
  }
}
