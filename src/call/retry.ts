import { GatewayError } from '../model/errors.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { Retry } from './rounds.ts';

/** The calls that an upstream may answer with questions. */
const retried: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);
const nothing: Retry = { state: undefined, responses: {} };

/**
 * Takes what a repeated call brings back out of its params, so that the rest is judged as the same call.
 * @throws GatewayError `rpc.params`
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/mrtr
 */
export function takeRetry(
  method: string,
  params: JsonObject | undefined,
): { readonly params: JsonObject | undefined; readonly retry: Retry } {
  if (params === undefined || !retried.has(method) || !('inputResponses' in params || 'requestState' in params))
    return { params, retry: nothing };
  const { inputResponses: responses = {}, requestState: state, ...rest } = params;
  if (state !== undefined && typeof state !== 'string') throw new GatewayError('rpc.params', '`params.requestState` must be a string');
  if (!isJsonObject(responses)) throw new GatewayError('rpc.params', '`params.inputResponses` must be an object');
  const taken: Record<string, JsonObject> = {};
  for (const [key, response] of Object.entries(responses)) {
    if (!isJsonObject(response)) throw new GatewayError('rpc.params', `\`params.inputResponses.${key.slice(0, 40)}\` must be an object`);
    taken[key] = response;
  }
  return { params: rest, retry: { state, responses: taken } };
}
