// What auditing a call costs: two records and, with sealing, the inputs of its decision and of its result. CPU over all threads and on the
// calling one, without a disk's flush where /dev/shm is there, and with one; bytes on the disk, with every index; and how fast what is sealed
// is read again. Prints JSON lines. `node test/bench/audit.ts`; with CASTELLAN_TEST_PG also on that server (its database is left with the records).
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAuditLog } from '../../src/audit/open.ts';
import { createRecordedDecisions } from '../../src/audit/recorded-decisions.ts';
import { newKeyText, sealingKey, type KeyRing } from '../../src/audit/sealed-keys.ts';
import { openDb, type StoreOptions } from '../../src/store/open.ts';
import { keptInput, pseudoHex } from '../audit/inputs.ts';
import { benchVerify } from './verify.ts';
import { decided, finished } from '../audit/records.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';

const warmUpCalls = 4_000;
const calls = 20_000;
const storeModule = new URL('../../src/store/open.ts', import.meta.url).href;
const keys: KeyRing = { current: sealingKey(newKeyText(), 'the benchmark'), earlier: [] };

/** Records of a call as the gateway writes them: the finished one names its call and no more, and none of the digests compresses. */
function recordsOf(index: number, isSealed: boolean): readonly [AuditRecord, AuditRecord] {
  const call = `call_${pseudoHex(index).slice(0, 8)}-${pseudoHex(index).slice(8, 12)}-7${pseudoHex(index).slice(12, 15)}-8${pseudoHex(index).slice(15, 18)}-${pseudoHex(index).slice(18, 30)}`;
  const record = decided(index, { call });
  const digest = isSealed ? '' : `hmac-sha256:${pseudoHex(index + 1)}`;
  const decision = { ...record.decision!, input_digest: digest };
  const what = {
    ...record.what!,
    arguments_digest: `hmac-sha256:${pseudoHex(index + 2)}`,
    definition_digest: `sha256:${pseudoHex(1)}`,
    exposed: 'read_file',
  };
  const { v, at, tenant, outcome } = finished(index);
  return [
    { ...record, decision, what },
    { v, kind: 'finished', at, tenant, call, decision, outcome: { ...outcome!, upstream_ms: 2.31 } },
  ];
}

async function measure(name: string, storeOptions: StoreOptions, isSealed: boolean, callers: number, count = calls): Promise<void> {
  const log = await openAuditLog({ storeModule, storeOptions, ...(isSealed ? { keys } : {}) });
  let made = 0;
  const run = async (count: number): Promise<void> => {
    let next = 0;
    const caller = async (): Promise<void> => {
      for (let index = next++; index < count; index = next++) {
        const at = made++;
        const [first, last] = recordsOf(at, isSealed);
        await log.append(first, isSealed ? keptInput(2 * at) : undefined);
        log.hand(last, isSealed ? keptInput(2 * at + 1) : undefined);
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    await log.flush();
  };
  await run(Math.min(warmUpCalls, count));
  const inputUs = costOfTestData(isSealed, count);
  const [all, calling, startMs] = [process.cpuUsage(), process.threadCpuUsage(), performance.now()];
  await run(count);
  const elapsedMs = performance.now() - startMs;
  const perCallUs = (cpu: NodeJS.CpuUsage): number => Math.round(((cpu.user + cpu.system) / count - inputUs) * 10) / 10;
  const figures = { cpuPerCallUs: perCallUs(process.cpuUsage(all)), callingThreadPerCallUs: perCallUs(process.threadCpuUsage(calling)) };
  await log.close();
  const bytes = await bytesPerCall(storeOptions, made);
  const reading = isSealed ? await readAgain(storeOptions) : {};
  console.log(
    JSON.stringify({ store: name, isSealed, callers, ...figures, callsPerS: Math.round((count / elapsedMs) * 1000), ...bytes, ...reading }),
  );
}

/** What it costs to make up the records and inputs, which is not auditing. */
function costOfTestData(isSealed: boolean, count: number): number {
  const started = process.threadCpuUsage();
  for (let index = 0; index < count; index++) {
    recordsOf(index, isSealed);
    if (isSealed) keptInput(index);
    if (isSealed) keptInput(index);
  }
  const { user, system } = process.threadCpuUsage(started);
  return (user + system) / count;
}

async function bytesPerCall(options: StoreOptions, made: number): Promise<object> {
  const db = await openDb(options);
  try {
    const [sealed] = await db.query<{ bytes: number | null }>('SELECT sum(length(sealed)) AS bytes FROM audit_input');
    if (options.kind === 'sqlite') await db.query('PRAGMA wal_checkpoint(TRUNCATE)');
    const bytes =
      options.kind === 'sqlite'
        ? statSync(options.path).size
        : ((await db.query<{ bytes: number }>('SELECT pg_database_size(current_database()) AS bytes'))[0]?.bytes ?? 0);
    return { bytesPerCall: Math.round(bytes / made), sealedBytesPerCall: Math.round((sealed?.bytes ?? 0) / made) };
  } finally {
    await db.close();
  }
}

async function readAgain(options: StoreOptions): Promise<object> {
  const db = await openDb(options);
  try {
    const started = process.cpuUsage();
    const [ownStarted, startedMs] = [process.threadCpuUsage(), performance.now()];
    let count = 0;
    for await (const { input } of createRecordedDecisions(db, keys).read({ tenant: 'default' })) if (input.state === 'kept') count += 1;
    const [cpu, own] = [process.cpuUsage(started), process.threadCpuUsage(ownStarted)];
    return {
      readPerS: Math.round((count / (performance.now() - startedMs)) * 1000),
      readCpuUs: Math.round(((cpu.user + cpu.system) / count) * 10) / 10,
      readOwnThreadUs: Math.round(((own.user + own.system) / count) * 10) / 10,
    };
  } finally {
    await db.close();
  }
}

async function measureSqlite(name: string, parent: string, isSealed: boolean, callers: number, count?: number): Promise<void> {
  const folder = mkdtempSync(join(parent, 'castellan-bench-'));
  try {
    await measure(name, { kind: 'sqlite', path: join(folder, 'audit.db'), thread: 'calling' }, isSealed, callers, count);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureAll(): Promise<void> {
  for (const isSealed of [false, true]) {
    if (existsSync('/dev/shm')) await measureSqlite('sqlite in memory', '/dev/shm', isSealed, 16);
    await measureSqlite('sqlite on disk', tmpdir(), isSealed, 16);
  }
  // One call at a time: groups of one record, the most that a call can cost.
  if (existsSync('/dev/shm')) await measureSqlite('sqlite in memory', '/dev/shm', true, 1, 1_000);
  const url = process.env['CASTELLAN_TEST_PG'];
  if (url !== undefined)
    for (const isSealed of [false, true]) await measure('postgres', { kind: 'postgres', url, maxConnections: 1 }, isSealed, 16);
}

// `npm run bench:audit -- write` or `-- verify` for one of the two.
const section = process.argv[2];
if (section !== 'verify') await measureAll();
if (section !== 'write') await benchVerify();
