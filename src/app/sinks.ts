import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { CheckpointS3Config, Config, S3SinkConfig, SinkConfig } from '../config/schema-types.ts';
import { revealedHeaders } from '../config/secret.ts';
import { workerUrl } from '../model/worker-url.ts';
import type { SinkState } from '../sinks/pump.ts';
import type { S3Place } from '../sinks/s3-objects.ts';
import type { SinkOptions, SinkTarget } from '../sinks/sink.ts';
import { version } from '../version.ts';
import { storeOptions } from './stores.ts';
import { readInputKeys } from './input-keys.ts';
import type { Observation } from './observe.ts';
import type { SinkMessage, SinkWorkerData } from './sink-worker.ts';

/** The sinks while they run. */
export interface RunningSinks {
  readonly states: () => readonly SinkState[];
  /** Ends after the batches that are on their way. */
  close(): Promise<void>;
}

const closeMs = 5_000;
const restartMs = 5_000;

/** Starts a thread that feeds the configured sinks, so that nothing of it costs the thread of the calls; none where there are none. */
export function openSinks(config: Config, observation: Observation): RunningSinks {
  if (config.audit.sinks.length === 0) return { states: () => [], close: () => Promise.resolve() };
  const store = storeOptions(config);
  const workerData: SinkWorkerData = {
    tenant: config.tenant,
    log: 'main',
    store: store.kind === 'sqlite' ? { ...store, thread: 'calling' } : { ...store, maxConnections: 2 },
    sinks: config.audit.sinks.map(sinkOptions),
    inputKeys: config.audit.sinks.some(({ opa }) => opa?.include_input === true) ? readInputKeys(config) : undefined,
    // An embedded database has one gateway: after a crash the next one goes on at once. Replicas tell each other apart.
    holder: store.kind === 'sqlite' ? 'embedded' : randomUUID(),
    version,
  };
  const { log } = observation;
  let states: readonly SinkState[] = [];
  let closing = false;
  let worker: Worker;
  let closed: (() => void) | undefined;
  let restart: NodeJS.Timeout | undefined;
  const heard = (message: SinkMessage): void => {
    if (message.kind === 'states') states = message.states;
    else if (message.kind === 'closed') closed?.();
    else if (message.kind === 'failed') {
      // A sink that stays away is told of at 1, 2, 4, 8, … attempts.
      if (Number.isInteger(Math.log2(message.failures)))
        log.warn('sink.failed', { sink: message.sink, problem: message.problem, attempts: message.failures });
    } else if (message.kind === 'recovered') log.info('sink.recovered', { sink: message.sink, attempts: message.failures });
    else log.error('sink.record_dropped', { sink: message.sink, seq: message.seq });
  };
  const start = (): void => {
    worker = new Worker(workerUrl(import.meta.url, './sink-worker'), { workerData });
    worker.on('message', heard);
    worker.on('error', (error) => log.error('sink.worker_failed', { error }));
    worker.on('exit', () => {
      closed?.();
      if (!closing) restart = setTimeout(start, restartMs).unref();
    });
  };
  start();
  return {
    states: () => states,
    close: async () => {
      closing = true;
      clearTimeout(restart);
      const ended = new Promise<void>((resolve) => (closed = resolve));
      worker.postMessage('close');
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, closeMs).unref())]);
      await worker.terminate();
    },
  };
}

function sinkOptions(sink: SinkConfig): SinkOptions {
  const { name, kinds, from, batch_records: batchRecords, gather_ms: gatherMs } = sink;
  return { name, target: targetOf(sink), kinds, from, batchRecords, gatherMs };
}

function targetOf({ webhook, opa, otlp, syslog, s3 }: SinkConfig): SinkTarget {
  if (webhook !== undefined)
    return {
      kind: 'webhook',
      url: webhook.url,
      secrets: webhook.secrets.map((secret) => secret.reveal()),
      format: webhook.format,
      allowPrivateNetwork: webhook.allow_private_network,
    };
  if (opa !== undefined)
    return {
      kind: 'opa',
      url: opa.url,
      partition: opa.partition,
      headers: revealedHeaders(opa.headers),
      labels: { ...opa.labels },
      includeInput: opa.include_input,
      uploadSizeLimitBytes: opa.upload_size_limit_bytes,
      allowPrivateNetwork: opa.allow_private_network,
    };
  if (otlp !== undefined)
    return { kind: 'otlp', url: otlp.url, headers: revealedHeaders(otlp.headers), allowPrivateNetwork: otlp.allow_private_network };
  if (syslog !== undefined) {
    const { host, port, tls, ca, format } = syslog;
    return { kind: 'syslog', host, port, tls, ca: ca?.reveal(), format };
  }
  if (s3 !== undefined) return { kind: 's3', ...s3Place(s3), format: s3.format, allowPrivateNetwork: s3.allow_private_network };
  throw new TypeError('a sink has one target: the configuration was checked for it');
}

/** An object store of the configuration. */
export function s3Place(s3: S3SinkConfig | CheckpointS3Config): S3Place {
  const { endpoint, bucket, region, prefix } = s3;
  return {
    endpoint,
    bucket,
    region,
    prefix,
    accessKeyId: s3.access_key_id.reveal(),
    secretAccessKey: s3.secret_access_key.reveal(),
    sessionToken: s3.session_token?.reveal(),
  };
}
