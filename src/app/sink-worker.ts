import { hostname } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { SinkLog, SinkState } from '../sinks/pump.ts';
import { Pump } from '../sinks/pump.ts';
import { SinkCursor } from '../sinks/cursor.ts';
import { openSink } from '../sinks/open.ts';
import type { SinkOptions } from '../sinks/sink.ts';
import type { Db } from '../model/ports.ts';
import { hashText } from '../audit/columns.ts';
import { storedRecord } from '../audit/read.ts';
import type { KeyRing } from '../audit/sealed-keys.ts';
import { SealedReader } from '../audit/sealed-reader.ts';
import { openDb, type StoreOptions } from '../store/open.ts';
import { network } from './network.ts';

/** What the thread of the sinks is given. */
export interface SinkWorkerData {
  readonly tenant: string;
  readonly log: string;
  readonly store: StoreOptions;
  readonly sinks: readonly SinkOptions[];
  /** Opens recorded inputs, where a sink is to have them. */
  readonly inputKeys: KeyRing | undefined;
  readonly holder: string;
  readonly version: string;
}

/** What it says: how the sinks stand, once a second, and what happened to one. */
export type SinkMessage =
  | { readonly kind: 'states'; readonly states: readonly SinkState[] }
  | { readonly kind: 'failed'; readonly sink: string; readonly problem: string; readonly failures: number }
  | { readonly kind: 'recovered'; readonly sink: string; readonly failures: number }
  | { readonly kind: 'dropped'; readonly sink: string; readonly seq: number }
  | { readonly kind: 'closed' };

/** More than twice what one batch may take. */
const leaseMs = 90_000;
const statesMs = 1_000;

if (parentPort !== null) {
  const port = parentPort;
  const say = (message: SinkMessage): void => port.postMessage(message);
  const running = await run(workerData as SinkWorkerData, say);
  port.on('message', () => void running.close().then(() => say({ kind: 'closed' })));
}

async function run(data: SinkWorkerData, say: (message: SinkMessage) => void): Promise<{ close(): Promise<void> }> {
  const db = await openDb(data.store);
  const { tenant, log: name, holder, version } = data;
  const log = sinkLog(db, tenant, name);
  const pumps: Pump[] = [];
  for (const options of data.sinks) {
    const sink = await openSink(options, { version, host: hostname() }, network);
    const cursor = new SinkCursor(db, { tenant, log: name, name: options.name, holder, leaseMs });
    const pump = new Pump({
      log: options.target.kind === 'opa' && options.target.includeInput ? withInputs(db, data, log) : log,
      cursor,
      sink,
      options,
      onFault: (at, error, failures) => say({ kind: 'failed', sink: at, problem: problemText(error), failures }),
      onRecovered: (at, failures) => say({ kind: 'recovered', sink: at, failures }),
      onDropped: (at, seq) => say({ kind: 'dropped', sink: at, seq }),
    });
    pump.start();
    pumps.push(pump);
  }
  const telling = setInterval(() => say({ kind: 'states', states: pumps.map((pump) => pump.state) }), statesMs);
  return {
    close: async () => {
      clearInterval(telling);
      await Promise.all(pumps.map((pump) => pump.stop()));
      await db.close();
    },
  };
}

function sinkLog(db: Db, tenant: string, log: string): SinkLog {
  return {
    head: async () => {
      const [head] = await db.query<{ seq: number }>('SELECT seq FROM audit_head WHERE tenant = $1 AND log = $2', [tenant, log]);
      return head?.seq ?? 0;
    },
    after: async (seq, limit) => {
      const sql = `SELECT seq, ${hashText(db.engine)}, record FROM audit_record WHERE tenant = $1 AND log = $2 AND seq > $3 AND record <> '' ORDER BY seq LIMIT $4`;
      return (await db.query<{ seq: number; hash: string; record: string }>(sql, [tenant, log, seq, limit])).map(storedRecord);
    },
  };
}

/** The log with the input of each decision, opened for this reading alone. */
function withInputs(db: Db, { tenant, log: name, inputKeys }: SinkWorkerData, log: SinkLog): SinkLog {
  return {
    head: log.head,
    after: async (seq, limit) => {
      const records = await log.after(seq, limit);
      const [first] = records;
      if (first === undefined) return records;
      const reader = new SealedReader(db, inputKeys, tenant, name);
      const opened = await reader.open(first.seq, records.at(-1)?.seq ?? first.seq);
      return Promise.all(
        records.map(async (one) => {
          if (one.record.decision === undefined) return one;
          return { ...one, input: await reader.inputOf(one.record, opened.get(one.seq)) };
        }),
      );
    },
  };
}

function problemText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
