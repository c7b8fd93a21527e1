import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { Ajv } from 'ajv';
import addFormatsModule from 'ajv-formats';
import { isRawNumber, type Json } from './json.ts';

const addFormats = addFormatsModule as unknown as (ajv: Ajv | Ajv2020) => void;

/** Checks a value; gives `undefined` when it fits, else words that name the place and the mismatch. */
export type Validator = (value: unknown) => string | undefined;

/**
 * A validator for `schema`: JSON Schema 2020-12 unless its `$schema` says draft-07 or earlier (MCP 2025-11-25: 2020-12 is the default).
 * Formats are checked, unknown keywords are ignored, nothing is coerced and no `$ref` leaves the schema.
 * @throws Error when the schema itself is broken
 */
export function compileValidator(schema: Readonly<Record<string, unknown>>): Validator {
  const dialect = typeof schema['$schema'] === 'string' ? schema['$schema'] : '';
  const options = { strict: false, allErrors: false, validateFormats: true, logger: false as const, discriminator: false };
  const ajv = /draft-0[4-7]/.test(dialect) ? new Ajv(options) : new Ajv2020(options);
  addFormats(ajv);
  const { $schema: _dialect, ...rest } = schema;
  const check: ValidateFunction = ajv.compile(rest);
  return (value) => {
    if (check(lowered(value))) return undefined;
    const error = check.errors?.[0];
    const extra = error?.params && 'additionalProperty' in error.params ? ` \`${String(error.params['additionalProperty'])}\`` : '';
    return `${error?.instancePath === '' || error === undefined ? 'the value' : `\`${error.instancePath}\``} ${error?.message ?? 'does not fit'}${extra}`;
  };
}

/** The value with exact numbers as doubles, which is what a schema can speak about; the same object where there are none. */
function lowered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isRawNumber(value)) return Number(value.rawJSON);
  if (Array.isArray(value)) {
    const items = value.map(lowered);
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  let copy: Record<string, unknown> | undefined;
  for (const [key, item] of Object.entries(value as Record<string, Json>)) {
    const low = lowered(item);
    if (low !== item) (copy ??= { ...(value as Record<string, unknown>) })[key] = low;
  }
  return copy ?? value;
}
