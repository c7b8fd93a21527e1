import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chainHash, genesis } from '../../src/audit/chain.ts';
import { indexText } from '../../src/audit/columns.ts';
import { parseHead } from '../../src/audit/verify.ts';

const texts = fc.array(fc.json(), { minLength: 2, maxLength: 12 });

function chain(records: readonly string[]): string {
  let head = genesis('t', 'main');
  for (const text of records) head = { seq: head.seq + 1, hash: chainHash(head.hash, head.seq + 1, text) };
  return head.hash;
}

describe('hash chain', () => {
  it('is the same for the same records and no other', () => {
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        assert.equal(chain(a) === chain(b), JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });

  it('changes with every edit, deletion, insertion and exchange', () => {
    fc.assert(
      fc.property(texts, fc.nat(), fc.json(), (records, at, other) => {
        const place = at % records.length;
        const swapped = records.with(place, records.at(place - 1)!).with(place - 1, records[place]!);
        for (const changed of [records.with(place, other), records.toSpliced(place, 1), records.toSpliced(place, 0, other), swapped])
          assert.equal(chain(changed) === chain(records), JSON.stringify(changed) === JSON.stringify(records));
      }),
    );
  });

  it('starts elsewhere for each tenant and log', () => {
    const starts = [genesis('a', 'main'), genesis('b', 'main'), genesis('a', 'other'), genesis('a","main', '')];
    assert.equal(new Set(starts.map((start) => start.hash)).size, starts.length);
  });

  it('files any text under one that every database stores, and different texts apart', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), fc.string({ unit: 'binary', maxLength: 400 }), (a, b) => {
        const filed = indexText(a)!;
        assert.ok(filed.length <= 200 && filed.isWellFormed() && !filed.includes('\0'));
        if (a !== b) assert.notEqual(filed, indexText(b));
      }),
    );
    assert.equal(indexText('\ud800')!.isWellFormed(), true);
    assert.notEqual(indexText('\ud800'), indexText('\ud801'));
  });

  it('reads a head as people note it', () => {
    const hash = 'a'.repeat(64);
    assert.deepEqual(parseHead(`7:${hash}`), { seq: 7, hash });
    assert.deepEqual(parseHead(`7:sha256:${hash}`), { seq: 7, hash });
    for (const text of ['', '7', `7:${hash}0`, `-1:${hash}`, `7:${hash.toUpperCase()}`])
      assert.throws(() => parseHead(text), { code: 'request.invalid' });
  });
});
