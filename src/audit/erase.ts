import { randomBytes } from 'node:crypto';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { factsOf, isHeld, listHolds, type Hold } from './holds.ts';
import { sealBlock, type SealedItem } from './sealed-block.ts';
import { keyBytes, wrapKey, type KeyRing } from './sealed-keys.ts';
import { SealedReader } from './sealed-reader.ts';
import { boundKey, dayOf } from './sealed-writer.ts';

/** What came of one day. */
export interface ErasedDay {
  readonly day: string;
  /** Inputs that a hold kept: they were sealed anew, under a key of their own. */
  readonly held: number;
}

export interface EraseOptions {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  /** Days, `2026-11-21`, both included. */
  readonly fromDay: string;
  readonly untilDay: string;
  readonly why: 'erased' | 'expired';
  readonly nowMs: number;
}

/** What stands behind a day's name for what holds keep of it. */
const heldMark = '/held-';
const pattern = /^\d{4}-\d{2}-\d{2}$/;
const rowsAtOnce = 100;

/**
 * Destroys the keys of days, so that nothing opens what was sealed under them: hashes and chain stay as they are. What a hold covers is
 * sealed anew before, under a key of its own; what is interrupted begins again. The sealed rows go with the next round of retention.
 * @param ring absent where no key is at hand: then nothing can be sealed anew, and a day of which a hold covers anything is refused
 * @throws GatewayError `request.invalid` for what is no day, or not over yet; `store.unavailable`
 */
export async function eraseDays(db: Db, ring: KeyRing | undefined, options: EraseOptions): Promise<ErasedDay[]> {
  const { tenant, log = 'main', fromDay, untilDay, nowMs } = options;
  for (const day of [fromDay, untilDay])
    if (!pattern.test(day)) throw new GatewayError('request.invalid', `\`${day}\` is no day; give one such as \`2026-11-21\``);
  if (untilDay >= dayOf(new Date(nowMs).toISOString()))
    throw new GatewayError('request.invalid', `\`${untilDay}\` is not over yet (days are UTC): it is still being sealed under its key`);
  const holds = await listHolds(db, tenant);
  const live = await db.query<{ day: string }>(
    'SELECT day FROM audit_window WHERE tenant = $1 AND log = $2 AND day >= $3 AND day < $4 AND wrapped_key IS NOT NULL ORDER BY day',
    [tenant, log, fromDay, `${untilDay}0`],
  );
  // What SQLite frees is overwritten: a key that is gone must not lie about in the file.
  if (db.engine === 'sqlite') await db.query('PRAGMA secure_delete = ON');
  const erased: ErasedDay[] = [];
  for (const [day, windows] of Map.groupBy(live, (row) => row.day.slice(0, 10))) {
    const names = windows.map((row) => row.day);
    const held = await new DayErasure(db, ring, { ...options, log }, day, names).run(holds);
    if (held !== undefined) erased.push({ day, held });
  }
  if (db.engine === 'sqlite' && erased.length > 0) await db.query('PRAGMA wal_checkpoint(TRUNCATE)');
  return erased;
}

/** One day: its own key, and those of what earlier erasures kept for a hold. */
class DayErasure {
  readonly #db: Db;
  readonly #ring: KeyRing | undefined;
  readonly #options: EraseOptions & { readonly log: string };
  readonly #day: string;
  readonly #windows: readonly string[];

  constructor(
    db: Db,
    ring: KeyRing | undefined,
    options: EraseOptions & { readonly log: string },
    day: string,
    windows: readonly string[],
  ) {
    this.#db = db;
    this.#ring = ring;
    this.#options = options;
    this.#day = day;
    this.#windows = windows;
  }

  /** How many inputs were kept for a hold; `undefined` where there was nothing to erase. */
  async run(holds: readonly Hold[]): Promise<number | undefined> {
    const kept = holds.length === 0 ? [] : await this.#covered(holds);
    const isOnlyHeld = !this.#windows.includes(this.#day);
    if (isOnlyHeld && this.#windows.length === 1 && kept.length > 0 && kept.every(({ isWhole }) => isWhole)) return undefined;
    if (kept.length > 0) await this.#sealAnew(kept);
    const { tenant, log, why, nowMs } = this.#options;
    await this.#db.query(
      `UPDATE audit_window SET wrapped_key = NULL, ended_at_ms = $1, ended_why = $2
       WHERE tenant = $3 AND log = $4 AND day IN (${this.#windows.map((_, index) => `$${index + 5}`).join(', ')}) AND wrapped_key IS NOT NULL`,
      [nowMs, why, tenant, log, ...this.#windows],
    );
    return kept.reduce((sum, { items }) => sum + items.length, 0);
  }

  /** The inputs of the day that a hold covers, row by row, opened. */
  async #covered(holds: readonly Hold[]): Promise<KeptRow[]> {
    const { tenant, log } = this.#options;
    const reader = new SealedReader(this.#db, this.#ring, tenant, log);
    const kept = new Map<number, KeptRow>();
    for (let after = Number.MIN_SAFE_INTEGER; ;) {
      const rows = await this.#db.query<{ first_seq: number; last_seq: number }>(
        `SELECT first_seq, last_seq FROM audit_input WHERE tenant = $1 AND log = $2 AND first_seq > $3
         AND day IN (${this.#windows.map((_, index) => `$${index + 5}`).join(', ')}) ORDER BY first_seq LIMIT $4`,
        [tenant, log, after, rowsAtOnce, ...this.#windows],
      );
      for (const { first_seq: firstSeq, last_seq: lastSeq } of rows) {
        after = firstSeq;
        const facts = await factsOf(this.#db, tenant, log, firstSeq, lastSeq);
        const isCovered = (seq: number): boolean => {
          const one = facts.get(seq);
          return one !== undefined && isHeld(holds, one);
        };
        if (![...facts.keys()].some(isCovered)) continue;
        const own = [...(await reader.open(firstSeq, lastSeq)).values()];
        const items = own.filter(({ seq }) => isCovered(seq)).map(({ json, ...item }) => ({ ...item, text: json }));
        if (items.length > 0) kept.set(firstSeq, { firstSeq, lastSeq, items, isWhole: items.length === own.length });
      }
      if (rows.length < rowsAtOnce) return [...kept.values()];
    }
  }

  async #sealAnew(rows: readonly KeptRow[]): Promise<void> {
    if (this.#ring === undefined) throw new TypeError('what was opened needs a key');
    const { tenant, log, nowMs } = this.#options;
    const day = `${this.#day}${heldMark}${nowMs}`;
    const key = randomBytes(keyBytes);
    const { kek, wrapped } = wrapKey(this.#ring, key, boundKey(tenant, log, day));
    await this.#db.query(
      'INSERT INTO audit_window (tenant, log, day, first_seq, kek, wrapped_key, made_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)',
      [tenant, log, day, rows[0]?.firstSeq ?? 0, kek, wrapped, nowMs],
    );
    for (const { firstSeq, lastSeq, items } of rows) {
      const sealed = sealBlock(key, { tenant, log, day, firstSeq, lastSeq }, { parts: [], items });
      await this.#db.query('INSERT INTO audit_input (tenant, log, first_seq, last_seq, day, sealed) VALUES ($1, $2, $3, $4, $5, $6)', [
        tenant,
        log,
        firstSeq,
        lastSeq,
        day,
        sealed,
      ]);
    }
  }
}

interface KeptRow {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly items: readonly SealedItem[];
  readonly isWhole: boolean;
}
