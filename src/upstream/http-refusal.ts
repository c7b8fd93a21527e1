import { isJsonObject, type JsonObject } from '../model/json.ts';
import { parseStrict } from '../model/strict-json.ts';
import { isModernError } from './modern-wire.ts';

/** What an HTTP status of 300 or more means for a request. */
export type Refusal =
  | { readonly kind: 'credential' }
  /** The upstream does not know the session. */
  | { readonly kind: 'lost' }
  /** The body is the answer to the request. */
  | { readonly kind: 'answer'; readonly error: JsonObject }
  | { readonly kind: 'redirect' }
  /** It may answer later. */
  | { readonly kind: 'down' }
  | { readonly kind: 'refused' };

const sessionWords = /session|not initialized/i;
const methodUnknownCode = -32601;

/** Sorts a refusal of the request with this id, which was sent in a session or not. */
export function sortRefusal(status: number, body: Buffer, id: number, inSession: boolean): Refusal {
  if (status === 401 || status === 403) return { kind: 'credential' };
  const error = readRefusal(body, id);
  const isLost =
    (status === 404 && error?.['code'] !== methodUnknownCode) || (status === 400 && inSession && sessionWords.test(body.toString()));
  if (inSession && isLost) return { kind: 'lost' };
  if (error !== undefined) return { kind: 'answer', error };
  if (status < 400) return { kind: 'redirect' };
  return { kind: status >= 500 || status === 429 || status === 408 ? 'down' : 'refused' };
}

/**
 * The error in the body of an HTTP refusal, if it is the answer to the request with this id. Errors that only the modern era gives may come
 * without an id: the upstream may not have read as far.
 */
export function readRefusal(body: Buffer, id: number): JsonObject | undefined {
  const error = readRefusalError(body);
  if (error === undefined) return undefined;
  const isOurs = error.id === id || ((error.id === undefined || error.id === null) && isModernError(error.code));
  return isOurs ? error.error : undefined;
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
