import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { Answer } from './call.ts';
import { metaKey } from './modern-meta.ts';

/** Results that a client may keep for a while. What one identity sees is never another's, and policy may change at any time. */
const cacheable: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

/** Of a resource that is not there: 2026-07-28 knows no code of its own for it. */
const notFoundBefore = -32002;
const invalidParams = -32602;
const invalidRequest = -32600;
const missingCapability = -32021;

/**
 * An answer as 2026-07-28 has it: with `resultType`, who answers, and how long it may be kept (not at all, and by nobody else).
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/index#responses
 */
export function asModern(answer: Answer, method: string, serverInfo: JsonObject): Answer {
  if ('error' in answer) {
    return { error: modernError(answer.error) };
  }
  const { result } = answer;
  const meta = result['_meta'];
  return {
    result: {
      resultType: 'complete',
      ...result,
      ...(cacheable.has(method) && (result['resultType'] ?? 'complete') === 'complete' ? { ttlMs: 0, cacheScope: 'private' } : {}),
      _meta: { ...(isJsonObject(meta) ? meta : {}), [metaKey.serverInfo]: serverInfo },
    },
  };
}

/** An error in the codes of 2026-07-28; what the upstream found missing in the client is told as that revision tells it. */
function modernError(error: JsonObject): JsonObject {
  if (error['code'] === notFoundBefore) return { ...error, code: invalidParams };
  const data = error['data'];
  const needed = error['code'] === invalidRequest && isJsonObject(data) ? data['required_capabilities'] : undefined;
  if (!Array.isArray(needed)) return error;
  const names = (needed as readonly Json[]).filter((name): name is string => typeof name === 'string');
  return { ...error, code: missingCapability, data: { requiredCapabilities: Object.fromEntries(names.map((name) => [name, {}])) } };
}

/** The HTTP status that an answer of 2026-07-28 goes out with. */
export function statusOfAnswer(answer: Answer): number {
  if (!('error' in answer)) return 200;
  const code = answer.error['code'];
  if (code === -32601) return 404;
  return typeof code === 'number' && code <= -32020 && code >= -32022 ? 400 : 200;
}
