import { HttpPost } from './http-post.ts';
import { opaLogSink } from './opa-log.ts';
import { otlpLogsSink } from './otlp-logs.ts';
import type { Sink, SinkNetwork, SinkOptions, SinkProduct } from './sink.ts';
import { syslogSink } from './syslog.ts';
import { webhookSink } from './webhook.ts';

const s3TimeoutMs = 30_000;

/** The sink of a configuration. Nothing is connected before the first batch. @throws SinkFault for a webhook secret that is none */
export async function openSink({ name, target }: SinkOptions, product: SinkProduct, network: SinkNetwork): Promise<Sink> {
  const http = (timeoutMs = product.timeoutMs): HttpPost =>
    new HttpPost('allowPrivateNetwork' in target && target.allowPrivateNetwork ? undefined : network, timeoutMs);
  switch (target.kind) {
    case 'webhook':
      return webhookSink(name, target, product, http());
    case 'opa':
      return opaLogSink(target, product, http());
    case 'otlp':
      return otlpLogsSink(target, product, http());
    case 'syslog':
      return syslogSink(target, product);
    case 's3': {
      const { s3Sink } = await import('./s3.ts');
      return s3Sink(target, product, http(product.timeoutMs ?? s3TimeoutMs));
    }
    default:
      return target satisfies never;
  }
}
