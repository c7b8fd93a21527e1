import { GatewayError } from '../model/errors.ts';
import type { Db, SqlValue } from '../model/ports.ts';
import { hashText, indexText } from './columns.ts';
import { hasWords, withText } from './query-text.ts';
import { conditionsOf, firstSeqFrom, hasNames, slackMs, storedRecord, type AuditFilter, type StoredRecord } from './read.ts';
import { anyValue, segmentOf, segmentRecords, type TermField } from './segment-terms.ts';

/** What is looked for, and where an earlier page ended. */
export interface AuditSearch extends AuditFilter {
  /** Words, separated by spaces, each of which must stand somewhere in the record's names, reasons or messages, whatever their case. */
  readonly text?: string;
  /** `next` of the page before. */
  readonly cursor?: string;
  /** How long one page may look, in milliseconds. Default 1000. */
  readonly budgetMs?: number;
}

/** Some of what was found, newest first. */
export interface AuditPage {
  readonly records: readonly StoredRecord[];
  /** Where to go on; `null` when everything was looked at. A page may be empty and still have one: its time was over. */
  readonly next: string | null;
}

/** One statement looks at so many numbers at first; what answers quickly is asked about more at once. */
const firstWidth = 4_096;
const maxWidth = 4_194_304;
const quickMs = 60;
const slowMs = 300;
const termPage = 512;

/**
 * Searches the log from its end backwards, a stretch of numbers at a time, so that no statement is long however old what is looked for is.
 * An identity or a call is found by its index; names, rules and releases by the segments that have them; text by reading what the rest of the
 * filter leaves, so give it a time. Records appended meanwhile change nothing in later pages.
 * @throws GatewayError `store.unavailable`; `request.invalid` for a cursor that none of its pages gave
 */
export async function searchAudit(db: Db, search: AuditSearch): Promise<AuditPage> {
  const untilMs = performance.now() + (search.budgetMs ?? 1_000);
  const { tenant, log = 'main' } = search;
  const range = await rangeOf(db, search);
  const stretches = new Stretches(db, tenant, log, termsOf(search), range.low, range.high);
  const { conditions, params } = withText(conditionsOf(search, db.engine), search.text, db.engine);
  const limit = Math.min(Math.max(Math.trunc(search.limit ?? 100), 1), 1_000);
  // A call has two records or three: the planner must not walk the numbers instead of its index.
  const number = search.callId === undefined ? 'seq' : '+seq';
  const sql = `SELECT seq, ${hashText(db.engine)}, record FROM audit_record WHERE ${conditions.join(' AND ')} AND ${number} >= $${params.length + 1} AND ${number} <= $${params.length + 2} ORDER BY ${number} DESC LIMIT $${params.length + 3}`;
  const records: StoredRecord[] = [];
  for (;;) {
    const stretch = await stretches.next();
    if (stretch === undefined) return { records, next: null };
    const startedMs = performance.now();
    const asked = limit - records.length;
    const rows = await db.query<{ seq: number; hash: string; record: string }>(sql, [...params, stretch.low, stretch.high, asked]);
    for (const row of rows) {
      const stored = storedRecord(row);
      if (hasNames(stored.record, search) && hasWords(stored.record, search.text)) records.push(stored);
    }
    const reached = rows.length < asked ? stretch.low : (rows.at(-1)?.seq ?? stretch.low);
    stretches.done(reached, performance.now() - startedMs);
    if (reached <= range.low) return { records, next: null };
    if (records.length >= limit || performance.now() >= untilMs) return { records, next: String(reached) };
  }
}

/** Every page of a search, one after the other. */
export async function* searchPages(db: Db, search: AuditSearch): AsyncIterable<readonly StoredRecord[]> {
  for (let cursor = search.cursor; ;) {
    const page = await searchAudit(db, cursor === undefined ? search : { ...search, cursor });
    if (page.records.length > 0) yield page.records;
    if (page.next === null) return;
    cursor = page.next;
  }
}

async function rangeOf(db: Db, search: AuditSearch): Promise<{ readonly low: number; readonly high: number }> {
  const { tenant, log = 'main', sinceMs, untilMs, cursor, afterSeq = 0, beforeSeq = Number.MAX_SAFE_INTEGER } = search;
  if (cursor !== undefined && !/^[1-9]\d{0,15}$/.test(cursor))
    throw new GatewayError('request.invalid', `\`${cursor.slice(0, 40)}\` is no cursor; give \`next\` of the page before`);
  const [head] = await db.query<{ seq: number }>('SELECT seq FROM audit_head WHERE tenant = $1 AND log = $2', [tenant, log]);
  const low = sinceMs === undefined ? 1 : await firstSeqFrom(db, tenant, log, sinceMs - slackMs);
  const high = untilMs === undefined ? (head?.seq ?? 0) : (await firstSeqFrom(db, tenant, log, untilMs + slackMs)) - 1;
  return { low: Math.max(low, afterSeq + 1), high: Math.min(high, beforeSeq - 1, Number(cursor ?? Number.MAX_SAFE_INTEGER) - 1) };
}

