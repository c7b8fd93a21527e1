import { isJsonObject, type JsonObject } from '../model/json.ts';
import { always, never, not, rewrite, type Formula } from './formula.ts';

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
