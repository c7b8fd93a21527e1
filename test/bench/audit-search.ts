// How long searches of a long audit log take, whether appending stays as quick, and how fast the whole is verified. Prints JSON lines. `node test/bench/audit-search.ts [records] [store]`
// (default 200000), on SQLite, and with CASTELLAN_TEST_PG on that server too, in a database of its own that is dropped again.
import { hash } from 'node:crypto';
import { rmSync, mkdtempSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { searchAudit, type AuditSearch } from '../../src/audit/query.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { openVerifyPool } from '../../src/audit/verify-pool.ts';
import { writeGroup } from '../../src/audit/write-group.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import type { Db } from '../../src/model/ports.ts';
import { openDb, type StoreOptions } from '../../src/store/open.ts';
import { decided, finished } from '../audit/records.ts';
import { engines } from '../contract/engines.ts';

const total = Number(process.argv[2] ?? 200_000);
const only = process.argv[3];
const groupRecords = 512;
const days = 30;
const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 9, 1);
const identities = 2_000;
const tenant = 'default';

/** The id of a call: such as the gateway's, in the order of time. */
function idOf(call: number): string {
  const hex = call.toString(16).padStart(12, '0');
  return `call_${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${hash('sha256', hex).slice(0, 12)}`;
}

/** A call's two records; identities, tools and rules as unevenly spread as they are: few are most of it. */
function recordOf(index: number): AuditRecord {
  const number = index >> 1;
  const call = idOf(number);
  const at = new Date(startMs + Math.floor((index / total) * days * dayMs)).toISOString();
  if (index % 2 === 1) {
    // As the gateway writes it: who and what are in the decided record.
    const { who: _who, what: _what, ...rest } = finished(number, { at, call });
    return rest;
  }
  const record = decided(number);
  const skewed = (count: number): number => Math.floor(count * (((number * 2_654_435_761) % 4_294_967_296) / 4_294_967_296) ** 2);
  const isRare = number % 50_021 === 7;
  const reasons = isRare
    ? [
        { rule: 'tools/granted', effect: 'allow' as const, message: 'granted' },
        { rule: 'refunds/limit', effect: 'deny' as const, message: 'invoice 4711 is above the limit' },
      ]
    : record.decision!.reasons;
  return {
    ...record,
    at,
    call,
    who: { ...record.who!, subject: `user-${skewed(identities)}` },
    what: { ...record.what!, name: `tool_${skewed(200)}` },
    decision: { ...record.decision!, effect: isRare || number % 40 === 0 ? 'deny' : 'allow', reasons },
  };
}

async function fill(db: Db, name: string): Promise<void> {
  const known = new Map();
  let [startedMs, cpu] = [performance.now(), process.cpuUsage()];
  const step = Math.max(groupRecords, Math.floor(total / 10 / groupRecords) * groupRecords);
  for (let at = 0; at < total; at += groupRecords) {
    const group = Array.from({ length: Math.min(groupRecords, total - at) }, (_, index) => ({
      text: JSON.stringify(recordOf(at + index)),
      again: false,
    }));
    const { heads } = await writeGroup(db, 'main', group, known);
    for (const [key, head] of heads) known.set(key, head);
    if ((at + groupRecords) % step !== 0) continue;
    const used = process.cpuUsage(cpu);
    const recordsPerS = Math.round((step / (performance.now() - startedMs)) * 1000);
    console.log(
      JSON.stringify({
        store: name,
        written: at + groupRecords,
        recordsPerS,
        cpuPerRecordUs: Math.round(((used.user + used.system) / step) * 10) / 10,
      }),
    );
    [startedMs, cpu] = [performance.now(), process.cpuUsage()];
  }
}

async function measure(db: Db, name: string, search: string, options: (round: number) => Omit<AuditSearch, 'tenant'>): Promise<void> {
  const times: number[] = [];
  let found = 0;
  let pages = 0;
  for (let round = 0; round < 20; round++) {
    const startedMs = performance.now();
    const page = await searchAudit(db, { tenant, ...options(round) });
    times.push(performance.now() - startedMs);
    found += page.records.length;
    pages += page.next === null ? 0 : 1;
  }
  times.sort((left, right) => left - right);
  const ms = (share: number): number => Math.round((times[Math.floor(share * (times.length - 1))] ?? 0) * 10) / 10;
  console.log(JSON.stringify({ store: name, search, p50Ms: ms(0.5), maxMs: ms(1), found: Math.round(found / 20), goesOn: pages }));
}

