import { createHmac } from 'node:crypto';
import { isRawNumber, rawNumber, type Json } from '../../model/json.ts';
import { wordsOf, type Vocabulary } from './vocabulary.ts';

/** Literals shorter than this are kept only as whole words: within others they would keep too much. */
const minPartChars = 4;
/** Longer ones are sentences for people. */
const maxPartChars = 40;
/** Words up to this keep their length; longer ones keep it in steps of eight, which tells less. */
const maxExactChars = 16;
const maxKept = 200_000;

/**
 * Puts tokens in the place of values: the same value is the same token, under a key. What the policy's vocabulary has stays. A token keeps what
 * rules look at: separators, so the shape of paths, addresses and statements; letters, digits and case; the length, of long words in steps; for
 * numbers the order to every number that the policy knows, sign, and digits before and after the point.
 */
export class Tokeniser {
  readonly #key: Uint8Array;
  readonly #vocabulary: Vocabulary;
  readonly #parts: RegExp;
  readonly #words = new Map<string, string>();

  /** @param key secret; whoever has it can test guesses */
  constructor(vocabulary: Vocabulary, key: Uint8Array) {
    this.#key = key;
    this.#vocabulary = vocabulary;
    const kept = [...vocabulary.literals].flatMap((literal) =>
      literal.length >= minPartChars && literal.length <= maxPartChars ? [literal.toLowerCase()] : [],
    );
    const longest = [...new Set(kept)]
      .sort((a, b) => b.length - a.length)
      .map((literal) => literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
    this.#parts = new RegExp([...longest, '[\\p{L}\\p{N}]+'].join('|'), 'giu');
  }

  /** Any value; keys of objects are tokenised too. */
  value(value: Json): Json {
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'number') return this.number(value);
    if (isRawNumber(value)) return rawNumber(this.#digits(value.rawJSON));
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item: Json) => this.value(item));
    const entries = Object.entries(value).flatMap(([key, item]) =>
      item === undefined ? [] : [[this.text(key), this.value(item)] as const],
    );
    return Object.fromEntries(entries);
  }

  text(text: string): string {
    if (this.#vocabulary.literals.has(text)) return text;
    return text.replace(this.#parts, (part) => this.#part(part));
  }

  number(value: number): number {
    const { numbers } = this.#vocabulary;
    if (!Number.isFinite(value) || value === 0 || numbers.includes(value)) return value;
    const text = String(value);
    if (!/^-?\d+(\.\d+)?$/.test(text)) return value;
    const digits = Number(this.#digits(text));
    const [above, below] = [numbers.find((known) => known > value), numbers.findLast((known) => known < value)];
    const fits = (candidate: number): boolean => (above === undefined || candidate < above) && (below === undefined || candidate > below);
    if (fits(digits) && !numbers.includes(digits)) return digits;
    // Between two numbers that the policy knows: anywhere there, by its token.
    const [low, high] = [below ?? (above ?? 0) - Math.abs(value) - 1, above ?? (below ?? 0) + Math.abs(value) + 1];
    const share = Number.parseInt(this.#hash(`number ${text}`).subarray(0, 6).toString('hex'), 16) / 2 ** 48;
    if (!Number.isInteger(value)) return low + (high - low) * (0.1 + 0.8 * share);
    const [first, last] = [Math.floor(low) + 1, Math.ceil(high) - 1];
    return first > last ? value : first + Math.floor(share * (last - first + 1));
  }

  /** A digest, as one of nothing. */
  digest(text: string): string {
    return `sha256:${this.#hash(`digest ${text}`).toString('hex')}`;
  }

  /** An address of the range for benchmarks (RFC 2544), or of the one for documentation (RFC 3849). */
  address(text: string): string {
    const bytes = this.#hash(`address ${text}`);
    if (!text.includes(':')) return `198.${18 + ((bytes[0] ?? 0) & 1)}.${bytes[1] ?? 0}.${bytes[2] ?? 0}`;
    return `2001:db8::${bytes.subarray(0, 2).toString('hex')}:${bytes.subarray(2, 4).toString('hex')}`;
  }

  #part(part: string): string {
    const lower = part.toLowerCase();
    if (this.#vocabulary.words.has(lower) || this.#vocabulary.literals.has(part)) return part;
    // A literal that is no word of its own, such as one with separators in it, is kept as it is.
    if (wordsOf(part).every((word) => this.#vocabulary.words.has(word))) return part;
    let token = this.#words.get(part);
    if (token === undefined) {
      token = this.#word(part, lower);
      if (this.#words.size >= maxKept) this.#words.clear();
      this.#words.set(part, token);
    }
    return token;
  }

  #word(part: string, lower: string): string {
    const characters = Array.from(part);
    const length = characters.length <= maxExactChars ? characters.length : characters.length - (characters.length % 8);
    const bytes = this.#stream(`word ${lower}`, length);
    return characters
      .slice(0, length)
      .map((character, at) => {
        const byte = bytes[at] ?? 0;
        if (/\p{N}/u.test(character)) return at === 0 && length > 1 ? String(1 + (byte % 9)) : String(byte % 10);
        const letter = String.fromCharCode(97 + (byte % 26));
        return /\p{Lu}/u.test(character) ? letter.toUpperCase() : letter;
      })
      .join('');
  }

  /** Another number of the same form. */
  #digits(text: string): string {
    const bytes = this.#stream(`digits ${text}`, text.length);
    let isFirst = true;
    return text.replace(/\d/g, (digit, at: number) => {
      const byte = bytes[at] ?? 0;
      const next = isFirst && digit !== '0' ? String(1 + (byte % 9)) : isFirst ? '0' : String(byte % 10);
      isFirst = false;
      return next;
    });
  }

  #stream(text: string, length: number): Uint8Array {
    const blocks = [];
    for (let block = 0; block * 32 < length; block++) blocks.push(this.#hash(`${block} ${text}`));
    return Buffer.concat(blocks);
  }

  #hash(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest();
  }
}
