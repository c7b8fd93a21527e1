import type { JsonObject } from '../model/json.ts';
import type { CatalogueEntry } from './catalogue.ts';

/** Methods that only read: executing one twice changes nothing. */
const reads: ReadonlySet<string> = new Set([
  'ping',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'tasks/get',
  'tasks/list',
]);

/**
 * Whether a request may be sent again when its answer was lost. The annotations are only the upstream's claim, but it is that same upstream
 * which would execute the call twice.
 */
export function isRetrySafe(
  method: string,
  params: JsonObject | undefined,
  entry: CatalogueEntry | undefined,
  idempotent: readonly string[],
): boolean {
  if (reads.has(method)) return true;
  const name = params?.['name'];
  if (method !== 'tools/call' || typeof name !== 'string') return false;
  if (idempotent.includes(name)) return true;
  const annotations = entry?.tools.get(name)?.annotations;
  return annotations?.['readOnlyHint'] === true || annotations?.['idempotentHint'] === true;
}
