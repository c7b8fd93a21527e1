import { Worker } from 'node:worker_threads';
import { GatewayError } from '../model/errors.ts';
import { workerUrl } from '../model/worker-url.ts';
import type { Range, RangeResult } from './verify-range.ts';
import type { VerifyWorkerData } from './verify-worker.ts';

type Reply = { readonly result: RangeResult } | { readonly failed: string };

/** Threads that verify ranges, each with a connection of its own: the thread that serves calls hashes nothing. */
export interface VerifyPool {
  /** @throws GatewayError `store.unavailable` */
  scan(range: Range): Promise<RangeResult>;
  close(): Promise<void>;
}

/** Opens `threads` threads; each verifies the ranges it is given in order. */
export function openVerifyPool(data: VerifyWorkerData, threads: number): VerifyPool {
  const lanes = Array.from({ length: threads }, () => openLane(data));
  return {
    scan: async (range) => {
      const lane = lanes.reduce((least, one) => (one.waiting() < least.waiting() ? one : least));
      const reply = await lane.ask(range);
      if ('failed' in reply) throw new GatewayError('store.unavailable', `the audit log cannot be read: ${reply.failed}`);
      return reply.result;
    },
    close: async () => {
      await Promise.all(lanes.map(async (lane) => lane.close()));
    },
  };
}

interface Lane {
  readonly waiting: () => number;
  readonly ask: (range: Range) => Promise<Reply>;
  readonly close: () => Promise<void>;
}

function openLane(data: VerifyWorkerData): Lane {
  const worker = new Worker(workerUrl(import.meta.url, './verify-worker'), { workerData: data });
  const answered: ((reply: Reply) => void)[] = [];
  let fault: string | undefined;
  worker.on('message', (reply: Reply) => answered.shift()?.(reply));
  worker.on('error', (error: unknown) => (fault = error instanceof Error ? error.message : String(error)));
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      fault ??= 'its thread ended';
      for (const answer of answered.splice(0)) answer({ failed: fault });
      resolve();
    });
  });
  return {
    waiting: () => answered.length,
    ask: (range) =>
      new Promise((resolve) => {
        if (fault === undefined) {
          answered.push(resolve);
          worker.postMessage(range);
        } else resolve({ failed: fault });
      }),
    close: async () => {
      if (fault === undefined) worker.postMessage('close');
      await ended;
    },
  };
}
