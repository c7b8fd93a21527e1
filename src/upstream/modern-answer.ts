import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { WrongEra } from './wrong-era.ts';
import { fault } from './faults.ts';
import { metaKey, modernError } from './modern-wire.ts';
import type { UpstreamReply } from './types.ts';
import { errorCodeOf } from './wire.ts';

/** Results that carry hints for caches, which only the gateway's own reader may use. */
const cacheable: ReadonlySet<string> = new Set([
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'prompts/list',
  'resources/read',
]);

const notFoundCode = -32002;
const invalidParamsCode = -32602;
const invalidRequestCode = -32600;

/** A result by what it says of itself. */
export interface SortedResult {
  readonly type: string;
  /** Without what only the modern era has; an input-required one keeps its type. */
  readonly result: JsonObject;
  /** How long the upstream says that it stays good, in ms. */
  readonly ttlMs: number | undefined;
}

/** Sorts a result and brings it into the form that sessions know. One that does not say what it is, is complete. */
export function sortResult(method: string, result: JsonObject): SortedResult {
  const { resultType, ...bare } = result;
  const type = resultType === undefined ? 'complete' : typeof resultType === 'string' ? resultType : '';
  const ttlMs = result['ttlMs'];
  let plain: JsonObject = bare;
  if (cacheable.has(method)) {
    const { ttlMs: _ttl, cacheScope: _scope, ...rest } = bare;
    plain = rest;
  }
  return {
    type,
    result: withoutServerInfo(type === 'complete' ? plain : { resultType: type, ...plain }),
    ttlMs: typeof ttlMs === 'number' && ttlMs >= 0 ? ttlMs : undefined,
  };
}

/**
 * A tool's result for an agent of the eras with sessions: structured content that is no object would make its client refuse the whole
 * result, so it becomes text where no text says it already.
 */
export function withPlainStructure(result: JsonObject): JsonObject {
  const { structuredContent, content, ...rest } = result;
  if (structuredContent === undefined || isJsonObject(structuredContent)) return result;
  const blocks: readonly Json[] = Array.isArray(content) ? (content as readonly Json[]) : [];
  const isSaid = blocks.some((block) => isJsonObject(block) && block['type'] === 'text');
  return { ...rest, content: isSaid ? blocks : [...blocks, { type: 'text', text: JSON.stringify(structuredContent) }] };
}

/** The upstream's word of itself says nothing of the gateway, whose answer this becomes. */
function withoutServerInfo(result: JsonObject): JsonObject {
  const meta = result['_meta'];
  if (!isJsonObject(meta) || meta[metaKey.serverInfo] === undefined) return result;
  const { [metaKey.serverInfo]: _info, ...rest } = meta;
  const { _meta: _old, ...bare } = result;
  return Object.keys(rest).length === 0 ? bare : { ...bare, _meta: rest };
}

/**
 * An error of the modern era in the words that sessions know: its own codes speak of the gateway's request, which no agent wrote.
 * @throws GatewayError `upstream.protocol` when the upstream refused what the gateway itself put on the request
 */
export function translateError(upstream: string, method: string, reply: Extract<UpstreamReply, { kind: 'error' }>): UpstreamReply {
  const { error } = reply;
  const code = errorCodeOf(error);
  if (code === modernError.unsupportedVersion)
    throw fault('upstream.protocol', upstream, 'it no longer speaks the modern era', new WrongEra('it refused the modern version'));
  if (code === modernError.headerMismatch && method === 'tools/call') {
    const message = `the upstream \`${upstream}\` wants this tool called otherwise than it listed; the list is read again now, then repeat the call`;
    return { ...reply, error: { code: invalidRequestCode, message } };
  }
  if (code === modernError.headerMismatch)
    throw fault('upstream.protocol', upstream, `it refused the mirrored headers: ${JSON.stringify(error['message']).slice(0, 200)}`);
  if (code === modernError.missingCapability) {
    const needed = namesOf(isJsonObject(error['data']) ? error['data']['requiredCapabilities'] : undefined);
    const what = needed.length === 0 ? 'more than this client offers' : needed.map((name) => `\`${name}\``).join(', ');
    const message = `the upstream \`${upstream}\` needs a client that offers ${what}; use one that does`;
    return { ...reply, error: { code: invalidRequestCode, message, data: { required_capabilities: needed } } };
  }
  if (code === invalidParamsCode && method === 'resources/read') return { ...reply, error: { ...error, code: notFoundCode } };
  return reply;
}

function namesOf(required: Json | undefined): string[] {
  const names = isJsonObject(required) ? Object.keys(required) : [];
  return names.filter((name) => /^[\w./-]{1,100}$/.test(name)).slice(0, 20);
}
