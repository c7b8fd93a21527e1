import { GatewayError } from '../model/errors.ts';
import { isJsonObject, isRawNumber, type Json, type JsonObject } from '../model/json.ts';
import { assertRpcKeys } from '../model/rpc-keys.ts';

/** JSON-RPC ids as MCP has them: a string or a number, never null. */
export type RpcId = string | number;

export type RpcMessage = RpcRequest | RpcNotification | RpcResponse;
export interface RpcRequest {
  readonly kind: 'request';
  readonly id: RpcId;
  readonly method: string;
  readonly params: JsonObject | undefined;
}
export interface RpcNotification {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: JsonObject | undefined;
}
export interface RpcResponse {
  readonly kind: 'response';
  readonly id: RpcId;
  readonly result?: JsonObject;
  readonly error?: JsonObject;
}

const known = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);
/** Params that say what a message is about: an upstream that does not look at the case of names must not read another value than policy did. */
const telling = new Set([
  ...['name', 'arguments', 'uri', 'ref', 'argument', 'context', 'level', 'cursor', 'task', '_meta'],
  ...['taskId', 'inputResponses', 'requestState', 'notifications'],
]);
const maxMethodLength = 200;
const maxIdLength = 256;

/**
 * One JSON-RPC 2.0 message. What is unclear is refused and never guessed: a body that is both a request and a response, a null id,
 * members beside the six that JSON-RPC knows, params that look like one that decides (`URI`, `paramſ`).
 * @throws GatewayError `rpc.batch`, `rpc.invalid`
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic#messages
 */
export function readMessage(value: Json): RpcMessage {
  if (Array.isArray(value)) throw new GatewayError('rpc.batch', 'batches are not accepted; send one message in a request');
  if (!isJsonObject(value)) throw invalid('the body must be one JSON-RPC object');
  if (value['jsonrpc'] !== '2.0') throw invalid('`jsonrpc` must be "2.0"');
  assertRpcKeys(value);
  for (const key of Object.keys(value)) if (!known.has(key)) throw invalid(`\`${key.slice(0, 40)}\` is not a member of a JSON-RPC message`);
  const { id, method, params } = value;
  if (method !== undefined) {
    if (typeof method !== 'string' || method.length === 0 || method.length > maxMethodLength)
      throw invalid('`method` must be a short string');
    if ('result' in value || 'error' in value) throw invalid('a message with `method` has neither `result` nor `error`');
    if (params !== undefined && !isJsonObject(params)) throw invalid('`params` must be an object');
    if (params !== undefined) assertRpcKeys(params, telling);
    return 'id' in value ? { kind: 'request', id: readId(id), method, params } : { kind: 'notification', method, params };
  }
  return readResponse(value);
}

function readResponse(value: JsonObject): RpcResponse {
  const { id, result, error } = value;
  if ('result' in value === 'error' in value) throw invalid('a message needs `method`, or exactly one of `result` and `error`');
  if ('params' in value) throw invalid('a response has no `params`');
  if (result !== undefined) {
    if (!isJsonObject(result)) throw invalid('`result` must be an object');
    return { kind: 'response', id: readId(id), result };
  }
  if (!isJsonObject(error)) throw invalid('`error` must be an object');
  return { kind: 'response', id: readId(id), error };
}

function readId(id: Json | undefined): RpcId {
  if (typeof id === 'string' && id.length <= maxIdLength) return id;
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  throw invalid(isRawNumber(id) || typeof id === 'number' ? '`id` must be an integer within 2^53' : '`id` must be a string or an integer');
}

function invalid(message: string): GatewayError {
  return new GatewayError('rpc.invalid', message);
}
