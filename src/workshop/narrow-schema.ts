import { canonical } from '../model/digest.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { boundOf, fits, has, type ArgumentFacts, type Bound } from './bound.ts';
import type { Formula } from './formula.ts';

/** Beyond so many values a list is no help to an agent. */
const maxValues = 100;

/** What the schema of a tool's arguments says for certain; nothing where it refers elsewhere. */
export function argumentFacts(schema: JsonObject): ArgumentFacts {
  const required = Array.isArray(schema['required']) ? schema['required'].filter((name) => typeof name === 'string') : [];
  const texts = propertiesOf(schema).flatMap(([name, property]) =>
    property['type'] === 'string' && property['$ref'] === undefined ? [name] : [],
  );
  const isOpen = schema['$ref'] !== undefined;
  const keys = (names: readonly string[]): ReadonlySet<string> =>
    new Set(isOpen ? [] : names.map((name) => canonical(['arguments', name])));
  return { required: keys(required), texts: keys(texts) };
}

/** The bound on each argument of the schema that a call has to fit, or it is refused; arguments without one are left out. */
export function argumentBounds(permitted: Formula, schema: JsonObject): Readonly<Record<string, Bound>> {
  const facts = argumentFacts(schema);
  const bounds = propertiesOf(schema).flatMap(([name]) => {
    const bound = boundOf(permitted, ['arguments', name], facts);
    // An argument that may not be passed at all stays listed as it is: no schema of a value says so in a way that agents understand.
    return bound === 'none' || Object.keys(bound).length === 0 ? [] : [[name, bound] as const];
  });
  return Object.fromEntries(bounds);
}

/**
 * The schema with its arguments narrowed to their bounds, by `enum`, `minimum`, `maximum` (and their exclusive forms) and `pattern`; `undefined`
 * where nothing changes. It refuses a value only where the bound does, or the schema did before.
 */
export function narrowSchema(schema: JsonObject, bounds: Readonly<Record<string, Bound>>): JsonObject | undefined {
  // In draft 4 an exclusive limit is written in another way.
  if (typeof schema['$schema'] === 'string' && schema['$schema'].includes('draft-04')) return undefined;
  const narrowed = propertiesOf(schema).flatMap(([name, property]) => {
    const bound = Object.hasOwn(bounds, name) ? bounds[name] : undefined;
    const next = bound === undefined ? undefined : narrowProperty(property, bound);
    return next === undefined ? [] : [[name, next] as const];
  });
  if (narrowed.length === 0) return undefined;
  return { ...schema, properties: { ...(schema['properties'] as JsonObject), ...Object.fromEntries(narrowed) } };
}

function narrowProperty(property: JsonObject, bound: Bound): JsonObject | undefined {
  const listed = valuesOf(property);
  const values =
    listed === undefined ? bound.oneOf?.filter((value) => hasType(property, value)) : listed.filter((value) => fits(bound, value));
  if (values !== undefined) {
    const kept = values.filter((value) => fits(bound, value));
    const isSame = Array.isArray(property['enum']) && kept.length === property['enum'].length;
    if (kept.length === 0 || kept.length > maxValues || isSame) return undefined;
    return withoutWrongDefault({ ...property, enum: kept }, (value) => has(kept, value));
  }
  const limits = isNumeric(property) ? limitsOf(property, bound) : {};
  const pattern = bound.prefixes !== undefined && mayBeText(property) ? patternOf(bound.prefixes) : undefined;
  const more: JsonObject =
    pattern === undefined
      ? {}
      : property['pattern'] === undefined
        ? { pattern }
        : { allOf: [...(Array.isArray(property['allOf']) ? (property['allOf'] as readonly Json[]) : []), { pattern }] };
  if (Object.keys(limits).length === 0 && Object.keys(more).length === 0) return undefined;
  return withoutWrongDefault({ ...property, ...limits, ...more }, (value) => fits(bound, value));
}

/** Every value that the property allows, where it names them. */
function valuesOf(property: JsonObject): readonly Json[] | undefined {
  if (Array.isArray(property['enum'])) return property['enum'] as readonly Json[];
  return property['type'] === 'boolean' ? [true, false] : undefined;
}

function limitsOf(property: JsonObject, { min, max }: Bound): JsonObject {
  const limits: Record<string, Json> = {};
  if (min !== undefined) {
    const key = min.isExclusive ? 'exclusiveMinimum' : 'minimum';
    const now = property[key];
    if (typeof now !== 'number' || now < min.value) limits[key] = min.value;
  }
  if (max !== undefined) {
    const key = max.isExclusive ? 'exclusiveMaximum' : 'maximum';
    const now = property[key];
    if (typeof now !== 'number' || now > max.value) limits[key] = max.value;
  }
  return limits;
}

/** A pattern in the part of regular expressions that JSON Schema recommends. */
function patternOf(prefixes: readonly string[]): string {
  const escaped = prefixes.map((prefix) => prefix.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
  return escaped.length === 1 ? `^${escaped[0] ?? ''}` : `^(${escaped.join('|')})`;
}

function withoutWrongDefault(property: JsonObject, isRight: (value: Json) => boolean): JsonObject {
  const { default: value, ...rest } = property;
  return value === undefined || isRight(value) ? property : rest;
}

function typesOf(property: JsonObject): readonly Json[] | undefined {
  const { type } = property;
  return type === undefined ? undefined : Array.isArray(type) ? (type as readonly Json[]) : [type];
}

function isNumeric(property: JsonObject): boolean {
  const types = typesOf(property);
  return types === undefined || types.includes('number') || types.includes('integer');
}

function mayBeText(property: JsonObject): boolean {
  return typesOf(property)?.includes('string') ?? true;
}

/** Values of the property's type that could be tried, and arguments that make up for what is required beside `name`. */
export function sampleArguments(schema: JsonObject, name: string): JsonObject {
  const { required } = argumentFacts(schema);
  const others = propertiesOf(schema).filter(([other]) => other !== name && required.has(canonical(['arguments', other])));
  return Object.fromEntries(others.map(([other, property]) => [other, sampleOf(property)]));
}

function sampleOf(property: JsonObject): Json {
  const listed = valuesOf(property);
  if (listed?.[0] !== undefined) return listed[0];
  if (property['default'] !== undefined) return property['default'];
  return (['text', 1, true, [], {}].find((value) => hasType(property, value as Json)) as Json | undefined) ?? null;
}

/** Whether a value has the type that the argument's schema asks for. */
export function fitsType(schema: JsonObject, name: string, value: Json): boolean {
  const property = propertiesOf(schema).find(([one]) => one === name)?.[1];
  return property === undefined || hasType(property, value);
}

function hasType(property: JsonObject, value: Json): boolean {
  const types = typesOf(property);
  if (types === undefined) return true;
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : (typeof value as string);
  return types.includes(type) || (type === 'number' && Number.isInteger(value) && types.includes('integer'));
}

function propertiesOf(schema: JsonObject): readonly (readonly [string, JsonObject])[] {
  const { properties } = schema;
  if (!isJsonObject(properties)) return [];
  return Object.entries(properties).flatMap(([name, property]) => (isJsonObject(property) ? [[name, property] as const] : []));
}
