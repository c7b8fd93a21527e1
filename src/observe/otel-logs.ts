import { SeverityNumber } from '@opentelemetry/api';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import type { Resource } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import type { LogEntry, LogLevel } from './log.ts';

/** The log's way out. */
export interface LogExport {
  readonly log: (entry: LogEntry) => void;
  close(): Promise<void>;
}

const severities: Readonly<Record<LogLevel, SeverityNumber>> = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
};

/** Sends the lines of the gateway's log, after everything that must not be in it was taken out. */
export function openLogExport(
  to: { readonly url: string; readonly headers: Record<string, string>; readonly timeoutMillis: number },
  resource: Resource,
): Promise<LogExport> {
  const provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter(to) })] });
  const logger = provider.getLogger('castellan');
  return Promise.resolve({
    log: ({ time, level, event, fields }) => {
      const attributes = Object.fromEntries(
        Object.entries(fields).map(([key, value]) => [key, typeof value === 'object' ? JSON.stringify(value) : value]),
      ) as Record<string, string | number | boolean>;
      logger.emit({
        timestamp: new Date(time),
        severityNumber: severities[level],
        severityText: level.toUpperCase(),
        eventName: event,
        body: event,
        attributes,
      });
    },
    close: () => provider.shutdown(),
  });
}
