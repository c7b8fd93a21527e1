import type { AuditRecord } from '../model/audit-record.ts';
import type { Db } from '../model/ports.ts';
import { hashText } from './columns.ts';
import { hasWords, withText } from './query-text.ts';
import { asksForNames, conditionsOf, hasNames, type AuditFilter } from './read.ts';

/** A record as it is stored; the text is empty where retention took it away. */
export interface MatchedRow {
  readonly seq: number;
  readonly hash: string;
  readonly text: string;
}

export interface MatchOptions extends Omit<AuditFilter, 'limit' | 'beforeSeq' | 'afterSeq'> {
  readonly text?: string;
  /** The first and the last number to look at. */
  readonly low: number;
  readonly high: number;
}

const pageRows = 500;
const firstWidth = 4_096;
const maxWidth = 1_048_576;

/**
 * Pages of what fits and still has its text, oldest first, a stretch of numbers at a time, so that no statement is long and little is in memory.
 * @throws GatewayError `store.unavailable`
 */
export async function* matching(db: Db, options: MatchOptions): AsyncIterable<readonly MatchedRow[]> {
  const { low, high, text } = options;
  const { conditions, params } = withText(conditionsOf(options, db.engine), text, db.engine);
  const sql = `SELECT seq, ${hashText(db.engine)}, record AS text FROM audit_record WHERE ${conditions.join(' AND ')}
    AND seq >= $${params.length + 1} AND seq <= $${params.length + 2} ORDER BY seq LIMIT ${pageRows}`;
  const isExact = !asksForNames(options) && (text ?? '') === '';
  let from = low;
  for (let width = firstWidth; from <= high;) {
    const to = Math.min(high, from + width - 1);
    const rows = await db.query<MatchedRow>(sql, [...params, from, to]);
    const found = isExact ? rows : rows.filter((row) => fits(row, options));
    if (found.length > 0) yield found;
    from = rows.length < pageRows ? to + 1 : (rows.at(-1)?.seq ?? to) + 1;
    if (rows.length < pageRows / 4) width = Math.min(width * 2, maxWidth);
  }
}

/** Every record of a stretch of the log, oldest first; those too whose text retention took away. @throws GatewayError `store.unavailable` */
export async function* stretch(db: Db, tenant: string, log: string, low: number, high: number): AsyncIterable<readonly MatchedRow[]> {
  const sql = `SELECT seq, ${hashText(db.engine)}, record AS text FROM audit_record WHERE tenant = $1 AND log = $2 AND seq >= $3 AND seq <= $4
    ORDER BY seq LIMIT ${pageRows}`;
  for (let from = low; from <= high;) {
    const rows = await db.query<MatchedRow>(sql, [tenant, log, from, high]);
    if (rows.length === 0) return;
    yield rows;
    from = (rows.at(-1)?.seq ?? high) + 1;
  }
}

function fits(row: MatchedRow, options: MatchOptions): boolean {
  const record = JSON.parse(row.text) as AuditRecord;
  return hasNames(record, options) && hasWords(record, options.text);
}
