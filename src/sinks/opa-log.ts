import { decisionEvent } from './decision-event.ts';
import type { HttpPost } from './http-post.ts';
import { opaChunks } from './opa-chunks.ts';
import type { Sink, SinkProduct, SinkTarget } from './sink.ts';

/**
 * Posts decisions to OPA's decision log API, as an OPA would: a collector that a team has for OPA takes them unchanged. Records that are no
 * decision are passed over.
 * @see https://www.openpolicyagent.org/docs/management-decision-logs
 */
export function opaLogSink(target: Extract<SinkTarget, { kind: 'opa' }>, product: SinkProduct, http: HttpPost): Sink {
  const url = `${target.url.replace(/\/+$/, '')}/logs${target.partition === undefined ? '' : `/${encodeURIComponent(target.partition)}`}`;
  const labels = { ...target.labels, id: product.host, version: product.version };
  return {
    send: async (batch) => {
      const events = batch.map((one) => decisionEvent(one, labels, target.includeInput)).filter((event) => event !== undefined);
      if (events.length === 0) return;
      const headers = {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        'user-agent': `castellan/${product.version}`,
        ...target.headers,
      };
      for (const body of await opaChunks(events, target.uploadSizeLimitBytes)) await http.post({ url, body, headers });
    },
    close: () => http.close(),
  };
}
