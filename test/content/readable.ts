import { isJsonObject, type Json } from '../../src/model/json.ts';

/** Everything that can be read in a document: texts, names and numbers, with JSON in text and base64 opened. */
export function readable(value: Json | undefined, key = ''): string[] {
  if (typeof value === 'string') {
    const texts = [value];
    try {
      const inner = JSON.parse(value) as Json;
      if (typeof inner === 'object') texts.push(...readable(inner));
    } catch {
      // Not JSON: then the text is all there is.
    }
    if (key === 'blob' || key === 'data') texts.push(...readable(Buffer.from(value, 'base64').toString()));
    return texts;
  }
  if (typeof value === 'number') return [String(value)];
  if (Array.isArray(value)) return value.flatMap((item) => readable(item as Json));
  if (isJsonObject(value)) return Object.entries(value).flatMap(([name, item]) => [name, ...readable(item, name)]);
  return value === null || value === undefined || typeof value === 'boolean' ? [] : [JSON.stringify(value)];
}
