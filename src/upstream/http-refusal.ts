import { isJsonObject, type JsonObject } from '../model/json.ts';
import { parseStrict } from '../model/strict-json.ts';
import { isModernError } from './modern-wire.ts';

/** The error answer that a refusal carried. */
export interface RefusalAnswer {
  readonly kind: 'response';
  readonly id: number;
  readonly result: undefined;
  readonly error: JsonObject;
}

/**
 * The error in the body of an HTTP refusal, if it is the answer to the request with this id. Errors that only the modern era gives may come
 * without an id: the upstream may not have read as far.
 */
export function readRefusal(body: Buffer, id: number): RefusalAnswer | undefined {
  const error = readRefusalError(body);
  if (error === undefined) return undefined;
  const isOurs = error.id === id || ((error.id === undefined || error.id === null) && isModernError(error.code));
  return isOurs ? { kind: 'response', id, result: undefined, error: error.error } : undefined;
}

/** The JSON-RPC error in a refusal's body, whosever it is. */
export function readRefusalError(body: Buffer): { readonly id: unknown; readonly code: number; readonly error: JsonObject } | undefined {
  try {
    const message = parseStrict(body, { maxDepth: 64 });
    if (!isJsonObject(message) || message['jsonrpc'] !== '2.0') return undefined;
    const { id, error } = message;
    if (!isJsonObject(error) || typeof error['code'] !== 'number' || typeof error['message'] !== 'string') return undefined;
    return { id, code: error['code'], error };
  } catch {
    // A refusal may have any body; only its status counts then.
    return undefined;
  }
}
