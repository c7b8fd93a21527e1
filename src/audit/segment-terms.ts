import type { AuditRecord } from '../model/audit-record.ts';
import type { Db, SqlValue } from '../model/ports.ts';
import { indexText } from './columns.ts';

/** So many numbers make a segment: segment `n` holds the records `n * 1024` to `n * 1024 + 1023`. */
export const segmentRecords = 1_024;

/** What segments are found by. `rule` is of any reason of a decision, of those too that only would have applied. */
export const termFields = ['name', 'server', 'endpoint', 'method', 'client', 'release', 'kind', 'effect', 'rule'] as const;
export type TermField = (typeof termFields)[number];

/** A term with this value: the segment has more values of the field than are kept, so that it may have any. */
export const anyValue = '';

/** Agents choose some names: beyond so many of one field in one segment none is kept apart. */
const maxValues = 200;

/** The segment of a record's number. */
export function segmentOf(seq: number): number {
  return Math.floor(seq / segmentRecords);
}

interface Seen {
  readonly tenant: string;
  readonly log: string;
  readonly segment: number;
  readonly values: Readonly<Record<TermField, Set<string>>>;
}

/** Gathers the terms of records as they are written: a look-up in memory for most records, a row for the first of its kind in a segment. */
export class SegmentTerms {
  readonly #seen = new Map<string, Seen>();
  #fresh: SqlValue[][] = [];

  /** @param log the log whose records these are */
  note(tenant: string, log: string, seq: number, record: AuditRecord): void {
    const segment = segmentOf(seq);
    let seen = this.#seen.get(tenant);
    if (seen?.segment !== segment) this.#seen.set(tenant, (seen = { tenant, log, segment, values: emptyValues() }));
    const { what, decision } = record;
    this.#add(seen, 'kind', record.kind);
    this.#add(seen, 'name', what?.name);
    this.#add(seen, 'server', what?.server);
    this.#add(seen, 'endpoint', what?.endpoint);
    this.#add(seen, 'method', what?.method);
    this.#add(seen, 'client', record.who?.client);
    if (decision === undefined) return;
    this.#add(seen, 'effect', decision.effect);
    this.#add(seen, 'release', decision.release);
    for (const { rule } of decision.reasons) this.#add(seen, 'rule', rule);
    if (decision.dry_run !== undefined) for (const { rule } of decision.dry_run) this.#add(seen, 'rule', rule);
  }

  #add({ tenant, log, segment, values }: Seen, field: TermField, text: string | null | undefined): void {
    const known = values[field];
    // Nearly every name is known as it stands; one that is filed under another text is looked up under that.
    if (text === undefined || text === null || known.has(text)) return;
    const value = indexText(text);
    if (value === null || value === anyValue || known.has(value) || known.has(anyValue)) return;
    const kept = known.size < maxValues ? value : anyValue;
    known.add(kept);
    this.#fresh.push([tenant, log, field, kept, segment]);
  }

  /** Writes what was gathered, in the transaction of its records. */
  async write(tx: Db): Promise<void> {
    if (this.#fresh.length === 0) return;
    const rows = this.#fresh;
    this.#fresh = [];
    await tx.insert(insertSql, rows);
  }

  /** After a transaction that failed: nothing is taken for written. */
  forget(): void {
    this.#seen.clear();
    this.#fresh = [];
  }
}

// Replicas write to one segment, and each knows only its own part.
const insertSql =
  'INSERT INTO audit_term (tenant, log, field, value, segment) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, log, field, value, segment) DO NOTHING';

function emptyValues(): Record<TermField, Set<string>> {
  return Object.fromEntries(termFields.map((field) => [field, new Set<string>()])) as Record<TermField, Set<string>>;
}

const kept = new WeakMap<object, SegmentTerms>();

/** The terms of one writer, which is known by an object of its own that lives as long. */
export function termsOf(writer: object): SegmentTerms {
  let terms = kept.get(writer);
  if (terms === undefined) kept.set(writer, (terms = new SegmentTerms()));
  return terms;
}
