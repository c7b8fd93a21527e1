import { Worker } from 'node:worker_threads';
import type { AuditRecord } from '../model/audit-record.ts';
import { GatewayError } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import type { KeptInput } from '../model/kept-input.ts';
import type { AuditLog } from '../model/ports.ts';
import { workerUrl } from '../model/worker-url.ts';
import { AuditQueue, type AuditStats, type Durable } from './queue.ts';
import { Handover, salted, type SaltedInput } from './sealed-handover.ts';
import type { KeyRing } from './sealed-keys.ts';
import type { AuditGroup, AuditGroupReply, AuditWorkerData } from './worker.ts';

export interface AuditLogOptions {
  /** URL of a module that exports `openDb(options)`; the worker imports it, since this room knows no other. */
  readonly storeModule: string;
  /** What that `openDb` is given. A SQLite database is best opened in the worker's own thread. */
  readonly storeOptions: unknown;
  /** Logs of one database are separate chains. Default `main`; replicas share it. */
  readonly log?: string;
  /** Records that may wait for the disk; beyond it `append` is refused. Default 50000. */
  readonly maxWaiting?: number;
  /** How long `append` and `flush` wait. Default 1900. */
  readonly deadlineMs?: number;
  /** Seals the inputs that records come with. Absent: inputs are not kept. */
  readonly keys?: KeyRing;
}

/** What the worker makes for a group is garbage after it: more room for it costs memory and caches, and saves nothing. */
const maxYoungGenerationMb = 12;

export interface OpenAuditLog extends AuditLog {
  stats(): AuditStats;
  /** Writes what waits, then ends the worker. @throws GatewayError `audit.unavailable` when records had to be left behind */
  close(): Promise<void>;
}

/**
 * Opens the audit log: the calling thread turns records to JSON text and hands over what one turn of its event loop gathered in one message; a
 * worker chains and commits it, while the next group gathers. Nothing is acknowledged that is not durable.
 * @throws GatewayError `audit.unavailable` when the database cannot be opened
 */
export async function openAuditLog(options: AuditLogOptions): Promise<OpenAuditLog> {
  const deadlineMs = options.deadlineMs ?? 1_900;
  const data: AuditWorkerData = {
    storeModule: options.storeModule,
    storeOptions: options.storeOptions,
    log: options.log ?? 'main',
    keys: options.keys,
  };
  let handover = new Handover();
  let worker: Worker | undefined;
  let answered: ((reply: AuditGroupReply | 'closed') => void) | undefined;

  const ask = (message: unknown): Promise<AuditGroupReply | 'closed'> =>
    new Promise((resolve) => {
      answered = resolve;
      (worker ??= start()).postMessage(message);
    });
  const start = (): Worker => {
    const started = new Worker(workerUrl(import.meta.url, './worker'), {
      workerData: data,
      resourceLimits: { maxYoungGenerationSizeMb: maxYoungGenerationMb },
    });
    handover = new Handover();
    let fault = 'the audit worker ended';
    started.on('message', (reply: AuditGroupReply | 'closed') => answered?.(reply));
    started.on('error', (error: unknown) => {
      fault = `the audit worker ended: ${error instanceof Error ? error.message : String(error)}`;
    });
    started.on('exit', () => {
      worker = undefined;
      answered?.({ failed: fault });
    });
    return started;
  };

  const first = await ask('open');
  if (first !== 'closed' && 'failed' in first) {
    await ended(worker);
    throw new GatewayError('audit.unavailable', 'the audit log cannot be opened; see the log for the fault of its database', {
      cause: new Error(first.failed),
    });
  }
  const sealable = (input: KeptInput | undefined): SaltedInput | undefined =>
    input === undefined || options.keys === undefined ? undefined : salted(input);
  const queue = new AuditQueue({
    send: async (group, again) => {
      worker ??= start();
      const inputs = handover.pack(group.map((entry) => entry.input));
      const message: AuditGroup = {
        texts: group.map((entry) => entry.text).join('\n'),
        again,
        ...(inputs === undefined ? {} : { inputs }),
      };
      const reply = await ask(message);
      return reply === 'closed' ? { failed: 'the audit log is closed' } : reply;
    },
    maxWaiting: options.maxWaiting ?? 50_000,
    deadlineMs,
  });

  return {
    append: (record: AuditRecord, input?: KeptInput) => queue.append(JSON.stringify(record), sealable(input)).then(shown),
    hand: (record: AuditRecord, input?: KeptInput) => queue.hand(JSON.stringify(record), sealable(input)),
    flush: () => queue.flush(),
    stats: () => queue.stats(),
    close: async () => {
      try {
        await queue.close();
      } finally {
        if (worker !== undefined) await Promise.race([ask('close'), pause(deadlineMs)]);
        await ended(worker);
      }
    },
  };
}

async function ended(worker: Worker | undefined): Promise<void> {
  await worker?.terminate();
}

function shown({ seq, hash }: Durable): { seq: number; hash: Digest } {
  return { seq, hash: `sha256:${hash}` as Digest };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
