import { isJsonObject, type JsonObject } from '../model/json.ts';
import { never, rewrite, always, type Formula } from './formula.ts';

/**
 * The formula for arguments that fit the tool's own schema: an argument that the schema does not have, and does not let through, is never
 * there. What else a schema says is not used.
 */
export function withSchema(formula: Formula, schema: JsonObject | undefined): Formula {
  const properties = schema?.['properties'];
  if (schema?.['additionalProperties'] !== false || !isJsonObject(properties) || schema['patternProperties'] !== undefined) return formula;
  return rewrite(formula, (leaf) => {
    if (leaf.op !== 'is' && leaf.op !== 'isNot') return undefined;
    const [root, name] = leaf.atom.path;
    if (root !== 'arguments' || name === undefined || Object.hasOwn(properties, name)) return undefined;
    return leaf.op === 'is' ? never : always;
  });
}
