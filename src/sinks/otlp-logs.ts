import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { AuditRecord } from '../model/audit-record.ts';
import type { HttpPost } from './http-post.ts';
import { SinkFault, type Sink, type SinkProduct, type SinkRecord, type SinkTarget } from './sink.ts';

const compress = promisify(gzip);

/** Severity numbers of the OpenTelemetry log data model. */
const severities = { info: 9, warn: 13 } as const;

/**
 * Posts records as OpenTelemetry logs, OTLP/HTTP with JSON. The body is the record's text; what is searched by stands in the attributes. Not
 * by way of the SDK: its exporter drops a batch that it could not deliver, and this sink must know.
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
export function otlpLogsSink(target: Extract<SinkTarget, { kind: 'otlp' }>, product: SinkProduct, http: HttpPost): Sink {
  const url = `${target.url.replace(/\/+$/, '')}/v1/logs`;
  return {
    send: async (batch) => {
      const request = {
        resourceLogs: [
          {
            resource: {
              attributes: attributes({ 'service.name': 'castellan', 'service.version': product.version, 'host.name': product.host }),
            },
            scopeLogs: [{ scope: { name: 'castellan.audit', version: product.version }, logRecords: batch.map(logRecord) }],
          },
        ],
      };
      const answer = await http.post({
        url,
        body: await compress(JSON.stringify(request)),
        headers: {
          'content-type': 'application/json',
          'content-encoding': 'gzip',
          'user-agent': `castellan/${product.version}`,
          ...target.headers,
        },
      });
      const refused = rejected(answer.text);
      if (refused > 0) throw new SinkFault(`the receiver refused ${refused} of ${batch.length} records`);
    },
    close: () => http.close(),
  };
}

function logRecord({ seq, hash, record }: SinkRecord): object {
  const { who, what, decision, outcome, event } = record;
  const isTrouble = decision?.effect === 'deny' || record.kind === 'refused' || (outcome !== undefined && outcome.status !== 'ok');
  const timeUnixNano = `${Date.parse(record.at) || 0}000000`;
  return {
    timeUnixNano,
    observedTimeUnixNano: timeUnixNano,
    severityNumber: isTrouble ? severities.warn : severities.info,
    severityText: isTrouble ? 'WARN' : 'INFO',
    eventName: `castellan.audit.${record.kind}`,
    body: { stringValue: JSON.stringify(record) },
    attributes: attributes({
      'castellan.audit.seq': seq,
      'castellan.audit.hash': hash,
      'castellan.tenant': record.tenant,
      'castellan.call.id': record.call,
      'castellan.decision.effect': decision?.effect,
      'castellan.decision.rules': decision?.reasons.map(({ rule }) => rule).join(','),
      'castellan.release': decision?.release,
      'castellan.outcome': outcome?.status,
      'error.type': outcome?.error_code ?? event?.code,
      'user.id': who?.subject,
      'mcp.method.name': what?.method,
      'gen_ai.tool.name': what?.kind === 'tool' ? what.name : undefined,
      'castellan.upstream': what?.server ?? undefined,
      'castellan.endpoint': what?.endpoint,
      'client.address': record.ip,
    }),
    ...traceOf(record),
  };
}

function traceOf({ trace }: AuditRecord): object {
  return trace === undefined || !/^[0-9a-f]{32}$/.test(trace) ? {} : { traceId: trace };
}

function attributes(values: Readonly<Record<string, string | number | undefined>>): object[] {
  return Object.entries(values).flatMap(([key, value]) => {
    if (value === undefined || value === '') return [];
    return [{ key, value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value } }];
  });
}

/** Records that the receiver says it did not take, although it answered with 200. */
function rejected(text: string): number {
  try {
    const answer = JSON.parse(text === '' ? '{}' : text) as { partialSuccess?: { rejectedLogRecords?: string | number } };
    return Number(answer.partialSuccess?.rejectedLogRecords ?? 0);
  } catch {
    return 0; // a receiver that answers 200 with something else has taken them
  }
}
