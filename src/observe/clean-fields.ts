import { types } from 'node:util';
import { isRawNumber, type Json } from '../model/json.ts';
import { maskText } from './mask-text.ts';

/** How a value is made fit for the log. */
export interface Cleaning {
  /** Secrets that are known literally, longest first. */
  readonly known: readonly string[];
  /** Whether errors keep their stack. */
  readonly stacks: boolean;
}

/** Words that make a key's value unfit for the log, wherever they stand in the key: `accessToken`, `set-cookie`, `X-Api-Key`. */
const secretKey = /authorization|token|secret|passw(or)?d|passphrase|cookie|apikey|credential|privatekey|assertion|codeverifier/;
/** Keys that only speak about a secret. */
const harmlessKey = /^(tokentypes?|tokenkind|tokenid|secretsource|maxtokens|tokens)$/;

const maxDepth = 6;
const maxItems = 50;
const maxTextChars = 4_096;

/** A value as plain JSON without secrets: keys that name one, texts that look like one, and everything that is too deep or too much. */
export function clean(value: unknown, how: Cleaning, depth = 0, around: readonly object[] = []): Json {
  switch (typeof value) {
    case 'string':
      return cleanText(value, how);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
      return value.toString();
    case 'object':
      return value === null ? null : cleanObject(value, how, depth, around);
    default:
      return `[${typeof value}]`;
  }
}

/** The members of an object, cleaned; `undefined` ones are left out. */
export function cleanMembers(value: object, how: Cleaning, depth = 0, around: readonly object[] = []): Record<string, Json> {
  const result = Object.create(null) as Record<string, Json>;
  const keys = Object.keys(value);
  for (const key of keys.slice(0, maxItems)) {
    const item: unknown = (value as Record<string, unknown>)[key];
    if (item === undefined || typeof item === 'function') continue;
    result[cleanText(key, how)] =
      isSecretKey(key) && item !== null && typeof item !== 'boolean' ? '[redacted]' : clean(item, how, depth + 1, around);
  }
  if (keys.length > maxItems) result['…'] = `${keys.length - maxItems} more`;
  return result;
}

function isSecretKey(key: string): boolean {
  const folded = key
    .slice(0, 200)
    .toLowerCase()
    .replace(/[^a-z]/g, '');
  return secretKey.test(folded) && !harmlessKey.test(folded);
}

function cleanObject(value: object, how: Cleaning, depth: number, around: readonly object[]): Json {
  if (around.includes(value)) return '[circular]';
  if (depth >= maxDepth) return '[too deep]';
  const inside = [...around, value];
  try {
    if (isRawNumber(value)) return value.rawJSON;
    if (value instanceof Error) return cleanError(value, how, depth, inside);
    if (Array.isArray(value)) return cleanList(value, how, depth, inside);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[no date]' : value.toISOString();
    if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return `[${value.byteLength} bytes]`;
    if (value instanceof URL) return cleanText(value.href, how);
    if (value instanceof Set) return cleanList([...(value as Set<unknown>)], how, depth, inside);
    if (value instanceof Map)
      return cleanMembers(
        Object.fromEntries([...(value as Map<unknown, unknown>)].map(([key, item]) => [String(key), item])),
        how,
        depth,
        inside,
      );
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return clean(toJSON.call(value), how, depth + 1, inside);
    return cleanMembers(value, how, depth, inside);
  } catch {
    return '[unreadable]'; // A getter or toJSON threw: the line is written without this value rather than not at all.
  }
}

function cleanList(items: readonly unknown[], how: Cleaning, depth: number, around: readonly object[]): Json {
  const list = items.slice(0, maxItems).map((item) => clean(item, how, depth + 1, around));
  return items.length > maxItems ? [...list, `… ${items.length - maxItems} more`] : list;
}

/** Code, message, causes and the errors of an aggregate; other members of an error may be anything, bodies included, and stay out. */
function cleanError(error: Error, how: Cleaning, depth: number, around: readonly object[]): Json {
  const { code } = error as { code?: unknown };
  const result: Record<string, Json> = { name: cleanText(error.name, how) };
  if (typeof code === 'string' || typeof code === 'number') result['code'] = clean(code, how);
  result['message'] = cleanText(error.message, how);
  if (error.cause !== undefined) result['cause'] = clean(error.cause, how, depth + 1, around);
  if (error instanceof AggregateError) result['errors'] = cleanList(error.errors, how, depth, around);
  if (how.stacks && error.stack !== undefined) result['stack'] = cleanText(error.stack, how);
  return result;
}

/** Control, direction-changing and invisible characters are spelled out: a log line shows what is in it. */
function cleanText(text: string, how: Cleaning): string {
  const safe = maskText(text, how.known);
  const cut = safe.length > maxTextChars ? `${safe.slice(0, maxTextChars)}… ${text.length - maxTextChars} more characters` : safe;
  return cut.replace(
    /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
