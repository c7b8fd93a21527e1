import type { JsonObject } from '../model/json.ts';

/** A member that the catalogue's reader made sure is a string. */
export function textAt(definition: JsonObject, key: string): string {
  const value = definition[key];
  return typeof value === 'string' ? value : '';
}
