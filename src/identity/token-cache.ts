/** A bounded map that forgets what was used longest ago. */
export class TokenCache<Entry> {
  readonly #entries = new Map<string, Entry>();
  readonly #maxEntries: number;
  /** The key that was used last: an agent's calls come in rows, and what is in its place already need not be moved. */
  #latest: string | undefined;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || key === this.#latest) return entry;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#latest = key;
    return entry;
  }

  set(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#latest = key;
    if (this.#entries.size <= this.#maxEntries) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** Drops every entry that `match` picks and gives their number. */
  forget(match: (entry: Entry) => boolean): number {
    let count = 0;
    for (const [key, entry] of this.#entries) if (match(entry) && this.#entries.delete(key)) count += 1;
    return count;
  }
}
