import { isJsonObject, type JsonObject } from '../model/json.ts';
import { fault } from './faults.ts';
import { discoversModern, isModernError, modernError, modernVersion } from './modern-wire.ts';
import type { Era } from './types.ts';
import { legacyVersions } from './wire.ts';

/** What an upstream answered to `server/discover`. */
export type ProbeAnswer =
  { readonly kind: 'result'; readonly result: JsonObject } | { readonly kind: 'error'; readonly code: number; readonly error: JsonObject };

/**
 * The era that an answer speaks of. A success counts only where it names the modern version; an error only where a server of the modern era
 * alone gives it.
 * @throws GatewayError `upstream.protocol` when the upstream names versions and none of them is spoken here
 */
export function eraOfAnswer(upstream: string, answer: ProbeAnswer): Era {
  if (answer.kind === 'result') return discoversModern(answer.result) ? 'modern' : 'legacy';
  const { code, error } = answer;
  if (!isModernError(code)) return 'legacy';
  if (code !== modernError.unsupportedVersion) return 'modern';
  const supported = isJsonObject(error['data']) ? error['data']['supported'] : undefined;
  if (!Array.isArray(supported)) return 'legacy';
  if (supported.includes(modernVersion)) return 'modern';
  if (supported.some((version) => (legacyVersions as readonly unknown[]).includes(version))) return 'legacy';
  throw fault('upstream.protocol', upstream, 'it speaks no version of the protocol that is spoken here');
}
