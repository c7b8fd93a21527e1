import type { Finding } from '../model/input.ts';
import { isRawNumber, type Json, type JsonObject } from '../model/json.ts';
import { toPointer } from '../model/json-pointer.ts';
import { blobKeys, textOfBase64, textOfDataUri } from './blob.ts';
import { embeddedJson, looksLikeJson, unescaped } from './embedded-json.ts';
import type { Work } from './secret-matcher.ts';
import { loadRules } from './secret-rules.ts';
import { createStringScan, type ScanOptions, type StringFindings } from './string-scan.ts';

/** What is looked for, and how much of a message is looked at. */
export interface DetectorOptions extends ScanOptions {
  /** Characters of all strings of one value together. What lies beyond is reported as `content.too_large`. */
  readonly maxScanBytes: number;
}

/** The detectors of one configuration. Immutable; safe to share between calls. */
export interface Detectors {
  /**
   * Every string of `value`, keys included, at any depth, and those inside JSON in text and inside base64; one finding for each detector
   * and place, with a count and never the value. `content.too_large` says that a limit was reached and something may be missing.
   * @param rootPointer where `value` lies in policy's input: `/arguments` or `/result`
   */
  readonly scan: (value: Json, rootPointer: string) => readonly Finding[];
  /**
   * What is found in one string that goes by the name `key`, as text only: what is inside JSON or base64 is the caller's to open.
   * @param withSecrets whether secrets matter to the caller
   * @throws RangeError when `work` is used up: the answer would be incomplete
   */
  spans(key: string, value: string, work: Work, withSecrets: boolean): StringFindings | undefined;
  /** A fresh allowance of work for one document that is gone through this many times. */
  work(passes: number): Work;
}

/** Patterns may look at this many characters for each that is scanned, with a floor for short messages: some 30 ms for 1 MB. */
const minWork = 2_000_000;
const workPerCharacter = 4;

/** JSON in text in JSON …: each level doubles the escapes, so an honest message has few. */
const maxNesting = 8;

/** Depth of objects and arrays, JSON in text included. */
const maxDepth = 512;

/** Findings with a place of their own; what is found beyond is counted at the root. */
const maxPlaces = 256;

const none: readonly Finding[] = [];

interface Counted {
  readonly detector: string;
  readonly pointer: string;
  count: number;
}

/** Integers from here on may be the digits of a card or of an account. */
const minDigits = 100_000_000;

/** Builds the detectors: `secret.<rule>`, `pii.<kind>`, `hidden.<kind>`. Reads the rule set from beside this file. */
export function createDetectors(options: DetectorOptions): Detectors {
  const scanString = createStringScan(options, options.secrets ? loadRules() : { source: '', allow: [], rules: [] });
  const work = (passes: number): Work => ({ left: passes * Math.max(minWork, options.maxScanBytes * workPerCharacter) });

  return {
    scan: (value, rootPointer) => new Scan(scanString, options, work(1), rootPointer).of(value),
    work,
    spans(key, value, allowance, withSecrets) {
      const found = scanString(key, value, allowance, withSecrets);
      if (allowance.left < 0) throw new RangeError('the scan of a string was given up: too much in it looks like secrets');
      return found;
    },
  };
}

/** One scan of one value. A class of its own: closures would be made, and compiled, for each message anew. */
class Scan {
  readonly #scanString: ReturnType<typeof createStringScan>;
  readonly #numbersMatter: boolean;
  readonly #rootPointer: string;
  readonly #allowance: Work;
  readonly #steps: (string | number)[] = [];
  #counts: Map<string, Counted> | undefined;
  #charactersLeft: number;
  #incomplete = false;

  constructor(scanString: ReturnType<typeof createStringScan>, options: DetectorOptions, allowance: Work, rootPointer: string) {
    this.#scanString = scanString;
    this.#numbersMatter = options.personalData.length > 0;
    this.#charactersLeft = options.maxScanBytes;
    this.#allowance = allowance;
    this.#rootPointer = rootPointer;
  }

  of(value: Json): readonly Finding[] {
    this.#visit('', value, 0, 0);
    return this.#counts === undefined ? none : [...this.#counts.values()];
  }

  #report(detector: string, count: number): void {
    this.#counts ??= new Map<string, Counted>();
    const pointer = this.#counts.size < maxPlaces ? this.#rootPointer + toPointer(this.#steps) : this.#rootPointer;
    const known = this.#counts.get(`${detector} ${pointer}`);
    if (known === undefined) this.#counts.set(`${detector} ${pointer}`, { detector, pointer, count });
    else known.count += count;
  }

  #giveUp(): void {
    if (!this.#incomplete) this.#report('content.too_large', 1);
    this.#incomplete = true;
  }

  #text(key: string, string: string): void {
    this.#charactersLeft -= key.length + string.length;
    if (this.#charactersLeft < 0) {
      this.#giveUp();
      return;
    }
    const found = this.#scanString(key, string, this.#allowance);
    if (this.#allowance.left < 0) this.#giveUp();
    if (found === undefined) return;
    for (const { detector } of found.key) this.#report(detector, 1);
    for (const { detector } of found.value) this.#report(detector, 1);
  }

  #string(key: string, value: string, depth: number, nesting: number): void {
    const c = value.charCodeAt(0);
    // Without a backslash, what the strings of JSON in text say stands in the text as it is.
    if ((c < 0x30 || c === 0x5b || c === 0x7b || c === 0xfeff) && value.includes('\\') && looksLikeJson(value)) {
      const inner = nesting < maxNesting ? embeddedJson(value) : undefined;
      if (inner !== undefined) {
        this.#charactersLeft -= key.length;
        this.#visit(key, inner, depth, nesting + 1);
      } else this.#text(key, unescaped(value));
      return;
    }
    this.#text(key, value);
    if (c === 0x64 || c === 0x44) {
      const inside = textOfDataUri(value);
      if (inside !== undefined) this.#text('', inside);
    }
  }

  #visit(key: string, value: Json, depth: number, nesting: number): void {
    if (this.#charactersLeft < 0) return;
    if (typeof value === 'string') this.#string(key, value, depth, nesting);
    else if (typeof value === 'number') {
      if (this.#numbersMatter && (value >= minDigits || value <= -minDigits)) this.#text(key, String(value));
    } else if (typeof value !== 'object' || value === null) return;
    else if (depth >= maxDepth) this.#giveUp();
    else if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        if (nesting === 0) this.#steps.push(i);
        this.#visit(key, (value as readonly Json[])[i] as Json, depth + 1, nesting);
        if (nesting === 0) this.#steps.pop();
      }
    } else if (isRawNumber(value)) this.#text(key, value.rawJSON);
    else this.#members(value as JsonObject, depth, nesting);
  }

  #members(object: JsonObject, depth: number, nesting: number): void {
    for (const key of Object.keys(object)) {
      const value = object[key];
      if (value === undefined) continue;
      if (nesting === 0) this.#steps.push(key);
      if (typeof value !== 'string') this.#text('', key);
      this.#visit(key, value, depth + 1, nesting);
      if (nesting === 0) this.#steps.pop();
    }
    if (typeof object['blob'] !== 'string' && typeof object['data'] !== 'string') return;
    for (const key of blobKeys(object)) {
      const inside = textOfBase64(object[key] as string);
      if (inside === undefined) continue;
      if (nesting === 0) this.#steps.push(key);
      this.#visit('', inside, depth + 1, nesting);
      if (nesting === 0) this.#steps.pop();
    }
  }
}
