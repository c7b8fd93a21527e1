import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { AwsV4Signer } from 'aws4fetch';
import { formattedLine } from './format.ts';
import { HttpPost } from './http-post.ts';
import type { Sink, SinkProduct, SinkTarget } from './sink.ts';

const compress = promisify(gzip);

/**
 * Writes each batch as one object: lines, gzip, under `<prefix>/2026/11/21/13/<first>-<last>.jsonl.gz` by the time of its first record. A batch
 * that is sent again has the same name, so a retry replaces what it repeats.
 */
export function s3Sink(target: Extract<SinkTarget, { kind: 's3' }>, product: SinkProduct): Sink {
  const http = new HttpPost(undefined, product.timeoutMs ?? 30_000);
  const base = `${target.endpoint.replace(/\/+$/, '')}/${encodeURIComponent(target.bucket)}`;
  return {
    send: async (batch) => {
      const [first] = batch;
      if (first === undefined) return;
      const body = await compress(`${batch.map((one) => formattedLine(one, target.format, product)).join('\n')}\n`);
      const hour = first.record.at.slice(0, 13).replace(/[-T]/g, '/');
      const name = `${digits(first.seq)}-${digits(batch.at(-1)?.seq ?? first.seq)}`;
      const key = [...target.prefix.split('/'), ...hour.split('/'), `${name}.${target.format === 'cef' ? 'cef' : 'jsonl'}.gz`];
      const path = key.filter((part) => part !== '').map(encodeURIComponent);
      const signer = new AwsV4Signer({
        method: 'PUT',
        url: `${base}/${path.join('/')}`,
        body,
        headers: { 'content-type': 'application/gzip' },
        service: 's3',
        region: target.region,
        accessKeyId: target.accessKeyId,
        secretAccessKey: target.secretAccessKey,
        ...(target.sessionToken === undefined ? {} : { sessionToken: target.sessionToken }),
      });
      const { url, headers } = await signer.sign();
      await http.post({ method: 'PUT', url: url.href, headers: Object.fromEntries(headers), body });
    },
    close: () => http.close(),
  };
}

/** So that names stand in the order of their numbers. */
function digits(seq: number): string {
  return String(seq).padStart(12, '0');
}
