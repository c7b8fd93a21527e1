import { inspect } from 'node:util';

/** A secret of the configuration: its text comes out of {@link Secret.reveal} alone, never out of a log, JSON or an error. */
export class Secret {
  readonly #text: string;
  /** Where it came from: `env NAME` or `file PATH`. */
  readonly source: string;

  constructor(text: string, source: string) {
    this.#text = text;
    this.source = source;
    Object.freeze(this);
  }

  /** The secret itself. Call it where it is sent, not before. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

/** Settings by name, each as {@link revealed}. */
export function allRevealed(values: Readonly<Record<string, string | Secret>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, revealed(value)]));
}

/** Headers as {@link allRevealed}, their names in lower case. */
export function revealedHeaders(headers: Readonly<Record<string, string | Secret>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), revealed(value)]));
}

/** The text of a setting that may be a secret or plain text. */
export function revealed(value: string | Secret): string {
  return typeof value === 'string' ? value : value.reveal();
}
