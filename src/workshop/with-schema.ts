import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { compileValidator, type Validator } from '../model/validate.ts';
import { always, never, not, rewrite, type Formula } from './formula.ts';
import type { Domain } from './satisfy.ts';

/**
 * The formula for arguments that fit the tool's own schema: an argument that the schema does not have, and does not let through, is never
 * there. What else a schema says is not used.
 */
export function withSchema(formula: Formula, schema: JsonObject | undefined): Formula {
  const properties = schema?.['properties'];
  if (schema?.['additionalProperties'] !== false || !isJsonObject(properties) || schema['patternProperties'] !== undefined) return formula;
  const isAbsent = ([root, name]: readonly string[]): boolean =>
    root === 'arguments' && name !== undefined && !Object.hasOwn(properties, name);
  return rewrite(formula, (leaf) => {
    if (leaf.op === 'is' || leaf.op === 'isNot') return isAbsent(leaf.atom.path) ? (leaf.op === 'is' ? never : always) : undefined;
    if (leaf.op === 'opaque' || leaf.op === 'notOpaque')
      return leaf.needs?.some(isAbsent) === true ? (leaf.op === 'opaque' ? never : always) : undefined;
    return undefined;
  });
}

const alwaysTexts: ReadonlySet<string> = new Set(['issuer', 'subject', 'client', 'kind', 'tenant'].map((member) => `identity.${member}`));

/** The formula for inputs that a gateway builds: every identity has an issuer, a subject, a client, a kind and a tenant, which are text. */
export function withInputFacts(formula: Formula): Formula {
  return rewrite(formula, (leaf) => {
    if (leaf.op !== 'is' && leaf.op !== 'isNot') return undefined;
    const { test, path } = leaf.atom;
    if ((test !== 'defined' && test !== 'isString' && test !== 'truthy') || !alwaysTexts.has(path.join('.'))) return undefined;
    return leaf.op === 'is' ? always : not(always);
  });
}

/** What a tool's schema says of the values of its arguments; nothing where the schema refers elsewhere. */
export function domainOf(schema: JsonObject | undefined): Domain {
  const properties = schema?.['$ref'] === undefined && isJsonObject(schema?.['properties']) ? schema['properties'] : {};
  const checks = new Map<string, Validator | undefined>();
  const propertyAt = ([root, name, ...rest]: readonly string[]): JsonObject | undefined => {
    if (root !== 'arguments' || name === undefined || rest.length > 0 || !Object.hasOwn(properties, name)) return undefined;
    const property = properties[name];
    return isJsonObject(property) && !JSON.stringify(property).includes('"$ref"') ? property : undefined;
  };
  return {
    values: (path) => {
      const property = propertyAt(path);
      if (Array.isArray(property?.['enum'])) return property['enum'] as readonly Json[];
      return property?.['type'] === 'boolean' ? [true, false] : undefined;
    },
    admits: (path, value) => {
      const property = propertyAt(path);
      if (property === undefined) return true;
      const key = path.join('.');
      if (!checks.has(key)) checks.set(key, validatorOf(property, schema?.['$schema']));
      return checks.get(key)?.(value) === undefined;
    },
  };
}

function validatorOf(property: JsonObject, dialect: Json | undefined): Validator | undefined {
  try {
    return compileValidator(typeof dialect === 'string' ? { ...property, $schema: dialect } : property);
  } catch {
    // A broken schema says nothing about values.
    return undefined;
  }
}
