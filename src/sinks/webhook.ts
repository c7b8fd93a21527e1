import { createHmac } from 'node:crypto';
import { formatted } from './format.ts';
import type { HttpPost } from './http-post.ts';
import { SinkFault, type Sink, type SinkProduct, type SinkTarget } from './sink.ts';

type WebhookTarget = Extract<SinkTarget, { kind: 'webhook' }>;

/**
 * Posts batches as Standard Webhooks: the id is the same whenever the same records are sent again, so that a receiver can pass over what it has.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function webhookSink(name: string, target: WebhookTarget, product: SinkProduct, http: HttpPost): Sink {
  const keys = target.secrets.map(webhookKey);
  return {
    send: async (batch) => {
      const records = batch.map((one) => formatted(one, target.format, product));
      const id = `${name}_${batch[0]?.seq ?? 0}_${batch.at(-1)?.seq ?? 0}_${batch.at(-1)?.hash.slice(-16) ?? ''}`;
      const timestamp = String(Math.floor(Date.now() / 1000));
      const body = Buffer.from(
        JSON.stringify({ type: 'castellan.audit.records', timestamp: new Date().toISOString(), data: { format: target.format, records } }),
      );
      const signed = keys.map((key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`);
      await http.post({
        url: target.url,
        body,
        headers: {
          'content-type': 'application/json',
          'user-agent': `castellan/${product.version}`,
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          'webhook-signature': signed.join(' '),
        },
      });
    },
    close: () => http.close(),
  };
}

/** The key of a `whsec_…` secret. @throws SinkFault for one that is none, or not of 24 to 64 bytes */
export function webhookKey(secret: string): Buffer {
  const [, encoded = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const key = Buffer.from(encoded, 'base64');
  if (key.length < 24 || key.length > 64) throw new SinkFault('a webhook secret is `whsec_` and 24 to 64 bytes in base64');
  return key;
}
