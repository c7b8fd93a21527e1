import type { InputReads } from '../model/ports.ts';
import { TextPart } from '../model/text-part.ts';

/**
 * What goes into the inputs of one entrypoint of one release: nothing that its policy provably cannot read. Texts of parts that live
 * longer than a call (an identity, a tool, the environment) are made once.
 */
export class InputPlan {
  readonly #reads: InputReads | null;
  readonly #kept = new Map<string, WeakMap<object, string>>();
  readonly #environments = new Map<string, string>();

  constructor(reads: InputReads | null) {
    this.#reads = reads;
  }

  /** Whether the top-level member `key` is read at all. */
  wants(key: string): boolean {
    return this.#reads === null || this.#reads.has(key);
  }

  /** Whether `key.member` is read. */
  wantsMember(key: string, member: string): boolean {
    if (this.#reads === null) return true;
    const members = this.#reads.get(key);
    return members === null || members?.has(member) === true;
  }

  /** JSON of `object` with the members of `key` that are read; an object of which nothing is read stays, empty. Kept while `owner` lives. */
  text(key: string, owner: object, object: () => Readonly<Record<string, unknown>>): string {
    let texts = this.#kept.get(key);
    if (texts === undefined) this.#kept.set(key, (texts = new WeakMap()));
    let text = texts.get(owner);
    if (text === undefined) texts.set(owner, (text = JSON.stringify(this.#pruned(key, object()))));
    return text;
  }

  /** The same for the environment, which is a text already. */
  environment(json: string): string {
    let text = this.#environments.get(json);
    if (text === undefined) {
      // A handful at most: it changes with the configuration. The bound is for a test that changes it for ever.
      if (this.#environments.size > 100) this.#environments.clear();
      text = JSON.stringify(this.#pruned('environment', JSON.parse(json) as Record<string, unknown>));
      this.#environments.set(json, text);
    }
    return text;
  }

  #pruned(key: string, object: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return Object.fromEntries(Object.entries(object).filter(([member]) => this.wantsMember(key, member)));
  }
}

/** Lists, environments and other texts that live long and are few. */
const maxTexts = 1_000;

/** Plans by what is read: each release has its own reads object for each entrypoint, so a plan ends with its release. */
export class InputPlans {
  readonly #plans = new WeakMap<InputReads, InputPlan>();
  readonly #owned = new WeakMap<object, TextPart>();
  readonly #texts = new Map<string, TextPart>();
  /** Everything: for a release of which nothing is known, and for what is kept beside the record. */
  readonly whole = new InputPlan(null);

  /** The part of what lives longer than a call: the same for the same text. Its text is asked for once while `owner` lives. */
  partOf(owner: object, text: () => string): TextPart {
    let part = this.#owned.get(owner);
    if (part === undefined) this.#owned.set(owner, (part = this.partOfText(text())));
    return part;
  }

  /** The part of what belongs to one call; the same each time while `owner` lives. */
  partOfCall(owner: object, text: string): TextPart {
    let part = this.#owned.get(owner);
    if (part === undefined) this.#owned.set(owner, (part = new TextPart(text)));
    return part;
  }

  /** The part of a text that many calls share. */
  partOfText(text: string): TextPart {
    let part = this.#texts.get(text);
    if (part === undefined) {
      if (this.#texts.size >= maxTexts) this.#texts.clear();
      this.#texts.set(text, (part = new TextPart(text)));
    }
    return part;
  }

  of(reads: InputReads | null | undefined): InputPlan {
    if (reads === null || reads === undefined) return this.whole;
    let plan = this.#plans.get(reads);
    if (plan === undefined) this.#plans.set(reads, (plan = new InputPlan(reads)));
    return plan;
  }
}
