import type { RecordedInput } from '../model/recorded.ts';
import type { AuditRecord } from '../model/audit-record.ts';
import type { Entrypoint } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { openBlock, placesIn, withParts, type Block, type PartPlace, type SealedItem } from './sealed-block.ts';
import { unwrapKey, type KeyRing } from './sealed-keys.ts';
import { boundKey, dayOf } from './sealed-writer.ts';

/** An input as it was sealed, with what proves that it is the one of its record. */
export interface OpenedInput {
  readonly seq: number;
  readonly call: string;
  readonly entry: Entrypoint;
  readonly salt: string;
  readonly json: string;
  readonly masked: readonly string[] | undefined;
}

interface SealedRow {
  readonly first_seq: number;
  readonly last_seq: number;
  readonly day: string;
  readonly sealed: Uint8Array;
}

interface WindowRow {
  readonly kek: string;
  readonly wrapped_key: Uint8Array | null;
  readonly ended_why: 'erased' | 'expired' | null;
}

/** A sealed row is at most so many records wide. */
export const maxBlockSpan = 4_096;
/** Characters of parts that are kept for later inputs; what is needed again after that is read again. */
const maxKeptChars = 64 * 1_048_576;
const rowsAtOnce = 200;

/**
 * Opens sealed inputs of one tenant's log. Keeps keys and parts while it reads on, so it is made for one reading and then let go.
 * @throws GatewayError `store.unavailable`; `request.invalid` when the key at hand is not the one they were sealed with, or a row was changed
 */
export class SealedReader {
  readonly #db: Db;
  readonly #ring: KeyRing | undefined;
  readonly #tenant: string;
  readonly #log: string;
  readonly #windows = new Map<string, { readonly key: Uint8Array | undefined; readonly why: WindowRow['ended_why'] }>();
  readonly #parts = new Map<number, readonly string[]>();
  #keptChars = 0;

  constructor(db: Db, ring: KeyRing | undefined, tenant: string, log: string) {
    this.#db = db;
    this.#ring = ring;
    this.#tenant = tenant;
    this.#log = log;
  }

  /** The inputs that were sealed with the records `fromSeq` to `toSeq`, by the number of the record. */
  async open(fromSeq: number, toSeq: number): Promise<ReadonlyMap<number, OpenedInput>> {
    const rows = await this.#db.query<SealedRow>(
      `SELECT first_seq, last_seq, day, sealed FROM audit_input
       WHERE tenant = $1 AND log = $2 AND first_seq > $3 AND first_seq <= $4 AND last_seq >= $5 ORDER BY first_seq`,
      [this.#tenant, this.#log, fromSeq - maxBlockSpan, toSeq, fromSeq],
    );
    const items: { readonly item: SealedItem; readonly firstSeq: number }[] = [];
    for (const row of rows) {
      const block = await this.#block(row);
      for (const item of block?.items ?? []) if (item.seq >= fromSeq && item.seq <= toSeq) items.push({ item, firstSeq: row.first_seq });
    }
    await this.#fetchMissing(items.flatMap(({ item, firstSeq }) => placesIn(item.text, firstSeq)));
    const opened = new Map<number, OpenedInput>();
    for (const { item, firstSeq } of items) {
      const { seq, call, entry, salt, masked } = item;
      const json = withParts(item.text, firstSeq, ({ firstSeq: at, index }) => this.#parts.get(at)?.[index]);
      // A part of it lies in a row that is gone: the row was taken away, not the day's key.
      if (json !== undefined) opened.set(seq, { seq, call, entry, salt, masked, json });
    }
    return opened;
  }

  /** What is left of the input of a record, given what {@link open} found for it. */
  async inputOf(record: AuditRecord, found: OpenedInput | undefined): Promise<RecordedInput> {
    if (found !== undefined && found.call === (record.call ?? ''))
      return found.masked === undefined
        ? { state: 'kept', json: found.json }
        : { state: 'masked', json: found.json, pointers: found.masked };
    const marked = record.decision?.input;
    if (marked === 'too_large') return { state: 'absent', why: 'too_large' };
    if (marked === 'dropped') return { state: 'absent', why: 'not_kept' };
    const window = await this.#window(dayOf(record.at));
    return { state: 'absent', why: window?.why ?? 'not_kept' };
  }

  async #block(row: SealedRow): Promise<Block | undefined> {
    const window = await this.#window(row.day);
    if (window?.key === undefined) return undefined;
    const { first_seq: firstSeq, last_seq: lastSeq, day } = row;
    const block = openBlock(window.key, { tenant: this.#tenant, log: this.#log, day, firstSeq, lastSeq }, row.sealed);
    if (block === undefined)
      throw new GatewayError(
        'request.invalid',
        `the sealed inputs of record ${firstSeq} and after do not open: they were changed or moved`,
      );
    this.#keep(firstSeq, block.parts);
    return block;
  }

  #keep(firstSeq: number, parts: readonly string[]): void {
    if (parts.length === 0 || this.#parts.has(firstSeq)) return;
    this.#parts.set(firstSeq, parts);
    for (const part of parts) this.#keptChars += part.length;
    for (const [oldest, texts] of this.#parts) {
      if (this.#keptChars <= maxKeptChars || oldest === firstSeq) break;
      this.#parts.delete(oldest);
      for (const text of texts) this.#keptChars -= text.length;
    }
  }

  async #fetchMissing(places: readonly PartPlace[]): Promise<void> {
    const missing = [...new Set(places.map(({ firstSeq }) => firstSeq))].filter((firstSeq) => !this.#parts.has(firstSeq));
    for (let at = 0; at < missing.length; at += rowsAtOnce) {
      const asked = missing.slice(at, at + rowsAtOnce);
      const rows = await this.#db.query<SealedRow>(
        `SELECT first_seq, last_seq, day, sealed FROM audit_input
         WHERE tenant = $1 AND log = $2 AND first_seq IN (${asked.map((_, index) => `$${index + 3}`).join(', ')})`,
        [this.#tenant, this.#log, ...asked],
      );
      for (const row of rows) await this.#block(row);
    }
  }

  async #window(day: string): Promise<{ readonly key: Uint8Array | undefined; readonly why: WindowRow['ended_why'] } | undefined> {
    const known = this.#windows.get(day);
    if (known !== undefined) return known;
    const [row] = await this.#db.query<WindowRow>(
      'SELECT kek, wrapped_key, ended_why FROM audit_window WHERE tenant = $1 AND log = $2 AND day = $3',
      [this.#tenant, this.#log, day],
    );
    if (row === undefined) return undefined;
    const key =
      row.wrapped_key === null ? undefined : unwrapKey(this.#ring, row.kek, row.wrapped_key, boundKey(this.#tenant, this.#log, day));
    const window = { key, why: row.ended_why };
    this.#windows.set(day, window);
    return window;
  }
}
