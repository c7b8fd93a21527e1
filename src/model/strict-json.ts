import { isUtf8 } from 'node:buffer';
import { GatewayError } from './errors.ts';
import { isRawNumber, rawNumber, type Json, type JsonObject } from './json.ts';

/** Bounds of one parse. An object or array at the top is at depth 1. */
export interface JsonLimits {
  readonly maxDepth: number;
}

/** Keeps a byte order mark as U+FEFF, which JSON refuses. It holds no state between calls. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

const quote = 0x22;
const backslash = 0x5c;

/**
 * Parses one JSON value, strictly: RFC 8259, UTF-8 without a byte order mark, no key twice in one object (compared after unescaping), no
 * `__proto__` key, no lone surrogate, bounded depth. A number that a double would change is kept as its text ({@link rawNumber}):
 * integers beyond 2^53 - 1, overflow, underflow, and fractions with more digits than a double holds. `JSON.stringify` emits it unchanged.
 * @throws GatewayError `json.invalid`, `json.duplicate_key`, `json.too_deep`, `json.forbidden_key`; the message has the offset in
 *   bytes (where the native parser tells one) and nothing of the text
 * @see RFC 8259, and RFC 7493 (I-JSON) for why duplicate keys and lone surrogates are refused
 */
export function parseStrict(source: Uint8Array | string, limits: JsonLimits): Json {
  if (typeof source === 'string' && !source.isWellFormed()) throw invalid('a lone surrogate', loneSurrogateAt(source));
  const bytes = typeof source === 'string' ? Buffer.from(source) : source;
  if (typeof source !== 'string' && !isUtf8(bytes)) throw invalid('the bytes are not UTF-8', badByteAt(bytes));
  const text = typeof source === 'string' ? source : utf8.decode(bytes);
  const seen = survey(bytes, limits.maxDepth);
  const value = seen.exact ? parse(text, keepExact) : parse(text);
  // INVARIANT: each pair of the text is one key of the value, unless a key came twice.
  if (seen.escapedKey || text.includes('"__proto__"') || keyCount(value, seen.exact) !== seen.pairs) {
    checkKeys(text);
    if (keyCount(value, seen.exact) !== seen.pairs) throw new GatewayError('json.duplicate_key', 'a key occurs twice in one object');
  }
  return value;
}

/** The value as JSON text, exact numbers with the digits they came with. */
export function stringifyWire(value: Json): string {
  return JSON.stringify(value);
}

interface Survey {
  readonly pairs: number;
  readonly escapedKey: boolean;
  readonly exact: boolean;
}

/**
 * One pass over the text before it is parsed: bounds the depth, counts the pairs, finds numbers that need their text and escaped lone
 * surrogates. It need not know the grammar, since the native parser refuses afterwards what is not JSON.
 */
function survey(bytes: Uint8Array, maxDepth: number): Survey {
  const end = bytes.length;
  let depth = 0;
  let pairs = 0;
  let exact = false;
  let escaped = false;
  let escapedKey = false;
  for (let i = 0; i < end; i++) {
    const c = bytes[i] as number;
    if (c === quote) {
      escaped = false;
      for (i++; i < end; i++) {
        const d = bytes[i] as number;
        if (d === quote) break;
        if (d === backslash) {
          escaped = true;
          i = escapeEnd(bytes, i);
        }
      }
    } else if (c === 0x3a) {
      pairs++;
      if (escaped) escapedKey = true;
    } else if (c === 0x7b || c === 0x5b) {
      if (++depth > maxDepth)
        throw new GatewayError('json.too_deep', `nested deeper than ${maxDepth} at offset ${i}; send a flatter value`);
    } else if (c === 0x7d || c === 0x5d) {
      depth--;
    } else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) {
      const start = i;
      let exponent = false;
      for (i++; i < end; i++) {
        const d = bytes[i] as number;
        if (d === 0x65 || d === 0x45) exponent = true;
        else if ((d < 0x30 || d > 0x39) && d !== 0x2e && d !== 0x2b && d !== 0x2d) break;
      }
      if (!exact && (exponent || i - start > 15)) exact = needsText(ascii(bytes, start, i));
      i--;
    }
  }
  return { pairs, escapedKey, exact };
}

