import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { formattedLine } from './format.ts';
import type { HttpPost } from './http-post.ts';
import { putObject } from './s3-objects.ts';
import type { Sink, SinkProduct, SinkTarget } from './sink.ts';

const compress = promisify(gzip);

/**
 * Writes each batch as one object: lines, gzip, under `<prefix>/2026/11/21/13/<first>-<last>.jsonl.gz` by the time of its first record. A batch
 * that is sent again has the same name, so a retry replaces what it repeats.
 */
export function s3Sink(target: Extract<SinkTarget, { kind: 's3' }>, product: SinkProduct, http: HttpPost): Sink {
  return {
    send: async (batch) => {
      const [first] = batch;
      if (first === undefined) return;
      const body = await compress(`${batch.map((one) => formattedLine(one, target.format, product)).join('\n')}\n`);
      const hour = first.record.at.slice(0, 13).replace(/[-T]/g, '/');
      const numbers = `${digits(first.seq)}-${digits(batch.at(-1)?.seq ?? first.seq)}`;
      const name = `${hour}/${numbers}.${target.format === 'cef' ? 'cef' : 'jsonl'}.gz`;
      await putObject(target, http, name, 'application/gzip', body);
    },
    close: () => http.close(),
  };
}

/** So that names stand in the order of their numbers. */
function digits(seq: number): string {
  return String(seq).padStart(12, '0');
}
