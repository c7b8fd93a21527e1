import { isJsonObject, type JsonObject } from '../model/json.ts';
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

/**
 * An answer as 2026-07-28 has it: with `resultType`, who answers, and how long it may be kept (not at all, and by nobody else).
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/index#responses
 */
export function asModern(answer: Answer, method: string, serverInfo: JsonObject): Answer {
  if ('error' in answer) {
    const { error } = answer;
    return error['code'] === notFoundBefore ? { error: { ...error, code: invalidParams } } : answer;
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

/** The HTTP status that an answer of 2026-07-28 goes out with. */
export function statusOfAnswer(answer: Answer): number {
  if (!('error' in answer)) return 200;
  const code = answer.error['code'];
  if (code === -32601) return 404;
  return typeof code === 'number' && code <= -32020 && code >= -32022 ? 400 : 200;
}
