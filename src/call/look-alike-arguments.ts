import { isJsonObject, type JsonObject } from '../model/json.ts';
import { foldName } from '../model/rpc-keys.ts';
import type { ExposedTool } from '../upstream/endpoint.ts';
import { member } from './call.ts';

/** Names of the arguments that a tool's schema declares, and what a lenient upstream may take for them; kept as long as the catalogue's entry. */
const declaredKept = new WeakMap<ExposedTool, { readonly names: ReadonlySet<string>; readonly folded: ReadonlySet<string> }>();

/**
 * The argument whose name an upstream that does not look at case may take for one that policy judged under its own name (`Path` beside
 * `path`), if there is one. Only names that the schema does not declare are looked at.
 */
export function lookAlike(given: JsonObject, tool: ExposedTool): string | undefined {
  let declared = declaredKept.get(tool);
  if (declared === undefined) {
    const schema = tool.definition['inputSchema'];
    const properties = isJsonObject(schema) ? member(schema, 'properties') : undefined;
    const names = isJsonObject(properties) ? Object.keys(properties) : [];
    declared = { names: new Set(names), folded: new Set(names.map(foldName)) };
    declaredKept.set(tool, declared);
  }
  const { names, folded } = declared;
  const keys = Object.keys(given);
  const unknown = keys.filter((key) => !names.has(key));
  // A fixed argument of a variant is not declared either: so each is compared with the others too.
  return unknown.find((key) => folded.has(foldName(key)) || keys.some((other) => other !== key && foldName(other) === foldName(key)));
}
