import { hash } from 'node:crypto';
import type { Digest } from './ids.ts';
import { isRawNumber, type Json } from './json.ts';

/** SHA-256 of `text` in UTF-8. */
export function digestText(text: string): Digest {
  return `sha256:${hash('sha256', text)}` as Digest;
}

/** SHA-256 of the canonical form of `value`: the same for two values that differ only in the order of keys. */
export function digestJson(value: Json): Digest {
  return digestText(canonical(value));
}

/** JSON with sorted keys and no white space (RFC 8785, except that numbers beyond a double keep their text). */
export function canonical(value: Json | undefined): string {
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return JSON.stringify(value ?? null);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const object = value as Record<string, Json | undefined>;
  let text = '';
  for (const key of Object.keys(object).sort()) {
    if (object[key] === undefined) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonical(object[key])}`;
  }
  return `{${text}}`;
}
