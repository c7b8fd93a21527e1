import type { Dialect, Era } from './types.ts';

/** What an era book is made of. */
export interface EraBookParts {
  /** What the configuration says. */
  readonly choice: 'auto' | Era;
  readonly lifeMs: number;
  /** Asks the upstream. @throws GatewayError when it cannot be reached: that says nothing of its era */
  readonly probe: () => Promise<Dialect>;
  /** Asks whether the upstream has the older transport of the legacy era. Left out where there is none to have. */
  readonly speaksSse?: () => Promise<boolean>;
  /** True while what was found cannot have changed: a running child does not learn another era. */
  readonly holds?: () => boolean;
  /** Hears of each answer that was new. */
  readonly onFound?: (dialect: Dialect) => void;
}

/**
 * Which era an upstream speaks: as configured, or as found by asking it, kept for a while, and asked again when it proved wrong. That it has
 * the older transport of the legacy era is found when it refuses that era's first words, and kept in the same way.
 */
export class EraBook {
  readonly #parts: EraBookParts;
  #found: { readonly dialect: Dialect; readonly atMs: number } | undefined;
  #finding: Promise<Dialect> | undefined;
  #reconsidering: Promise<boolean> | undefined;
  #epoch = 0;

  constructor(parts: EraBookParts) {
    this.#parts = parts;
  }

  /** Grows when what was found proved wrong. */
  get epoch(): number {
    return this.#epoch;
  }

  get known(): Dialect | undefined {
    const { choice } = this.#parts;
    return choice === 'auto' || (choice === 'legacy' && this.#found !== undefined) ? this.#found?.dialect : choice;
  }

  /** Single-flight. @throws GatewayError */
  find(): Promise<Dialect> {
    const { choice, lifeMs, holds } = this.#parts;
    const found = this.#found;
    if (found !== undefined && (Date.now() - found.atMs < lifeMs || holds?.() === true)) return Promise.resolve(found.dialect);
    if (choice === 'modern' || (choice === 'legacy' && found === undefined)) return Promise.resolve(choice);
    this.#finding ??= this.#find(choice).finally(() => (this.#finding = undefined));
    return this.#finding;
  }

  /**
   * The upstream refused the first words of the legacy era: asks whether it has that era's older transport. Gives whether it does; then
   * everybody goes on with that. Single-flight.
   */
  async reconsider(): Promise<boolean> {
    const { choice, speaksSse } = this.#parts;
    if (speaksSse === undefined || choice === 'modern') return false;
    if (this.#found?.dialect === 'sse') return true;
    this.#reconsidering ??= speaksSse()
      .then((speaks) => {
        if (speaks) {
          this.#keep('sse');
          this.#epoch++;
        }
        return speaks;
      })
      .finally(() => (this.#reconsidering = undefined));
    return this.#reconsidering;
  }

  /** The upstream does not speak `dialect` after all. */
  forget(dialect: Dialect): void {
    if (this.#found?.dialect !== dialect) return;
    this.#found = undefined;
    this.#epoch++;
  }

  async #find(choice: 'auto' | Era): Promise<Dialect> {
    const { probe, holds, speaksSse } = this.#parts;
    const asked = choice === 'auto' ? await probe() : choice;
    const before = this.#found?.dialect;
    // It had the older transport, and no word of `server/discover` tells that from the newer one.
    const dialect = asked === 'legacy' && before === 'sse' && (await speaksSse?.()) === true ? 'sse' : asked;
    // Where one process serves all, nobody can stay with the era of the one before it.
    if (holds !== undefined && before !== undefined && before !== dialect) this.#epoch++;
    this.#keep(dialect);
    return dialect;
  }

  #keep(dialect: Dialect): void {
    if (this.#found?.dialect !== dialect) this.#parts.onFound?.(dialect);
    this.#found = { dialect, atMs: Date.now() };
  }
}
