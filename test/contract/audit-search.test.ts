import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { forgetTerms } from '../../src/audit/forget-terms.ts';
import { searchAudit, type AuditSearch } from '../../src/audit/query.ts';
import { firstSeqFrom, type StoredRecord } from '../../src/audit/read.ts';
import { segmentRecords } from '../../src/audit/segment-terms.ts';
import { writeGroup } from '../../src/audit/write-group.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import type { Db } from '../../src/model/ports.ts';
import { decided, finished, startMs } from '../audit/records.ts';
import { engines, type FreshDatabase } from './engines.ts';

const tenant = 'default';

for (const engine of engines) {
  describe(`search of the audit log on ${engine.name}`, { skip: engine.skip }, () => {
    let fresh: FreshDatabase;
    let db: Db;
    beforeEach(async () => {
      fresh = await engine.fresh();
      db = await fresh.open();
    });
    afterEach(async () => {
      await db.close();
      await fresh.drop();
    });

    const write = async (records: readonly AuditRecord[], known = new Map()): Promise<void> => {
      for (let at = 0; at < records.length; at += 500) {
        const group = records.slice(at, at + 500).map((record) => ({ text: JSON.stringify(record), again: false }));
        const { heads } = await writeGroup(db, 'main', group, known);
        for (const [name, head] of heads) known.set(name, head);
      }
    };
    const all = async (search: Partial<AuditSearch>): Promise<StoredRecord[]> => {
      const found: StoredRecord[] = [];
      for (let cursor: string | null | undefined; cursor !== null;) {
        const page = await searchAudit(db, { tenant, ...search, ...(cursor === undefined ? {} : { cursor }) });
        found.push(...page.records);
        cursor = page.next;
      }
      return found;
    };
    const seqs = async (search: Partial<AuditSearch>): Promise<number[]> => (await all(search)).map(({ seq }) => seq);
    const withReasons = (index: number, ...rules: readonly string[]): AuditRecord => {
      const record = decided(index);
      const reasons = rules.map((rule) => ({ rule, effect: 'deny' as const, message: `because of ${rule}` }));
      return { ...record, decision: { ...record.decision!, effect: 'deny', reasons } };
    };

    it('finds what each filter names, newest first', async () => {
      await write([
        decided(1),
        finished(1),
        decided(2, { who: { issuer: 'i', subject: 'zoe', client: 'robot', groups: [] } }),
        withReasons(3, 'files/first', 'files/second'),
        { v: 1, kind: 'system', at: new Date(startMs + 4000).toISOString(), tenant, event: { code: 'gateway.started', message: 'Größe' } },
      ]);
      assert.deepEqual(await seqs({}), [5, 4, 3, 2, 1]);
      assert.deepEqual(await seqs({ identity: { subject: 'zoe' } }), [3]);
      assert.deepEqual(await seqs({ identity: { client: 'robot' } }), [3]);
      assert.deepEqual(await seqs({ tool: 'write_file' }), [4, 2, 1]);
      assert.deepEqual(await seqs({ effect: 'deny' }), [4]);
      assert.deepEqual(await seqs({ release: 'r1', kind: 'decided' }), [4, 3, 1]);
      assert.deepEqual(await seqs({ rule: 'files/second' }), [4]);
      assert.deepEqual(await seqs({ rule: 'files' }), []);
      assert.deepEqual(await seqs({ rule: 'files/second', identity: { subject: 'user-0' } }), [4]);
      assert.deepEqual(await seqs({ callId: 'call_1' }), [2, 1]);
      assert.deepEqual(await seqs({ sinceMs: startMs + 2000, untilMs: startMs + 4000 }), [4, 3]);
      assert.deepEqual(await seqs({ text: 'größe' }), [5]);
      assert.deepEqual(await seqs({ text: 'BECAUSE files/second' }), [4]);
      assert.deepEqual(await seqs({ text: 'arguments_digest' }), [], 'keys are not text');
      assert.deepEqual(await seqs({ tool: 'nobody' }), []);
      assert.deepEqual(await seqs({ tenant: 'other' }), []);
    });

    it('finds where a time begins, wherever that is', async () => {
      await write(Array.from({ length: 700 }, (_, index) => decided(index)));
      for (const second of [-5, 0, 1, 14, 15, 16, 17, 350, 698, 699, 700, 9_999])
        assert.equal(
          await firstSeqFrom(db, tenant, 'main', startMs + second * 1000),
          Math.min(Math.max(second, 0), 700) + 1,
          String(second),
        );
      assert.equal(await firstSeqFrom(db, 'nobody', 'main', startMs), 1);
    });

    it('gives every record once over pages, while others are appended', async () => {
      await write(Array.from({ length: 30 }, (_, index) => decided(index)));
      const first = await searchAudit(db, { tenant, limit: 12 });
      await write([decided(31)], new Map());
      const second = await searchAudit(db, { tenant, limit: 12, cursor: first.next! });
      const third = await searchAudit(db, { tenant, limit: 12, cursor: second.next! });
      const seen = [...first.records, ...second.records, ...third.records].map(({ seq }) => seq);
      assert.deepEqual(
        seen,
        Array.from({ length: 30 }, (_, index) => 30 - index),
      );
      assert.equal(third.next, null);
    });

    it('looks only at segments that have what is looked for, and finds the same', async () => {
      const count = segmentRecords * 3 + 100;
      const rare = new Set([7, segmentRecords + 5, segmentRecords * 2 + 9]);
      await write(
        Array.from({ length: count }, (_, index) => (rare.has(index + 1) ? withReasons(index, 'a/b', 'rare/rule') : decided(index))),
      );
      const terms = await db.query<{ segment: number }>("SELECT segment FROM audit_term WHERE value = 'rare/rule' ORDER BY segment");
      assert.deepEqual(
        terms.map(({ segment }) => segment),
        [0, 1, 2],
      );
      assert.deepEqual(await seqs({ rule: 'rare/rule', limit: 2 }), [...rare].reverse());
      assert.deepEqual(await seqs({ rule: 'rare/rule', tool: 'write_file', budgetMs: 0 }), []);
    });

    it('finds records from before terms were kept', async () => {
      await write([withReasons(1, 'old/rule'), decided(2)]);
      await db.query('DELETE FROM audit_term');
      await db.query("INSERT INTO audit_term (tenant, log, field, value, segment) VALUES ('default', 'main', '', '', 1)");
      assert.deepEqual(await seqs({ rule: 'old/rule' }), [1]);
    });

    it('finds a name among more names than a segment keeps', async () => {
      const named = (index: number): AuditRecord => {
        const record = decided(index);
        return { ...record, what: { ...record.what!, name: `file:///${index}` } };
      };
      await write(Array.from({ length: 600 }, (_, index) => named(index)));
      const [row] = await db.query<{ n: number }>("SELECT count(*) AS n FROM audit_term WHERE field = 'name'");
      assert.ok(row!.n <= 201, `${row!.n} terms`);
      assert.deepEqual(await seqs({ tool: 'file:///555' }), [556]);
    });

    it('forgets a name when the records that had it are gone', async () => {
      const named = (index: number): AuditRecord => {
        const record = decided(index);
        return { ...record, what: { ...record.what!, name: index < 100 ? 'secret-name' : 'other' } };
      };
      await write(Array.from({ length: segmentRecords + 50 }, (_, index) => named(index)));
      await fresh.raw(
        ...(engine.name === 'sqlite'
          ? ['DROP TRIGGER IF EXISTS audit_record_no_update']
          : ['ALTER TABLE audit_record DISABLE TRIGGER ALL']),
        "UPDATE audit_record SET record = '' WHERE seq <= 100",
      );
      await forgetTerms(db, tenant, 'main', 1, 100);
      const values = await db.query<{ value: string }>("SELECT DISTINCT value FROM audit_term WHERE field = 'name'");
      assert.deepEqual(values, [{ value: 'other' }]);
      assert.equal((await seqs({ tool: 'other', limit: 1_000 })).length, segmentRecords - 50);
      assert.equal((await seqs({ rule: 'files/root', limit: 1_000 })).length, Math.ceil((segmentRecords + 50) / 5) - 20);
    });

    it('refuses a cursor of its own making', async () => {
      await assert.rejects(searchAudit(db, { tenant, cursor: '1; DROP' }), { code: 'request.invalid' });
    });
  });
}
