import { exportAudit, exportForms, exportTypes, type ExportForm } from '../audit/export.ts';
import type { KeyRing } from '../audit/sealed-keys.ts';
import type { Config } from '../config/schema-types.ts';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { auditSearch } from './audit-filter.ts';
import { checkpointSigner } from './checkpoints.ts';

/**
 * The records that a query names as a file. `before` runs first, when the file is begun to be read; with `keys` their inputs are in it.
 * @throws GatewayError `request.invalid`
 */
export function exportFile(
  db: Db,
  config: Config,
  tenant: string,
  query: URLSearchParams,
  before: () => Promise<void> = () => Promise.resolve(),
  keys?: KeyRing,
): { readonly type: string; readonly chunks: AsyncIterable<Uint8Array> } {
  const asked = query.get('format') ?? 'jsonl';
  const form = exportForms.find((known): known is ExportForm => known === asked);
  if (form === undefined)
    throw new GatewayError('request.invalid', `\`format\` must be one of ${exportForms.map((known) => `\`${known}\``).join(', ')}`);
  const { limit: _limit, cursor: _cursor, beforeSeq: _before, afterSeq: _after, ...filter } = auditSearch(tenant, query);
  const chunks = async function* (): AsyncIterable<Uint8Array> {
    await before();
    const signer = form === 'jsonl' ? await checkpointSigner(config) : undefined;
    yield* exportAudit(db, form, { ...filter, signer, keys });
  };
  return { type: exportTypes[form], chunks: chunks() };
}