async function run(db: Db, name: string, storeOptions: StoreOptions): Promise<void> {
  await fill(db, name);
  const day = (round: number) => ({
    sinceMs: startMs + ((round * 7) % days) * dayMs,
    untilMs: startMs + (((round * 7) % days) + 1) * dayMs,
  });
  await measure(db, name, 'identity and day', (round) => ({ identity: { subject: `user-${(round * 97) % identities}` }, ...day(round) }));
  await measure(db, name, 'busiest identity and day', (round) => ({ identity: { subject: 'user-0' }, ...day(round) }));
  await measure(db, name, 'a rule among others, rare', () => ({ rule: 'refunds/limit' }));
  await measure(db, name, 'a tool and day', (round) => ({ tool: `tool_${(round * 13) % 200}`, ...day(round) }));
  await measure(db, name, 'a tool that nobody has', () => ({ tool: 'tool_x' }));
  await measure(db, name, 'denied', () => ({ effect: 'deny' }));
  await measure(db, name, 'words in a day', (round) => ({ text: 'invoice 4711', ...day(round) }));
  await measure(db, name, 'a call', (round) => ({ callId: idOf(Math.floor((total / 2) * (round / 20))) }));
  const explain = db.engine === 'sqlite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN';
  const where = "SELECT seq, record FROM audit_record WHERE tenant = $1 AND log = $2 AND record <> '' AND";
  const plans: readonly (readonly [string, string, readonly (string | number)[]])[] = [
    [
      'identity',
      `${where} subject = $3 AND at_ms >= $4 AND seq >= $5 AND seq <= $6 ORDER BY seq DESC LIMIT 100`,
      ['user-5', startMs, 1, total],
    ],
    [
      'segment',
      `${where} effect = $3 AND at_ms >= $4 AND seq >= $5 AND seq <= $6 ORDER BY seq DESC LIMIT 100`,
      ['allow', startMs, 1024, 2047],
    ],
    [
      'terms',
      "SELECT DISTINCT segment FROM audit_term WHERE tenant = $1 AND log = $2 AND field = $3 AND value IN ($4, '') AND segment <= $5 ORDER BY segment DESC LIMIT 512",
      ['rule', 'refunds/limit', total],
    ],
  ];
  for (const [what, sql, params] of plans) {
    const rows = await db.query(`${explain} ${sql}`, [tenant, 'main', ...params]);
    console.log(JSON.stringify({ store: name, plan: what, steps: rows.map((row) => String(row['detail'] ?? row['QUERY PLAN'])) }));
  }
  await verify(db, name, storeOptions);
}

async function verify(db: Db, name: string, storeOptions: StoreOptions): Promise<void> {
  const pool = openVerifyPool({ storeModule: new URL('../../src/store/open.ts', import.meta.url).href, storeOptions }, 2);
  const [startedMs, cpu] = [performance.now(), process.cpuUsage()];
  const verified = await verifyAudit(db, { tenant, scan: pool.scan.bind(pool), concurrency: 4 });
  const elapsedMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpu);
  await pool.close();
  if (!verified.ok) throw new Error(verified.problem);
  const recordsPerS = Math.round((verified.records / elapsedMs) * 1000);
  const cpuPerRecordUs = Math.round(((user + system) / verified.records) * 10) / 10;
  console.log(JSON.stringify({ store: name, verified: verified.records, recordsPerS, cpuPerRecordUs }));
}

if (only !== 'postgres') {
  const folder = mkdtempSync(join(tmpdir(), 'castellan-bench-'));
  const path = join(folder, 'audit.db');
  const options: StoreOptions = { kind: 'sqlite', path, thread: 'calling', durability: 'relaxed' };
  const db = await openDb(options);
  try {
    await run(db, 'sqlite', options);
    console.log(JSON.stringify({ store: 'sqlite', bytesPerCall: Math.round((2 * statSync(path).size) / total), inputs: 'not kept' }));
  } finally {
    await db.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
const postgres = engines.find(({ name }) => name === 'postgres');
if (only !== 'sqlite' && process.env['CASTELLAN_TEST_PG'] !== undefined && postgres !== undefined) {
  const fresh = await postgres.fresh();
  const opened = await fresh.open();
  try {
    await run(opened, 'postgres', fresh.options);
  } finally {
    await opened.close();
    await fresh.drop();
  }
}
