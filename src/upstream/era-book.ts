import type { Era } from './types.ts';

/** What an era book is made of. */
export interface EraBookParts {
  /** What the configuration says. */
  readonly choice: 'auto' | Era;
  readonly lifeMs: number;
  /** Asks the upstream. @throws GatewayError when it cannot be reached: that says nothing of its era */
  readonly probe: () => Promise<Era>;
  /** True while what was found cannot have changed: a running child does not learn another era. */
  readonly holds?: () => boolean;
  /** Hears of each answer that was new. */
  readonly onFound?: (era: Era) => void;
}

/** Which era an upstream speaks: as configured, or as found by asking it, kept for a while, and asked again when it proved wrong. */
export class EraBook {
  readonly #parts: EraBookParts;
  #found: { readonly era: Era; readonly atMs: number } | undefined;
  #finding: Promise<Era> | undefined;
  #epoch = 0;

  constructor(parts: EraBookParts) {
    this.#parts = parts;
  }

  /** Grows when what was found proved wrong. */
  get epoch(): number {
    return this.#epoch;
  }

  get known(): Era | undefined {
    return this.#parts.choice === 'auto' ? this.#found?.era : this.#parts.choice;
  }

  /** Single-flight. @throws GatewayError */
  find(): Promise<Era> {
    const { choice, lifeMs, probe, holds, onFound } = this.#parts;
    if (choice !== 'auto') return Promise.resolve(choice);
    const found = this.#found;
    if (found !== undefined && (Date.now() - found.atMs < lifeMs || holds?.() === true)) return Promise.resolve(found.era);
    this.#finding ??= probe()
      .then((era) => {
        // Where one process serves all, nobody can stay with the era of the one before it.
        if (holds !== undefined && this.#found !== undefined && this.#found.era !== era) this.#epoch++;
        if (this.#found?.era !== era) onFound?.(era);
        this.#found = { era, atMs: Date.now() };
        return era;
      })
      .finally(() => (this.#finding = undefined));
    return this.#finding;
  }

  /** The upstream does not speak `era` after all. */
  forget(era: Era): void {
    if (this.#parts.choice !== 'auto' || this.#found?.era !== era) return;
    this.#found = undefined;
    this.#epoch++;
  }
}
