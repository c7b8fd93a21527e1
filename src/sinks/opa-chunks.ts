import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { JsonObject } from '../model/json.ts';
import { SinkFault } from './sink.ts';

const compress = promisify(gzip);

/**
 * Events as request bodies, in order: gzip JSON arrays of at most `limitBytes` each, as OPA's `upload_size_limit_bytes` counts. An event that is
 * larger alone goes without its input and says so in `erased`, as one of OPA's goes without its `nd_builtin_cache`.
 * @throws SinkFault, too large, when an event does not fit even so: before anything is sent
 */
export async function opaChunks(events: readonly JsonObject[], limitBytes: number): Promise<Buffer[]> {
  const body = await compress(JSON.stringify(events));
  if (body.length <= limitBytes) return [body];
  const [first] = events;
  if (first === undefined || events.length > 1) {
    const size = Math.ceil(events.length / Math.ceil(body.length / limitBytes));
    const chunks: Buffer[] = [];
    for (let at = 0; at < events.length; at += size) chunks.push(...(await opaChunks(events.slice(at, at + size), limitBytes)));
    return chunks;
  }
  const { input, masked: _masked, ...rest } = first;
  if (input === undefined)
    throw new SinkFault(`a decision takes ${body.length} bytes; raise \`upload_size_limit_bytes\` above that`, { tooLarge: true });
  return opaChunks([{ ...rest, erased: ['/input'] }], limitBytes);
}
