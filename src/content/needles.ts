import { jsonEscapes } from './embedded-json.ts';

/** Copies of a value shorter than this are not looked for: they are everywhere. */
export const minCopyLength = 4;

/** Literals of JSON are no copies of a string that reads the same. */
const literals = /\b(?:true|false|null)\b/g;

/** Texts that must not occur any more, each with what stands in its place. */
export class Needles {
  readonly #replacements = new Map<string, string>();
  /** Lengths of the texts that share a hash of their first four units, longest first. */
  readonly #lengths = new Map<number, number[]>();
  readonly #table = new Uint8Array(65536);

  /** Adds a text in each form in which it can stand in another: as it is, escaped as in JSON, percent-encoded. The first to come stays. */
  add(text: string, replacement: string): void {
    if (text.length < minCopyLength) return;
    for (const form of formsOf(text)) {
      if (form.length < minCopyLength || this.#replacements.has(form)) continue;
      this.#replacements.set(form, replacement);
      const hash = hashAt(form, 0);
      const lengths = this.#lengths.get(hash);
      this.#table[hash] = 1;
      if (lengths === undefined) this.#lengths.set(hash, [form.length]);
      else if (!lengths.includes(form.length)) lengths.push(form.length);
      lengths?.sort((a, b) => b - a);
    }
  }

  get size(): number {
    return this.#replacements.size;
  }

  /** True where `text` holds any of them; what JSON itself spells `true`, `false` and `null` is left out where `json` says that it is JSON. */
  occurIn(text: string, json = false): boolean {
    const searched = json ? text.replace(literals, '') : text;
    for (let i = 0; i <= searched.length - minCopyLength; i++) if (this.#at(searched, i) !== undefined) return true;
    return false;
  }

  /**
   * `text` with each occurrence replaced, the longest first. Where what is left of the text and the replacements together spell one of
   * them again, the whole text becomes `mask`.
   */
  erase(text: string, mask: string): string {
    let out = '';
    let from = 0;
    for (let i = 0; i <= text.length - minCopyLength;) {
      const found = this.#at(text, i);
      if (found === undefined) {
        i++;
        continue;
      }
      out += text.slice(from, i) + (this.#replacements.get(found) ?? mask);
      i += found.length;
      from = i;
    }
    if (from === 0) return text;
    out += text.slice(from);
    return this.occurIn(out) ? mask : out;
  }

  #at(text: string, at: number): string | undefined {
    const hash = hashAt(text, at);
    if (this.#table[hash] !== 1) return undefined;
    for (const length of this.#lengths.get(hash) ?? []) {
      const piece = text.slice(at, at + length);
      if (piece.length === length && this.#replacements.has(piece)) return piece;
    }
    return undefined;
  }
}

function hashAt(text: string, at: number): number {
  return (text.charCodeAt(at) ^ (text.charCodeAt(at + 1) << 3) ^ (text.charCodeAt(at + 2) << 6) ^ (text.charCodeAt(at + 3) << 9)) & 65535;
}

function formsOf(text: string): Set<string> {
  return new Set([text, ...jsonEscapes(text), text.isWellFormed() ? encodeURIComponent(text) : text]);
}
