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

/** One way in which a value does not fit its schema. */
export interface SchemaFault {
  /** JSON Pointer to the value. */
  readonly pointer: string;
  readonly keyword: string;
  /** What the keyword says about the mismatch; `propertyName` where it is a key of the value that does not fit. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Where in the schema the keyword stands. */
  readonly schemaPath: string;
  /** The schema that holds the keyword. */
  readonly schema: Readonly<Record<string, unknown>>;
}

/**
 * A check that puts the schema's defaults into the value itself where keys are missing, and gives every fault, not only the first.
 * Draft 2020-12; nothing is coerced. For documents of our own, such as the configuration: it is too slow for calls.
 */
export function compileFiller(schema: Readonly<Record<string, unknown>>): (value: unknown) => readonly SchemaFault[] {
  // It is compiled for one document: optimising the code would cost more than it saves.
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    verbose: true,
    useDefaults: true,
    validateFormats: false,
    logger: false,
    code: { optimize: false },
  });
  const { $schema: _dialect, ...rest } = schema;
  const check = ajv.compile(rest);
  return (value) => {
    if (check(value)) return [];
    return (check.errors ?? []).map((error) => ({
      pointer: error.instancePath,
      keyword: error.keyword,
      params: error.propertyName === undefined ? error.params : { ...error.params, propertyName: error.propertyName },
      schemaPath: error.schemaPath,
      schema: error.parentSchema ?? {},
    }));
  };
}
