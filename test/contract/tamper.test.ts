import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openCheckpointBook } from '../../src/audit/checkpoint-book.ts';
import { hashText } from '../../src/audit/columns.ts';
import { exportAudit } from '../../src/audit/export.ts';
import type { NoteSigner } from '../../src/audit/note.ts';
import { openAuditLog, type OpenAuditLog } from '../../src/audit/open.ts';
import { proveInclusion } from '../../src/audit/proofs.ts';
import { newKeyText, sealingKey, type KeyRing } from '../../src/audit/sealed-keys.ts';
import { verifyAudit, type Verification } from '../../src/audit/verify.ts';
import { verifyExport } from '../../src/audit/verify-export.ts';
import { verifyInputs } from '../../src/audit/verify-inputs.ts';
import { openVerifyPool } from '../../src/audit/verify-pool.ts';
import type { Db } from '../../src/model/ports.ts';
import { forgedLog, newSigner, rewritten, signer, tenant, total, verifiers, withInput } from '../audit/forged-log.ts';
import { keptInput } from '../audit/inputs.ts';
import { decided, startMs } from '../audit/records.ts';
import { engines, type FreshDatabase } from './engines.ts';

const storeModule = new URL('../../src/store/open.ts', import.meta.url).href;
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

for (const engine of engines) {
  const sqlite = engine.name === 'sqlite';
  const tables = ['audit_record', 'audit_head', 'audit_tile', 'audit_checkpoint'];
  const triggers = {
    audit_record: ['no_update', 'no_delete'],
    audit_head: ['forward', 'no_delete'],
    audit_tile: ['no_update', 'no_delete'],
    audit_checkpoint: ['no_update', 'no_delete'],
  };
  const withoutTriggers = sqlite
    ? Object.entries(triggers).flatMap(([table, names]) => names.map((name) => `DROP TRIGGER ${table}_${name}`))
    : tables.map((table) => `ALTER TABLE ${table} DISABLE TRIGGER ALL`);

  describe(`tampering with a log on ${engine.name}`, { skip: engine.skip, timeout: 180_000 }, () => {
    let fresh: FreshDatabase;
    let db: Db;
    let log: OpenAuditLog;
    let notes: string[];
    beforeEach(async () => {
      fresh = await engine.fresh();
      db = await fresh.open();
      log = await openAuditLog({ storeModule, storeOptions: { ...fresh.options, thread: 'calling', maxConnections: 1 } });
      const book = openCheckpointBook(db, tenant);
      notes = [];
      for (let at = 0; at < total; at++) {
        log.hand(withInput(at));
        if (at !== 299 && at !== total - 1) continue;
        await log.flush();
        notes.push((await book.make(signer, 1))!.note);
      }
    });
    afterEach(async () => {
      await log.close();
      await db.close();
      await fresh.drop();
    });
    const shift = (from: number, to: number, by: number): string[] => {
      const seqs = Array.from({ length: to - from + 1 }, (_, at) => from + at);
      return (by > 0 ? seqs.reverse() : seqs).map((seq) => `UPDATE audit_record SET seq = ${seq + by} WHERE seq = ${seq}`);
    };
    const copy = (from: number, to: number): string =>
      `INSERT INTO audit_record SELECT tenant, log, ${to}, hash, at_ms, kind, call_id, subject, method, effect, record FROM audit_record WHERE seq = ${from}`;
    const edited = quoted(JSON.stringify({ ...withInput(399), ip: '192.0.2.99' }));

    /** Everything that a database can tell is made to fit a rewritten log. */
    const rewrite = (by: NoteSigner): string[] => {
      const { texts, hashes, notes: signed } = forgedLog(rewritten, by, [300, total]);
      return [
        'DELETE FROM audit_tile',
        'DELETE FROM audit_checkpoint',
        ...texts
          .slice(399)
          .map(
            (text, at) =>
              `UPDATE audit_record SET record = ${quoted(text)}, hash = ${engine.bytes(hashes[399 + at]!)} WHERE seq = ${400 + at}`,
          ),
        `UPDATE audit_head SET hash = '${hashes.at(-1)!}', tree_size = 0, tree_nodes = ''`,
        ...signed.map((note, at) => {
          const size = [300, total][at]!;
          const root = Buffer.from(note.split('\n')[2]!, 'base64').toString('hex');
          return `INSERT INTO audit_checkpoint (tenant, log, size, root, at_ms, note) VALUES ('default', 'main', ${size}, '${root}', 1, ${quoted(note)})`;
        }),
      ];
    };

    const tampered: {
      readonly name: string;
      readonly sql: () => readonly string[];
      readonly at: number;
      readonly kind: string;
      readonly outside?: true;
    }[] = [
      { name: 'an edited record', sql: () => [`UPDATE audit_record SET record = ${edited} WHERE seq = 400`], at: 400, kind: 'edited' },
      { name: 'a deleted record', sql: () => ['DELETE FROM audit_record WHERE seq = 400'], at: 400, kind: 'deleted' },
      {
        name: 'a deleted record over which the rest was moved',
        sql: () => ['DELETE FROM audit_record WHERE seq = 400', ...shift(401, total, -1)],
        at: 400,
        kind: 'reordered',
      },
      {
        name: 'an inserted record',
        sql: () => [...shift(401, total, 1), copy(400, 401), `UPDATE audit_record SET record = ${edited} WHERE seq = 401`],
        at: 401,
        kind: 'edited',
      },
      { name: 'a record that stands twice', sql: () => [...shift(401, total, 1), copy(390, 401)], at: 401, kind: 'duplicated' },
      {
        name: 'two records that changed places',
        sql: () => [
          'UPDATE audit_record SET seq = 9999 WHERE seq = 400',
          'UPDATE audit_record SET seq = 400 WHERE seq = 401',
          'UPDATE audit_record SET seq = 401 WHERE seq = 9999',
        ],
        at: 400,
        kind: 'reordered',
      },
      { name: 'a cut tail', sql: () => ['DELETE FROM audit_record WHERE seq > 650'], at: 651, kind: 'tail_cut' },
      {
        name: 'a tail that was cut with the head and the tree',
        sql: () => [
          'DELETE FROM audit_record WHERE seq > 650',
          `UPDATE audit_head SET seq = 650, hash = (SELECT ${hashText(engine.name)} FROM audit_record WHERE seq = 650), tree_size = 0, tree_nodes = ''`,
        ],
        at: 651,
        kind: 'tail_cut',
      },
      {
        name: 'a log that was rewritten with all its hashes, its tree and checkpoints of another key',
        sql: () => rewrite(newSigner()),
        at: 300,
        kind: 'key_replaced',
      },
      {
        name: 'a fork that was signed with the stolen key, against a checkpoint kept elsewhere',
        sql: () => rewrite(signer),
        at: 301,
        kind: 'forked',
        outside: true,
      },
      {
        name: 'an edited checkpoint',
        sql: () => [`UPDATE audit_checkpoint SET note = ${quoted(notes[0]!.replace('\n300\n', '\n301\n'))} WHERE size = 300`],
        at: 300,
        kind: 'checkpoint_changed',
      },
      {
        name: 'a changed hash',
        sql: () => [`UPDATE audit_record SET hash = ${engine.bytes('0'.repeat(64))} WHERE seq = 400`],
        at: 400,
        kind: 'hash_changed',
      },
      {
        name: 'an edited column',
        sql: () => ["UPDATE audit_record SET subject = 'nobody' WHERE seq = 400"],
        at: 400,
        kind: 'column_changed',
      },
      {
        name: 'changed leaf hashes',
        sql: () => [
          sqlite
            ? 'UPDATE audit_tile SET hashes = zeroblob(8192) WHERE idx = 1'
            : "UPDATE audit_tile SET hashes = decode(repeat('00', 8192), 'hex') WHERE idx = 1",
        ],
        at: 257,
        kind: 'tree_changed',
      },
      {
        name: 'a text that was taken away where retention takes the columns too',
        sql: () => ["UPDATE audit_record SET record = '' WHERE seq = 400"],
        at: 400,
        kind: 'edited',
      },
    ];

    it('is not claimed of a log that is whole, whoever reads it', async () => {
      const found = await verifyAudit(db, { tenant, verifiers, notes });
      assert.partialDeepStrictEqual(found, { ok: true, records: total, checkpoints: 2, signed: true, removed: 0 });
      const pool = openVerifyPool({ storeModule, storeOptions: { ...fresh.options, thread: 'calling', maxConnections: 1 } }, 2);
      assert.deepEqual(await verifyAudit(db, { tenant, verifiers, notes, scan: (range) => pool.scan(range), concurrency: 4 }), found);
      await pool.close();
    });

    for (const { name, sql, at, kind, outside } of tampered)
      it(`is found: ${name}`, async () => {
        await log.close();
        await fresh.raw(...withoutTriggers, ...sql());
        const found: Verification = await verifyAudit(db, { tenant, verifiers, ...(outside === true ? { notes } : {}) });
        assert.ok(!found.ok, 'the log still verifies');
        assert.deepEqual([found.at, found.kind], [at, kind], JSON.stringify(found));
        assert.ok(found.problem.length > 10 && found.advice.length > 10);
      });

    it('is not claimed where retention took a text away; its proof still holds', async () => {
      const emptied = 'call_id subject method effect'.split(' ').map((column) => `${column} = NULL`);
      const leaf = (await proveInclusion(db, { tenant }, 20, total)).leaf;
      await fresh.raw(...withoutTriggers, `UPDATE audit_record SET record = '', ${emptied.join(', ')} WHERE seq <= 40`);
      assert.partialDeepStrictEqual(await verifyAudit(db, { tenant, verifiers, notes }), {
        ok: true,
        records: total,
        removed: 40,
        checkpoints: 2,
      });
      assert.equal((await proveInclusion(db, { tenant }, 20, total)).leaf, leaf);
      const lines = await exported(db);
      assert.partialDeepStrictEqual(await verifyExport(lines, { verifiers }), { ok: true, records: total, removed: 40 });
    });

    it('is found: sealed inputs that changed places, and one that was edited', async () => {
      const keys: KeyRing = { current: sealingKey(newKeyText(), 'a test'), earlier: [] };
      const sealing = await openAuditLog({ storeModule, storeOptions: { ...fresh.options, thread: 'calling', maxConnections: 1 }, keys });
      for (let at = 0; at < 3; at++) {
        const { decision } = decided(total + at);
        await sealing.append(decided(total + at, { decision: { ...decision!, input_digest: '' } }), keptInput(at));
      }
      await sealing.close();
      const options = { tenant, toSeq: total + 3, keys };
      assert.equal(await verifyInputs(db, options), 3);
      const rows = await db.query<{ first_seq: number; sealed: Uint8Array }>(
        'SELECT first_seq, sealed FROM audit_input ORDER BY first_seq',
      );
      const put = async (seq: number, sealed: Uint8Array): Promise<void> => {
        await db.query('UPDATE audit_input SET sealed = $1 WHERE first_seq = $2', [sealed, seq]);
      };
      const [first, second] = [rows[0]!, rows[1]!];
      await put(first.first_seq, second.sealed);
      assert.partialDeepStrictEqual(await verifyInputs(db, options), { kind: 'input_swapped' });
      await put(
        first.first_seq,
        Uint8Array.from(first.sealed, (byte, at) => (at === first.sealed.length - 1 ? byte ^ 1 : byte)),
      );
      assert.partialDeepStrictEqual(await verifyInputs(db, options), { kind: 'input_swapped' });
      await put(first.first_seq, first.sealed);
      assert.equal(await verifyInputs(db, options), 3);
    });

    it('is not claimed of an export, whole or a range of it', async () => {
      const lines = await exported(db);
      assert.partialDeepStrictEqual(await verifyExport(lines, { verifiers, notes }), {
        ok: true,
        records: total,
        checkpoints: 2,
        unsigned: 0,
        headSeq: total,
      });
      const range = await exported(db, 301, 500);
      assert.partialDeepStrictEqual(await verifyExport(range, { verifiers }), {
        ok: true,
        records: 200,
        checkpoints: 1,
        unsigned: 0,
        headSeq: 500,
      });
    });
  });
}

async function exported(db: Db, fromSeq = 1, toSeq = total): Promise<string[]> {
  const parts: Uint8Array[] = [];
  const times = { sinceMs: startMs + (fromSeq - 1) * 1000, untilMs: startMs + toSeq * 1000 };
  for await (const part of exportAudit(db, 'jsonl', { tenant, ...times, origin: signer.name })) parts.push(part);
  return Buffer.concat(parts).toString().trimEnd().split('\n');
}
