/** A JSON number whose exact text matters: an integer beyond 2^53, or a number that a double cannot hold. Made by `JSON.rawJSON`. */
export interface RawNumber {
  readonly rawJSON: string;
}

/** A parsed JSON value. Objects have no prototype surprises: they come from {@link parseStrict}. */
export type Json = null | boolean | number | string | RawNumber | readonly Json[] | JsonObject;

/** A parsed JSON object. */
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** True for a JSON object, false for arrays, `null`, scalars and raw numbers. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value);
}

/** True for a number kept as its text. */
export function isRawNumber(value: unknown): value is RawNumber {
  return typeof value === 'object' && value !== null && (JSON as unknown as { isRawJSON(v: unknown): boolean }).isRawJSON(value);
}

/** Keeps `text`, a JSON number, exactly as it stands when the value is serialised again. */
export function rawNumber(text: string): RawNumber {
  return (JSON as unknown as { rawJSON(t: string): RawNumber }).rawJSON(text);
}

/** The value that is reached by `path`, through objects and their own members alone. */
export function valueAt(from: Json | undefined, path: readonly string[]): Json | undefined {
  let value = from;
  for (const name of path) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}
