import { GatewayError } from '../model/errors.ts';
import type { Json } from '../model/json.ts';
import { parseStrict } from '../model/strict-json.ts';

/** Depth of JSON in text; the text is in a message whose own depth is bounded. */
const limits = { maxDepth: 64 };

/** True where a text begins as a JSON object or array does. */
export function looksLikeJson(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x7b || c === 0x5b) return true;
    if (c !== 0x20 && (c < 0x09 || c > 0x0d) && c !== 0xfeff) return false;
  }
  return false;
}

/** The object or array whose JSON a text is; `undefined` where it is not one, or one that two parsers may read in two ways. */
export function embeddedJson(text: string): Exclude<Json, string | number | boolean | null> | undefined {
  if (!looksLikeJson(text)) return undefined;
  try {
    const value = parseStrict(text, limits);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch (error) {
    // Text is free to be no JSON: it is then looked at as text.
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

/** `value` as JSON text, laid out as `like` is: on one line, or with its indentation. */
export function writeLike(value: Json, like: string): string {
  const indent = /^\s*[{[]\r?\n([ \t]{1,8})\S/.exec(like)?.[1];
  return JSON.stringify(value, undefined, indent);
}

/** JSON escapes undone wherever they stand in a text that is not JSON as a whole. */
export function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))/g, (_all, hex: string | undefined, char: string | undefined) =>
    hex === undefined ? (controls[char ?? ''] ?? char ?? '') : String.fromCharCode(parseInt(hex, 16)),
  );
}

const controls: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** The ways in which a text is commonly spelt inside a JSON string: plain, with `/` escaped, and in ASCII alone. */
export function jsonEscapes(text: string): string[] {
  const plain = JSON.stringify(text).slice(1, -1);
  if (plain === text && !/[/\u007f-\uffff]/.test(text)) return [plain];
  const ascii = plain.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const upper = ascii.replace(/\\u[0-9a-f]{4}/g, (code) => `\\u${code.slice(2).toUpperCase()}`);
  return [plain, ascii, upper].flatMap((form) => [form, form.replaceAll('/', '\\/')]);
}
