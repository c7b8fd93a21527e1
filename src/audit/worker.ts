import { parentPort, workerData } from 'node:worker_threads';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import type { Head } from './chain.ts';
import { writeGroup, type GroupRecord } from './write-group.ts';

/** How the worker reaches the database: a module with `openDb`, and that function's options. */
export interface AuditWorkerData {
  readonly storeModule: string;
  readonly storeOptions: unknown;
  readonly log: string;
}

/** A group: records separated by line feeds, which JSON text has none of; how many of the first ones may be in the log already. */
export interface AuditGroup {
  readonly texts: string;
  readonly again: number;
}

/**
 * Where each record went: numbers, and hashes of 64 hex digits one after the other; number 0 for a record that the database refused for
 * its own sake. Or why none is known to be durable.
 */
export type AuditGroupReply = { readonly seqs: readonly number[]; readonly hashes: string } | { readonly failed: string };

/** The place of a record that the database refuses. */
const unwritten: Head = { seq: 0, hash: '0'.repeat(64) };

interface StoreModule {
  openDb(options: unknown): Promise<Db>;
}

interface Writer {
  open(): Promise<AuditGroupReply>;
  write(group: AuditGroup): Promise<AuditGroupReply>;
  close(): Promise<'closed'>;
}

if (parentPort !== null) {
  const port = parentPort;
  const writer = createWriter(workerData as AuditWorkerData);
  port.on('message', (message: AuditGroup | 'open' | 'close') => {
    const answer = message === 'open' ? writer.open() : message === 'close' ? writer.close() : writer.write(message);
    void answer.then((reply) => port.postMessage(reply));
  });
}

function createWriter(data: AuditWorkerData): Writer {
  const heads = new Map<string, Head>();
  let opened: Db | undefined;

  const db = async (): Promise<Db> => {
    const store = (await import(data.storeModule)) as StoreModule;
    return (opened ??= await store.openDb(data.storeOptions));
  };

  const write = async (records: readonly GroupRecord[]): Promise<readonly Head[]> => {
    try {
      const written = await writeGroup(await db(), data.log, records, heads);
      for (const [tenant, head] of written.heads) heads.set(tenant, head);
      return written.places;
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'store.unavailable') throw error;
      // The fault is one record's: it must not take the others with it.
      if (records.length === 1) return [unwritten];
      const places: Head[] = [];
      for (const record of records) places.push(...(await write([record])));
      return places;
    }
  };

  return {
    open: async () => {
      try {
        await db();
        return { seqs: [], hashes: '' };
      } catch (error) {
        return { failed: faultText(error) };
      }
    },
    write: async ({ texts, again }) => {
      try {
        const places = await write(texts.split('\n').map((text, index) => ({ text, again: index < again })));
        return { seqs: places.map((place) => place.seq), hashes: places.map((place) => place.hash).join('') };
      } catch (error) {
        return { failed: faultText(error) };
      }
    },
    close: async () => {
      await opened?.close();
      return 'closed';
    },
  };
}

function faultText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
