import { parseStrict } from '../model/strict-json.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';

/** Revisions of MCP that open a session with `initialize`, newest first. */
export const legacyVersions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;

const maxDepth = 64;

/** One message from an upstream, sorted by kind. */
export type Incoming =
  | { readonly kind: 'response'; readonly id: Json; readonly result: JsonObject | undefined; readonly error: JsonObject | undefined }
  | { readonly kind: 'request'; readonly id: Json; readonly method: string; readonly params: JsonObject | undefined }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject | undefined };

/** @throws Error in words for the log when the text is not one JSON-RPC message; a batch is not one. */
export function parseMessage(text: Uint8Array | string): Incoming {
  return classify(parseStrict(text, { maxDepth }));
}

/** @throws Error in words for the log when the value is not one JSON-RPC message */
export function classify(value: Json): Incoming {
  if (!isJsonObject(value)) throw new Error('the message is not a JSON object');
  if (value['jsonrpc'] !== '2.0') throw new Error('the message does not say `jsonrpc: "2.0"`');
  const { id, method, params, result, error } = value;
  if (method !== undefined) {
    if (typeof method !== 'string' || method === '' || method.length > 200) throw new Error('the method is not a short string');
    if (params !== undefined && !isJsonObject(params)) throw new Error('the params are not an object');
    if (id === undefined) return { kind: 'notification', method, params };
    if (typeof id !== 'string' && typeof id !== 'number') throw new Error('the id of a request is not a string or a number');
    if (result !== undefined || error !== undefined) throw new Error('the message is both a request and a response');
    return { kind: 'request', id, method, params };
  }
  if (id === undefined) throw new Error('the message has neither method nor id');
  if (error !== undefined) {
    if (result !== undefined) throw new Error('the response has both result and error');
    if (!isJsonObject(error) || typeof error['code'] !== 'number' || typeof error['message'] !== 'string') {
      throw new Error('the error of the response has no code or no message');
    }
    return { kind: 'response', id, result: undefined, error };
  }
  if (!isJsonObject(result)) throw new Error('the result of the response is not an object');
  return { kind: 'response', id, result, error: undefined };
}

/** The code of a response's error; `classify` made sure that it is a number. */
export function errorCodeOf(error: JsonObject): number {
  return typeof error['code'] === 'number' ? error['code'] : 0;
}

/** The text of a request under the gateway's own id. */
export function requestText(id: number, method: string, params: JsonObject | undefined): string {
  const head = `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}`;
  return params === undefined ? `${head}}` : `${head},"params":${JSON.stringify(params)}}`;
}

/** The text of a notification. */
export function notificationText(method: string, params: JsonObject | undefined): string {
  const head = `{"jsonrpc":"2.0","method":${JSON.stringify(method)}`;
  return params === undefined ? `${head}}` : `${head},"params":${JSON.stringify(params)}}`;
}

/** The text of an answer to a request of the upstream, under the upstream's id. */
export function answerText(id: Json, answer: { readonly result?: JsonObject; readonly error?: JsonObject }): string {
  const head = `{"jsonrpc":"2.0","id":${JSON.stringify(id)}`;
  if (answer.error !== undefined) return `${head},"error":${JSON.stringify(answer.error)}}`;
  return `${head},"result":${JSON.stringify(answer.result ?? {})}}`;
}

/** The progress token that the agent put on a request, if any. */
export function progressTokenOf(params: JsonObject | undefined): Json | undefined {
  const meta = params?.['_meta'];
  return isJsonObject(meta) ? meta['progressToken'] : undefined;
}

/** The params with the gateway's own progress token in place of the agent's. */
export function withProgressToken(params: JsonObject | undefined, token: number): JsonObject {
  const meta = params?.['_meta'];
  return { ...params, _meta: { ...(isJsonObject(meta) ? meta : {}), progressToken: token } };
}
