// What an audit record costs: CPU over all threads and on the calling one, without a disk's flush where /dev/shm is there, and with one.
// Prints JSON lines. `node test/bench/audit.ts`; with CASTELLAN_TEST_PG also on that server (its database is left with the records).
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAuditLog } from '../../src/audit/open.ts';
import { decided, finished } from '../audit/records.ts';

const callers = 16;
const warmUpCalls = 4_000;
const calls = 20_000;
const storeModule = new URL('../../src/store/open.ts', import.meta.url).href;

async function measure(name: string, storeOptions: unknown): Promise<void> {
  const log = await openAuditLog({ storeModule, storeOptions });
  const run = async (count: number): Promise<void> => {
    let next = 0;
    const caller = async (): Promise<void> => {
      for (let index = next++; index < count; index = next++) {
        await log.append(decided(index));
        log.hand(finished(index));
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    await log.flush();
  };
  await run(warmUpCalls);
  const [all, calling, startMs] = [process.cpuUsage(), process.threadCpuUsage(), performance.now()];
  await run(calls);
  const records = 2 * calls;
  const elapsedMs = performance.now() - startMs;
  const perRecordUs = (cpu: NodeJS.CpuUsage): number => Math.round(((cpu.user + cpu.system) / records) * 100) / 100;
  console.log(
    JSON.stringify({
      store: name,
      cpuPerRecordUs: perRecordUs(process.cpuUsage(all)),
      callingThreadPerRecordUs: perRecordUs(process.threadCpuUsage(calling)),
      recordsPerS: Math.round((records / elapsedMs) * 1000),
      recordBytes: JSON.stringify(decided(1)).length,
    }),
  );
  await log.close();
}

async function measureSqlite(name: string, parent: string): Promise<void> {
  const folder = mkdtempSync(join(parent, 'castellan-bench-'));
  try {
    await measure(name, { kind: 'sqlite', path: join(folder, 'audit.db'), thread: 'calling' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (existsSync('/dev/shm')) await measureSqlite('sqlite in memory', '/dev/shm');
await measureSqlite('sqlite on disk', tmpdir());
const url = process.env['CASTELLAN_TEST_PG'];
if (url !== undefined) await measure('postgres', { kind: 'postgres', url, maxConnections: 1 });
