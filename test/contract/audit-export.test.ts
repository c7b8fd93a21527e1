import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpointBook } from '../../src/audit/checkpoint-book.ts';
import { exportAudit, type ExportForm, type ExportOptions } from '../../src/audit/export.ts';
import { noteSigner, parseVerifier } from '../../src/audit/note.ts';
import { verifyExport } from '../../src/audit/verify-export.ts';
import { writeGroup } from '../../src/audit/write-group.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import type { Db } from '../../src/model/ports.ts';
import { decided, finished, startMs } from '../audit/records.ts';
import { engines, type FreshDatabase } from './engines.ts';

const tenant = 'default';
const signer = noteSigner(
  'test.example/audit',
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
);
const verifiers = [parseVerifier(signer.verifierKey)];

for (const engine of engines) {
  describe(`export of the audit log on ${engine.name}`, { skip: engine.skip }, () => {
    let fresh: FreshDatabase;
    let db: Db;
    const known = new Map();
    beforeEach(async () => {
      known.clear();
      fresh = await engine.fresh();
      db = await fresh.open();
    });
    afterEach(async () => {
      await db.close();
      await fresh.drop();
    });

    const write = async (records: readonly AuditRecord[]): Promise<void> => {
      const group = records.map((record) => ({ text: JSON.stringify(record), again: false }));
      const { heads } = await writeGroup(db, 'main', group, known);
      for (const [name, head] of heads) known.set(name, head);
    };
    const bytesOf = async (form: ExportForm, options: Partial<ExportOptions> = {}): Promise<Buffer> => {
      const parts: Uint8Array[] = [];
      for await (const part of exportAudit(db, form, { tenant, ...options })) parts.push(part);
      return Buffer.concat(parts);
    };
    const linesOf = async (options: Partial<ExportOptions> = {}): Promise<string[]> =>
      (await bytesOf('jsonl', { signer, ...options })).toString('utf8').trimEnd().split('\n');

    it('is a file that verifies with the public key alone, and an edit in it shows', async () => {
      const book = openCheckpointBook(db, tenant);
      for (let round = 0; round < 4; round++) {
        await write(Array.from({ length: 300 }, (_, index) => decided(round * 300 + index)));
        if (round < 3) await book.make(signer, startMs);
      }
      const lines = await linesOf();
      const found = await verifyExport(lines, { verifiers });
      assert.deepEqual(
        { ...found, root: undefined },
        {
          ...{
            ok: true,
            records: 1_200,
            checkpoints: 4,
            unsigned: 0,
            inputs: 0,
            removed: 0,
            headSeq: 1_200,
            root: undefined,
            selection: false,
          },
        },
      );
      const edited = lines.map((line) => line.replace('"call":"call_700"', '"call":"call_007"'));
      assert.equal((await verifyExport(edited, { verifiers })).ok, false);
      assert.equal((await verifyExport(lines.toSpliced(500, 1), { verifiers })).ok, false);
    });

    it('of a time is a stretch that fits into the log, covered by a later checkpoint', async () => {
      await write(Array.from({ length: 600 }, (_, index) => decided(index)));
      await openCheckpointBook(db, tenant).make(signer, startMs);
      const lines = await linesOf({ sinceMs: startMs + 100_000, untilMs: startMs + 200_000 });
      const found = await verifyExport(lines, { verifiers });
      assert.ok(found.ok, JSON.stringify(found));
      assert.deepEqual([found.records, found.headSeq, found.checkpoints, found.unsigned, found.selection], [100, 200, 1, 0, false]);
    });

    it('of what was picked has a proof for each record', async () => {
      await write(Array.from({ length: 700 }, (_, index) => (index % 7 === 0 ? finished(index) : decided(index))));
      const lines = await linesOf({ identity: { subject: 'user-1' }, tool: 'write_file' });
      const found = await verifyExport(lines, { verifiers });
      assert.ok(found.ok, JSON.stringify(found));
      const wanted = Array.from({ length: 700 }, (_, index) => index).filter((index) => index % 3 === 1 && index % 2 === 1);
      assert.equal(found.records, wanted.length);
      assert.equal(found.selection, true);
      const forged = lines.map((line) => line.replace('"user-1"', '"user-9"'));
      assert.equal((await verifyExport(forged, { verifiers })).ok, false);
    });

    it('of nothing is a file that says so', async () => {
      const found = await verifyExport(await linesOf(), { verifiers });
      assert.ok(found.ok && found.records === 0);
    });

    it('as CSV shows no formula, and reads back', async () => {
      const evil = ['=HYPERLINK("http://evil.example")', '+1', '-1', '@SUM(A1)', '\t=1', 'a "quoted", text\nand more', 'plain'];
      const named = (index: number): AuditRecord => ({ ...decided(index), what: { ...decided(index).what!, name: evil[index]! } });
      await write(evil.map((_, index) => named(index)));
      const [head, ...rows] = readCsv((await bytesOf('csv')).toString('utf8'));
      const column = head!.indexOf('name');
      assert.deepEqual(
        rows.map((row) => row[column]),
        evil.map((name, index) => (index < 5 ? `'${name}` : name)),
      );
      assert.ok(rows.every((row) => row.length === head!.length && !row.some((cell) => /^[=+@\t-]/.test(cell))));
      assert.deepEqual(rows[6]!.slice(0, 4), ['7', named(6).at, 'decided', 'default']);
    });

    it('as Parquet reads back with types, in more than one group of rows', async () => {
      for (let round = 0; round < 25; round++) await write(Array.from({ length: 500 }, (_, index) => decided(round * 500 + index)));
      await write([finished(1, { outcome: { status: 'ok', bytes: 10, total_ms: 1.5 } })]);
      const folder = mkdtempSync(join(tmpdir(), 'castellan-parquet-'));
      const path = join(folder, 'audit.parquet');
      writeFileSync(path, await bytesOf('parquet'));
      const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
      rmSync(folder, { recursive: true });
      assert.equal(rows.length, 12_501);
      assert.deepEqual(
        rows.map((row) => Number(row['seq'])),
        Array.from({ length: 12_501 }, (_, index) => index + 1),
      );
      assert.deepEqual(
        [rows[4]!['effect'], rows[5]!['effect'], rows[5]!['rules'], rows[5]!['total_ms']],
        ['allow', 'deny', 'files/root', null],
      );
      assert.deepEqual([rows[12_500]!['outcome'], rows[12_500]!['total_ms'], rows[12_500]!['result_bytes']], ['ok', 1.5, 10n]);
    });
  });
}

/** RFC 4180. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  const cells = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/gy;
  for (let match = cells.exec(text); match !== null && match.index < text.length; match = cells.exec(text)) {
    rows.at(-1)!.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\r\n') rows.push([]);
  }
  return rows.filter((row) => row.length > 0);
}
