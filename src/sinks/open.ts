import { opaLogSink } from './opa-log.ts';
import { otlpLogsSink } from './otlp-logs.ts';
import type { Sink, SinkNetwork, SinkOptions, SinkProduct } from './sink.ts';
import { syslogSink } from './syslog.ts';
import { webhookSink } from './webhook.ts';

/** The sink of a configuration. Nothing is connected before the first batch. @throws SinkFault for a webhook secret that is none */
export async function openSink({ name, target }: SinkOptions, product: SinkProduct, network: SinkNetwork): Promise<Sink> {
  switch (target.kind) {
    case 'webhook':
      return webhookSink(name, target, product, network);
    case 'opa':
      return opaLogSink(target, product);
    case 'otlp':
      return otlpLogsSink(target, product);
    case 'syslog':
      return syslogSink(target, product);
    case 's3': {
      const { s3Sink } = await import('./s3.ts');
      return s3Sink(target, product);
    }
    default:
      return target satisfies never;
  }
}
