import { parentPort, workerData } from 'node:worker_threads';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { trimMemory } from '../model/trim-memory.ts';
import type { Head } from './chain.ts';
import { unpack, type HandedInputs } from './sealed-handover.ts';
import type { KeyRing } from './sealed-keys.ts';
import { SealedWriter } from './sealed-writer.ts';
import { catchUpTrees } from './tree-writer.ts';
import { writeGroup, type GroupRecord } from './write-group.ts';

/** How the worker reaches the database: a module with `openDb`, and that function's options. */
export interface AuditWorkerData {
  readonly storeModule: string;
  readonly storeOptions: unknown;
  readonly log: string;
  /** Keys that seal inputs; absent: none are kept. */
  readonly keys: KeyRing | undefined;
}

/**
 * A group: records separated by line feeds, which JSON text has none of; how many of the first ones may be in the log already; the inputs
 * that are sealed with them.
 */
export interface AuditGroup {
  readonly texts: string;
  readonly again: number;
  readonly inputs?: HandedInputs;
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
  const sealer = data.keys === undefined ? undefined : new SealedWriter(data.keys, data.log);
  let opened: Db | undefined;

  const db = async (): Promise<Db> => (opened ??= await ((await import(data.storeModule)) as StoreModule).openDb(data.storeOptions));

  const write = async (records: readonly GroupRecord[]): Promise<readonly Head[]> => {
    try {
      const written = await writeGroup(await db(), data.log, records, heads, sealer);
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
        await catchUpTrees(await db(), data.log);
        trimMemory();
        return { seqs: [], hashes: '' };
      } catch (error) {
        return { failed: faultText(error) };
      }
    },
    write: async ({ texts, again, inputs }) => {
      try {
        if (inputs?.parts !== undefined) sealer?.learn(inputs.from, inputs.parts.split('\n'));
        const given = inputs === undefined ? undefined : unpack(inputs);
        const places = await write(texts.split('\n').map((text, index) => ({ text, again: index < again, input: given?.get(index) })));
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
