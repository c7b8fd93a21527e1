import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { Entrypoint } from '../model/decision.ts';
import type { Db } from '../model/ports.ts';
import { commitInput } from './input-commitment.ts';
import { referTo, sealBlock, type PartPlace, type SealedItem } from './sealed-block.ts';
import { keyBytes, unwrapKey, wrapKey, type KeyRing } from './sealed-keys.ts';

/** An input as the calling thread hands it over: the pieces of its text, each text part named by its number. */
export interface HandedInput {
  readonly entry: Entrypoint;
  readonly salt: string;
  readonly masked: readonly string[] | undefined;
  /** What stands before, between and after the parts. */
  readonly texts: readonly string[];
  /** The parts' numbers; one fewer than texts. */
  readonly parts: Uint32Array;
}

/** An input whose record has its number. */
export interface PlacedInput {
  readonly tenant: string;
  readonly day: string;
  readonly seq: number;
  readonly call: string;
  readonly input: HandedInput;
}

interface DayKey {
  readonly key: KeyObject;
  readonly day: string;
}

interface KnownPart {
  readonly text: string;
  /** Where it was stored last, and for which day of which tenant: other days' blocks cannot refer to it. */
  storedFor: DayKey | undefined;
  place: PartPlace | undefined;
}

/** The day, in UTC, under whose key the input of a record of this time is sealed; `2026-11-21`. */
export function dayOf(at: string): string {
  return at.slice(0, 10);
}

/** What days' keys are bound to. */
export function boundKey(tenant: string, log: string, day: string): string {
  return JSON.stringify(['castellan day key', tenant, log, day]);
}

/**
 * Seals inputs in the transaction of their records. Lives in the audit worker, as long as it: knows the parts that the calling thread told it,
 * and where they are stored.
 */
export class SealedWriter {
  readonly #ring: KeyRing;
  readonly #log: string;
  readonly #parts: KnownPart[] = [];
  readonly #keys = new Map<string, DayKey>();
  #stored: KnownPart[] = [];
  #newKeys: string[] = [];

  constructor(ring: KeyRing, log: string) {
    this.#ring = ring;
    this.#log = log;
  }

  /** Learns parts: numbers `from`, `from` + 1, …; with `from` 0 everything known before is forgotten. */
  learn(from: number, texts: readonly string[]): void {
    if (from === 0) this.#parts.length = 0;
    texts.forEach((text, index) => (this.#parts[from + index] = { text, storedFor: undefined, place: undefined }));
  }

  /** What the record says of the input. @throws TypeError when a part was never told: the record must not be written then */
  commit({ salt, texts, parts }: HandedInput): string {
    let whole = texts[0] ?? '';
    for (let at = 0; at < parts.length; at++) whole += this.#part(parts[at]).text + (texts[at + 1] ?? '');
    return commitInput(salt, whole);
  }

  /** Writes what is sealed of one group; gives the inputs whose day has no key any more. */
  async write(tx: Db, inputs: readonly PlacedInput[]): Promise<void> {
    const byDay = Map.groupBy(inputs, ({ tenant, day }) => JSON.stringify([tenant, day]));
    for (const group of byDay.values()) await this.#writeDay(tx, group);
  }

  /** The transaction is durable: its parts can be referred to from now on. */
  committed(): void {
    this.#stored = [];
    this.#newKeys = [];
  }

  /** The transaction failed, or its fate is unknown: nothing of it is taken for stored. */
  failed(): void {
    for (const part of this.#stored) part.storedFor = undefined;
    for (const name of this.#newKeys) this.#keys.delete(name);
    this.committed();
  }

  async #writeDay(tx: Db, inputs: readonly PlacedInput[]): Promise<void> {
    const [first] = inputs;
    const last = inputs.at(-1);
    if (first === undefined || last === undefined) return;
    const { tenant, day, seq: firstSeq } = first;
    const key = await this.#keyOf(tx, tenant, day, firstSeq);
    // The day was erased: what comes late for it goes the same way.
    if (key === undefined) return;
    const place = { tenant, log: this.#log, day, firstSeq, lastSeq: last.seq };
    const parts: string[] = [];
    const items: SealedItem[] = [];
    for (const { seq, call, input } of inputs) {
      const { entry, salt, masked } = input;
      items.push({ seq, call, entry, salt, masked, text: this.#referring(input, key, firstSeq, parts) });
    }
    await tx.query('INSERT INTO audit_input (tenant, log, first_seq, last_seq, day, sealed) VALUES ($1, $2, $3, $4, $5, $6)', [
      tenant,
      this.#log,
      firstSeq,
      last.seq,
      day,
      sealBlock(key.key, place, { parts, items }),
    ]);
  }

  /** The input's text with references; parts that this day's blocks do not have yet are added to `fresh`, which is the block's. */
  #referring({ texts, parts }: HandedInput, key: DayKey, firstSeq: number, fresh: string[]): string {
    let whole = texts[0] ?? '';
    let before = firstSeq;
    for (let at = 0; at < parts.length; at++) {
      const part = this.#part(parts[at]);
      if (part.storedFor !== key || part.place === undefined) {
        part.place = { firstSeq, index: fresh.push(part.text) - 1 };
        part.storedFor = key;
        this.#stored.push(part);
      }
      whole += referTo(part.place, before) + (texts[at + 1] ?? '');
      before = part.place.firstSeq;
    }
    return whole;
  }

  #part(number: number | undefined): KnownPart {
    const part = this.#parts[number ?? -1];
    if (part === undefined) throw new TypeError('an input refers to a part that was never told');
    return part;
  }

  /** The key of a day, made at its first use; `undefined` where it was destroyed. */
  async #keyOf(tx: Db, tenant: string, day: string, firstSeq: number): Promise<DayKey | undefined> {
    const name = JSON.stringify([tenant, day]);
    const known = this.#keys.get(name);
    // Only a day that is over can be erased: today's key need not be asked for again.
    if (known !== undefined && day >= dayOf(new Date().toISOString())) return known;
    const bound = boundKey(tenant, this.#log, day);
    const sql = 'SELECT kek, wrapped_key FROM audit_window WHERE tenant = $1 AND log = $2 AND day = $3';
    const read = async (): Promise<{ kek: string; wrapped_key: Uint8Array | null } | undefined> =>
      (await tx.query<{ kek: string; wrapped_key: Uint8Array | null }>(sql, [tenant, this.#log, day]))[0];
    let row = await read();
    if (row === undefined) {
      const { kek, wrapped } = wrapKey(this.#ring, randomBytes(keyBytes), bound);
      await tx.query(
        `INSERT INTO audit_window (tenant, log, day, first_seq, kek, wrapped_key, made_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant, log, day) DO NOTHING`,
        [tenant, this.#log, day, firstSeq, kek, wrapped, Date.now()],
      );
      row = await read();
    }
    if (row?.wrapped_key === null || row === undefined) {
      this.#keys.delete(name);
      return undefined;
    }
    if (known !== undefined) return known;
    // Bytes would be turned into a key at each use.
    const key = createSecretKey(unwrapKey(this.#ring, row.kek, row.wrapped_key, bound));
    for (const [other, { day: otherDay }] of this.#keys) if (otherDay < day) this.#keys.delete(other);
    const made = { key, day };
    this.#keys.set(name, made);
    this.#newKeys.push(name);
    return made;
  }
}
