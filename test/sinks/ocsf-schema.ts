import { isIP } from 'node:net';
import { readFileSync } from 'node:fs';
import type { JsonObject } from '../../src/model/json.ts';

/** An attribute, as the schema has it; a type that is no primitive one names an object, and `[]` behind it is a list. */
interface Attribute {
  readonly type: string;
  readonly required?: true;
  readonly enum?: Readonly<Record<string, string>>;
  readonly profile?: string;
}
type Attributes = Readonly<Record<string, Attribute>>;

/**
 * API Activity with the profiles `security_control` and `trace`, and the objects that an event here has: names, types, values and constraints
 * of the published schema.
 * @see https://github.com/ocsf/ocsf-schema/tree/v1.4.0
 */
const schema = JSON.parse(readFileSync(new URL('./ocsf-1.4.0.json', import.meta.url), 'utf8')) as {
  readonly version: string;
  readonly attributes: Attributes;
  readonly objects: Readonly<Record<string, { readonly attributes: Attributes; readonly at_least_one?: readonly string[] }>>;
};

/** What is wrong with an event, a line each. */
export function ocsfProblems(event: JsonObject): string[] {
  const { version, profiles } = event['metadata'] as { version?: unknown; profiles?: readonly string[] };
  const inForce = Object.entries(schema.attributes).filter(([, { profile }]) => profile === undefined || profiles?.includes(profile));
  const problems = problemsOf(event, Object.fromEntries(inForce), '');
  if (version !== schema.version) problems.push(`metadata.version is not ${schema.version}`);
  if (event['type_uid'] !== (event['class_uid'] as number) * 100 + (event['activity_id'] as number))
    problems.push('type_uid is not class_uid * 100 + activity_id');
  return problems;
}

function problemsOf(value: unknown, attributes: Attributes, path: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path} is no object`];
  const given = value as Record<string, unknown>;
  const problems = Object.keys(given).flatMap((key) => (Object.hasOwn(attributes, key) ? [] : [`${path}${key} is no attribute here`]));
  for (const [key, attribute] of Object.entries(attributes)) {
    const item = given[key];
    if (item === undefined) {
      if (attribute.required) problems.push(`${path}${key} is missing`);
      continue;
    }
    problems.push(...itemProblems(item, attribute, `${path}${key}`));
    if (attribute.enum === undefined) continue;
    // The number has a text beside it; where the number is `Other`, the text is the source's own.
    const stem = key.replace(/_u?id$/, '');
    const sibling = [`${stem}_name`, stem].find((name) => Object.hasOwn(attributes, name)) ?? '';
    if (typeof given[sibling] !== 'string') problems.push(`${path}${key} has no ${sibling}`);
    else if (item !== 99 && given[sibling] !== attribute.enum[JSON.stringify(item)])
      problems.push(`${path}${sibling} is not that of ${key}`);
  }
  return problems;
}

function itemProblems(item: unknown, { type, enum: values }: Attribute, at: string): string[] {
  if (type.endsWith('[]')) {
    if (!Array.isArray(item)) return [`${at} is no list`];
    return item.flatMap((one, index) => itemProblems(one, { type: type.slice(0, -2) }, `${at}[${index}]`));
  }
  const object = schema.objects[type];
  if (object !== undefined) {
    const problems = problemsOf(item, object.attributes, `${at}.`);
    const { at_least_one: some } = object;
    if (some !== undefined && !some.some((key) => (item as JsonObject)[key] !== undefined))
      problems.push(`${at} needs one of ${some.join(', ')}`);
    return problems;
  }
  if (!fits(type, item)) return [`${at} is no ${type}`];
  if (/(?:^|\.)ip$/.test(at) && isIP(item as string) === 0) return [`${at} is no address`];
  return values === undefined || Object.hasOwn(values, String(item)) ? [] : [`${at} cannot be ${JSON.stringify(item)}`];
}

function fits(type: string, value: unknown): boolean {
  switch (type) {
    case 'integer_t':
    case 'long_t':
      return Number.isSafeInteger(value);
    case 'string_t':
      return typeof value === 'string' && value !== '';
    case 'boolean_t':
      return typeof value === 'boolean';
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return false; // an object that no event here has
  }
}
