// What the tree costs and how fast a log is verified. CASTELLAN_BENCH_RECORDS sets how many records (default 200,000).
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Head } from '../../src/audit/chain.ts';
import { openCheckpointBook } from '../../src/audit/checkpoint-book.ts';
import { exportAudit } from '../../src/audit/export.ts';
import { noteSigner, parseVerifier } from '../../src/audit/note.ts';
import { proveInclusion } from '../../src/audit/proofs.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { verifyExport } from '../../src/audit/verify-export.ts';
import { openVerifyPool } from '../../src/audit/verify-pool.ts';
import { writeGroup } from '../../src/audit/write-group.ts';
import type { Db } from '../../src/model/ports.ts';
import { openDb } from '../../src/store/open.ts';
import { decided, finished } from '../audit/records.ts';

const storeModule = new URL('../../src/store/open.ts', import.meta.url).href;
const tenant = 'default';
const group = 512;

interface Cost {
  readonly recordsPerS: number;
  readonly cpuUs: number;
}

async function measured(records: number, work: () => Promise<unknown>): Promise<Cost> {
  const [cpu, startMs] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  const elapsedMs = performance.now() - startMs;
  return { recordsPerS: Math.round((records / elapsedMs) * 1000), cpuUs: Math.round(((user + system) / records) * 10) / 10 };
}

/** Appends, verifies and proves; prints JSON lines. */
export async function benchVerify(count = Number(process.env['CASTELLAN_BENCH_RECORDS'] ?? 200_000)): Promise<void> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'castellan-bench-'));
  try {
    const options = { kind: 'sqlite', path: join(folder, 'audit.db'), thread: 'calling' } as const;
    const db = await openDb(options);
    const parts = 10;
    const appended: Cost[] = [];
    const heads = new Map<string, Head>();
    for (let part = 0; part < parts; part++)
      appended.push(await measured(count / parts, () => append(db, heads, (count / parts) * part, count / parts)));
    // Several tenths of the log each: were there anything that grows with it, the last would be slower than the first.
    console.log(JSON.stringify({ append: 'tree and chain', records: count, firstTenth: appended[0], lastTenth: appended.at(-1) }));
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    const signer = noteSigner('bench', pem);
    const verifiers = [parseVerifier(signer.verifierKey)];
    const size = (await openCheckpointBook(db, tenant).make(signer, 0))?.size ?? 0;
    console.log(JSON.stringify({ verify: 'one thread', ...(await measured(size, () => whole(verifyAudit(db, { tenant, verifiers })))) }));
    const pool = openVerifyPool({ storeModule, storeOptions: options }, 2);
    const scan = pool.scan.bind(pool);
    console.log(
      JSON.stringify({
        verify: 'two threads',
        ...(await measured(size, () => whole(verifyAudit(db, { tenant, verifiers, scan, concurrency: 4 })))),
      }),
    );
    await pool.close();
    const lines: string[] = [];
    for await (const line of linesOf(exportAudit(db, 'jsonl', { tenant, signer }))) lines.push(line);
    console.log(JSON.stringify({ verify: 'export', ...(await measured(size, () => whole(verifyExport(lines, { verifiers })))) }));
    const proofs = 200;
    const cost = await measured(proofs, async () => {
      for (let at = 0; at < proofs; at++) await proveInclusion(db, { tenant }, 1 + ((at * 7_919) % size), size);
    });
    console.log(JSON.stringify({ prove: 'inclusion', proofMs: Math.round((1000 / cost.recordsPerS) * 100) / 100 }));
    await db.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function append(db: Db, heads: Map<string, Head>, from: number, count: number): Promise<void> {
  for (let at = from; at < from + count; at += group) {
    const texts = Array.from({ length: Math.min(group, from + count - at) }, (_, index) => {
      const number = at + index;
      return JSON.stringify(number % 2 === 0 ? decided(number) : finished(number - 1));
    });
    const written = await writeGroup(
      db,
      'main',
      texts.map((text) => ({ text, again: false })),
      heads,
    );
    for (const [name, head] of written.heads) heads.set(name, head);
  }
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = pieces.pop() ?? '';
    yield* pieces;
  }
}

async function whole(verification: Promise<{ readonly ok: boolean }>): Promise<void> {
  const found = await verification;
  if (!found.ok) throw new Error(JSON.stringify(found));
}
