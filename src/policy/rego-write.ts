import { isArray, sortedEntries, sortedItems } from './rego-order.ts';
import type { RegoValue } from './rego-value.ts';

/**
 * A value as OPA gives it out in JSON: sets are arrays, keys and members are in OPA's order, numbers as they were written, and a key that is
 * no string is its own JSON as text.
 */
export function jsonOfRego(value: RegoValue, quote: (text: string) => string = JSON.stringify): string {
  const write = (item: RegoValue): string => jsonOfRego(item, quote);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quote(value);
  if (isArray(value)) return `[${value.map(write).join(',')}]`;
  if (value.kind === 'number') return value.text;
  if (value.kind === 'set') return `[${sortedItems(value).map(write).join(',')}]`;
  const members = new Map(sortedEntries(value).map(([key, item]) => [typeof key === 'string' ? key : write(key), write(item)]));
  return `{${[...members].map(([key, item]) => `${quote(key)}:${item}`).join(',')}}`;
}

/** A value as Go prints it inside of a text: `{1, 2}`, `{"a": [true, null]}`. */
export function textOfRego(value: RegoValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return goQuote(value);
  if (isArray(value)) return `[${value.map(textOfRego).join(', ')}]`;
  if (value.kind === 'number') return value.text;
  if (value.kind === 'set') return value.items.length === 0 ? 'set()' : `{${sortedItems(value).map(textOfRego).join(', ')}}`;
  return `{${sortedEntries(value)
    .map(([key, item]) => `${textOfRego(key)}: ${textOfRego(item)}`)
    .join(', ')}}`;
}

/** As Go's `encoding/json` writes a string: what HTML or JavaScript could take for markup is escaped. */
export function goJsonString(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (char) => `\\u${hex(char, 4)}`);
}

const named: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** Go's `strconv.Quote`. */
function goQuote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (named[char] !== undefined) out += named[char];
    else if (char === ' ' || /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(char)) out += char;
    else if (code < 0x80) out += `\\x${hex(char, 2)}`;
    else out += code < 0x10000 ? `\\u${hex(char, 4)}` : `\\U${hex(char, 8)}`;
  }
  return `${out}"`;
}

function hex(char: string, digits: number): string {
  return (char.codePointAt(0) ?? 0).toString(16).padStart(digits, '0');
}
