import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { genesis } from '../../src/audit/chain.ts';
import { checkpointLine, endLine, headerLine, openingLine, readExportLine, recordLine } from '../../src/audit/export-format.ts';
import { verifyExport, type ExportVerification } from '../../src/audit/verify-export.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import { forgedLog, inputOf, newSigner, rewritten, salt, signer, tenant, total, verifiers, withInput } from './forged-log.ts';

describe('tampering with an export', () => {
  const records = Array.from({ length: total }, (_, at) => withInput(at));
  const whole = (list: readonly AuditRecord[] = records, by = signer): string[] => {
    const { texts, hashes, notes } = forgedLog(list, by, [300, list.length]);
    const header = { tenant, log: 'main', first: 1, previous: genesis(tenant, 'main').hash, nodes: [], selection: false, origin: by.name };
    const lines = [headerLine(header)];
    for (const [at, text] of texts.entries()) {
      lines.push(recordLine({ seq: at + 1, hash: hashes[at]!, text }));
      lines.push(openingLine({ seq: at + 1, entry: 'gateway/call', salt, json: inputOf(at) }));
      if (at === 299) lines.push(checkpointLine(notes[0]!));
    }
    return [...lines, checkpointLine(notes.at(-1)!), endLine(texts.length)].map((line) => line.slice(0, -1));
  };
  const outside = forgedLog(records, signer, [total]).notes;
  const lineOf = (lines: readonly string[], seq: number): number => lines.findIndex((line) => line.startsWith(`{"seq":${seq},`));
  const without = (lines: readonly string[], from: number, count: number): string[] => lines.toSpliced(from, count);
  const recordAt = (lines: readonly string[], seq: number): string => lines[lineOf(lines, seq)]!;

  const tampered: {
    readonly name: string;
    readonly lines: () => string[];
    readonly at: number;
    readonly kind: string;
    readonly outside?: true;
  }[] = [
    {
      name: 'an edited record',
      lines: () => whole().map((line) => (line.startsWith('{"seq":400,') ? line.replace('192.0.2.1', '192.0.2.9') : line)),
      at: 400,
      kind: 'edited',
    },
    { name: 'a deleted record', lines: () => without(whole(), lineOf(whole(), 400), 2), at: 400, kind: 'deleted' },
    {
      name: 'an inserted record',
      lines: () => whole().toSpliced(lineOf(whole(), 401), 0, recordAt(whole(), 400).replace('call_399', 'call_9999')),
      at: 400,
      kind: 'reordered',
    },
    {
      name: 'a record that stands twice',
      lines: () => whole().toSpliced(lineOf(whole(), 401), 0, recordAt(whole(), 400)),
      at: 400,
      kind: 'duplicated',
    },
    {
      name: 'two records that changed places under each other’s numbers',
      lines: () => {
        const lines = whole();
        const [one, two] = [lineOf(lines, 400), lineOf(lines, 401)];
        const [a, b] = [lines[one]!, lines[two]!];
        const textOf = (line: string): string => line.slice(line.indexOf('"record":'));
        return lines.with(one, a.slice(0, a.indexOf('"record":')) + textOf(b)).with(two, b.slice(0, b.indexOf('"record":')) + textOf(a));
      },
      at: 400,
      kind: 'edited',
    },
    { name: 'a cut tail', lines: () => without(whole(), lineOf(whole(), 601), 300), at: 601, kind: 'tail_cut' },
    {
      name: 'a tail that was cut cleanly, against a checkpoint kept elsewhere',
      lines: () => whole(records.slice(0, 600)),
      at: 601,
      kind: 'tail_cut',
      outside: true,
    },
    {
      name: 'a fork that was signed with the stolen key, against a checkpoint kept elsewhere',
      lines: () => whole(rewritten),
      at: 301,
      kind: 'forked',
      outside: true,
    },
    {
      name: 'a rewritten log with the checkpoints of the true one',
      lines: () => [...whole(rewritten).slice(0, -2), ...whole().slice(-2)],
      at: 301,
      kind: 'forked',
    },
    {
      name: 'a swapped input',
      lines: () => whole().map((line) => (line.includes('"opening":{"seq":400,') ? line.replace('{\\"n\\":399}', '{\\"n\\":398}') : line)),
      at: 400,
      kind: 'input_swapped',
    },
    {
      name: 'an edited checkpoint',
      lines: () => whole().map((line) => line.replace('\\n300\\n', '\\n301\\n')),
      at: 300,
      kind: 'checkpoint_changed',
    },
    { name: 'a replaced key', lines: () => whole(records, newSigner()), at: 300, kind: 'key_replaced' },
    {
      name: 'a line that was cut',
      lines: () => whole().map((line) => (line.startsWith('{"seq":400,') ? line.slice(0, 300) : line)),
      at: 400,
      kind: 'file_damaged',
    },
    {
      name: 'a changed hash',
      lines: () =>
        whole().map((line) => (line.startsWith('{"seq":400,') ? line.replace(/"hash":"[0-9a-f]/, '"hash":"x').replace('"x', '"0') : line)),
      at: 400,
      kind: 'edited',
    },
    {
      name: 'no checkpoint at all',
      lines: () => whole().filter((line) => !line.startsWith('{"checkpoint"')),
      at: 700,
      kind: 'checkpoint_changed',
    },
    { name: 'a missing last line', lines: () => whole().slice(0, -1), at: 701, kind: 'tail_cut' },
  ];

  it('is not claimed of one that is whole', async () => {
    assert.partialDeepStrictEqual(await verifyExport(whole(), { verifiers, notes: outside }), {
      ok: true,
      records: total,
      checkpoints: 2,
      inputs: total,
      unsigned: 0,
    });
  });

  for (const { name, lines, at, kind, outside: against } of tampered)
    it(`is found: ${name}`, async () => {
      const found: ExportVerification = await verifyExport(lines(), { verifiers, ...(against === true ? { notes: outside } : {}) });
      assert.ok(!found.ok, 'the export still verifies');
      assert.deepEqual([found.at, found.kind], [at, kind], JSON.stringify(found));
      assert.ok(found.line > 0 && found.problem.length > 10 && found.advice.length > 10);
    });

  it('reads each line as it was written, and nothing else as a record', () => {
    const line = recordLine({ seq: 7, hash: 'a'.repeat(64), proof: ['b'.repeat(64), 'c'.repeat(64)], text: '{"a":"}","record":1}' });
    assert.partialDeepStrictEqual(readExportLine(line.trimEnd()), {
      kind: 'record',
      seq: 7,
      proof: ['b'.repeat(64), 'c'.repeat(64)],
      text: '{"a":"}","record":1}',
    });
    for (const bad of [
      '',
      '{}',
      '{"seq":7}',
      '{"seq":7,"hash":"x","record":{}}',
      `{"seq":07,"hash":"${'a'.repeat(64)}","record":{}}`,
      '[1]',
      'null',
    ])
      assert.equal(readExportLine(bad), undefined, bad);
  });
});