type Terms = readonly (readonly [TermField, string])[];

/** What of a search segments are known by. An identity or a call has an index of its own, which is better. */
function termsOf(search: AuditSearch): Terms {
  if (search.callId !== undefined || search.identity?.subject !== undefined) return [];
  const { tool, server, endpoint, method, release, kind, effect, rule, identity } = search;
  const client = identity?.client;
  const given: Readonly<Record<TermField, string | undefined>> = {
    name: tool,
    server,
    endpoint,
    method,
    client,
    release,
    kind,
    effect,
    rule,
  };
  const terms = Object.entries(given) as [TermField, string | undefined][];
  return terms.flatMap(([field, text]) => {
    const value = indexText(text);
    return value === null || value === '' ? [] : [[field, value] as const];
  });
}

/** The numbers that are left to look at, from the highest down. Without terms all of them; with terms those of segments that have them all. */
class Stretches {
  readonly #db: Db;
  readonly #key: readonly [string, string];
  readonly #terms: Terms;
  readonly #low: number;
  #high: number;
  #width = firstWidth;
  #segments: number[] = [];
  #isLastPage = false;
  #completeFrom: number | undefined;

  constructor(db: Db, tenant: string, log: string, terms: Terms, low: number, high: number) {
    this.#db = db;
    this.#key = [tenant, log];
    this.#terms = terms;
    this.#low = low;
    this.#high = high;
  }

  async next(): Promise<{ readonly low: number; readonly high: number } | undefined> {
    if (this.#high < this.#low) return undefined;
    if (this.#terms.length > 0 && !(await this.#skip())) return undefined;
    let low = Math.max(this.#low, this.#high - this.#width + 1);
    if (this.#segments.length > 0) {
      // Neighbouring segments are read in one go.
      let run = 0;
      while (this.#segments[run + 1] === (this.#segments[run] ?? 0) - 1) run++;
      low = Math.max(low, (this.#segments[run] ?? 0) * segmentRecords);
    }
    return { low, high: this.#high };
  }

  done(reached: number, tookMs: number): void {
    this.#high = reached - 1;
    if (tookMs < quickMs) this.#width = Math.min(this.#width * 2, maxWidth);
    else if (tookMs > slowMs) this.#width = Math.max(this.#width / 2, segmentRecords);
  }

  /** Goes down to the next segment that may hold something; false when there is none. */
  async #skip(): Promise<boolean> {
    this.#completeFrom ??= await this.#readStart();
    const here = segmentOf(this.#high);
    while (this.#segments[0] !== undefined && this.#segments[0] > here) this.#segments.shift();
    // Before the terms were kept every segment may hold something.
    if (here < this.#completeFrom) return true;
    if (this.#segments.length === 0 && !this.#isLastPage) await this.#readSegments(here, this.#completeFrom);
    const [segment] = this.#segments;
    if (segment === undefined) this.#high = Math.min(this.#high, this.#completeFrom * segmentRecords - 1);
    else this.#high = Math.min(this.#high, segment * segmentRecords + segmentRecords - 1);
    return this.#high >= this.#low;
  }

  async #readStart(): Promise<number> {
    const sql = "SELECT segment FROM audit_term WHERE tenant = $1 AND log = $2 AND field = '' AND value = ''";
    return (await this.#db.query<{ segment: number }>(sql, this.#key))[0]?.segment ?? 0;
  }

  async #readSegments(from: number, completeFrom: number): Promise<void> {
    const params: SqlValue[] = [...this.#key, from, Math.max(completeFrom, segmentOf(this.#low)), termPage];
    const having = this.#terms.map(([field, value]) => {
      const [at, is] = [params.push(field), params.push(value)];
      return `SELECT DISTINCT segment FROM audit_term WHERE tenant = $1 AND log = $2 AND field = $${at} AND value IN ($${is}, '${anyValue}') AND segment <= $3 AND segment >= $4`;
    });
    const sql = `SELECT segment FROM (${having.join(' INTERSECT ')}) AS found ORDER BY segment DESC LIMIT $5`;
    const rows = await this.#db.query<{ segment: number }>(sql, params);
    this.#segments = rows.map(({ segment }) => segment);
    this.#isLastPage = rows.length < termPage;
  }
}