/** Index of the last byte of the escape at `at`. @throws GatewayError `json.invalid` where it makes a lone surrogate */
function escapeEnd(bytes: Uint8Array, at: number): number {
  if (bytes[at + 1] !== 0x75) return at + 1;
  const unit = hexUnit(bytes, at + 2);
  if (unit < 0xd800 || unit > 0xdfff) return at + 5;
  const low = bytes[at + 6] === backslash && bytes[at + 7] === 0x75 ? hexUnit(bytes, at + 8) : 0;
  if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff) throw invalid('a lone surrogate', at);
  return at + 11;
}

function hexUnit(bytes: Uint8Array, at: number): number {
  const digits = ascii(bytes, at, at + 4);
  return /^[0-9a-fA-F]{4}$/.test(digits) ? parseInt(digits, 16) : 0;
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end && i < bytes.length; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

/** True where the double nearest to a JSON number would not serialise to the same decimal value, or is an integer beyond 2^53 - 1. */
function needsText(token: string): boolean {
  const value = Number(token);
  // Not a number at all: the native parser will say so.
  if (Number.isNaN(value)) return false;
  if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER) return true;
  return decimal(token) !== decimal(String(value));
}

/** A JSON number in one canonical form: sign, significant digits, power of ten. */
function decimal(token: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  let last = digits.length;
  while (last > 0 && digits.charCodeAt(last - 1) === 0x30) last--;
  if (last === 0) return '0';
  return `${sign}${digits.slice(0, last)}e${Number(exponent) - fraction.length + digits.length - last}`;
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

const keepExact: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && source !== undefined && needsText(source) ? rawNumber(source) : value;

function parse(text: string, reviver?: Reviver): Json {
  try {
    return JSON.parse(text, reviver as Parameters<typeof JSON.parse>[1]) as Json;
  } catch (error) {
    // The native message may quote the text, which may be secret: only the position goes on, where there is one.
    const message = error instanceof SyntaxError ? error.message : '';
    const position = message.startsWith('Unexpected end') ? text.length : /at position (\d+) \(line \d+ column \d+\)$/.exec(message)?.[1];
    throw invalid('not JSON', position === undefined ? undefined : Buffer.byteLength(text.slice(0, Number(position))));
  }
}

function keyCount(value: Json, exact: boolean): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) if (typeof item === 'object' && item !== null) count += keyCount(item, exact);
    return count;
  }
  if (exact && isRawNumber(value)) return 0;
  // A loop over the names is four times as fast as `Object.keys`; a polluted prototype would only make the count differ, and so refuse.
  const object = value as JsonObject;
  for (const key in object) {
    count++;
    const item = object[key];
    if (typeof item === 'object' && item !== null) count += keyCount(item, exact);
  }
  return count;
}

/** Looks at each key of well-formed JSON text; taken only where {@link survey} saw something that may be wrong. */
function checkKeys(text: string): void {
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x7b || c === 0x5b) open.push(new Set());
    else if (c === 0x7d || c === 0x5d) open.pop();
    else if (c === quote) {
      const start = i;
      for (i++; text.charCodeAt(i) !== quote; i++) if (text.charCodeAt(i) === backslash) i++;
      let next = i + 1;
      while (' \t\r\n'.includes(text[next] ?? ':')) next++;
      if (text[next] !== ':') continue;
      const key = JSON.parse(text.slice(start, i + 1)) as string;
      const offset = (): number => Buffer.byteLength(text.slice(0, start));
      if (key === '__proto__') throw new GatewayError('json.forbidden_key', `the key \`__proto__\` at offset ${offset()} is not accepted`);
      const keys = open.at(-1);
      if (keys?.has(key)) throw new GatewayError('json.duplicate_key', `a key occurs twice in one object, again at offset ${offset()}`);
      keys?.add(key);
    }
  }
}

function invalid(what: string, offset?: number): GatewayError {
  return new GatewayError(
    'json.invalid',
    `${what}${offset === undefined ? '' : ` at offset ${offset}`}; send one JSON value in UTF-8 (RFC 8259)`,
  );
}

function loneSurrogateAt(text: string): number {
  const at = /[\ud800-\udfff]/u.exec(text)?.index ?? text.length;
  return Buffer.byteLength(text.slice(0, at));
}

/** The number of bytes before the first that cannot be UTF-8, by halving: each prefix before it is sound, or breaks off in a character. */
function badByteAt(bytes: Uint8Array): number {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isSoundPrefix(bytes.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

function isSoundPrefix(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    // The decoder's only fault is bytes that are not UTF-8, which is the question.
    return false;
  }
}
