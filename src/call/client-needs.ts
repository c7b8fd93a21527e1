import { isJsonObject, type JsonObject } from '../model/json.ts';
import { clientCapability } from './methods.ts';

/**
 * The capability that a client must have declared for a request of an upstream, as the path of its name, where it did not; `undefined` where
 * nothing is missing. A question by URL needs more than the plain capability.
 * @see https://modelcontextprotocol.io/specification/2026-07-28/client/elicitation#capabilities
 */
export function missingCapability(
  capabilities: JsonObject,
  method: string,
  params: JsonObject | undefined,
): readonly [string, ...string[]] | undefined {
  const needed = Object.hasOwn(clientCapability, method) ? clientCapability[method] : undefined;
  if (needed === undefined) return undefined;
  const declared = capabilities[needed];
  if (!isJsonObject(declared)) return [needed];
  if (method === 'elicitation/create' && params?.['mode'] === 'url' && !isJsonObject(declared['url'])) return [needed, 'url'];
  return undefined;
}

/** The same as the error data of 2026-07-28 names it. */
export function requiredCapabilities(path: readonly string[]): JsonObject {
  return path.reduceRight<JsonObject>((inner, name) => ({ [name]: inner }), {});
}
