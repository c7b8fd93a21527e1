import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { replayBuiltins } from '../../src/app/candidate.ts';
import type { PolicyEngine } from '../../src/model/ports.ts';
import type { RecordedDecision } from '../../src/model/recorded.ts';
import { replay, type ReplayRelease } from '../../src/replay/replay.ts';
import { exportForReplay, type ExportReport } from '../../src/replay/tokens/export.ts';
import { Tokeniser } from '../../src/replay/tokens/tokeniser.ts';
import {
  dataLiterals,
  literalsOf,
  unservedRules,
  vocabularyOf,
  type FileLiterals,
  type Vocabulary,
} from '../../src/replay/tokens/vocabulary.ts';
import { Releases, shippedFiles, type Files } from './releases.ts';
import { inMemory, person, Recorder, tool } from './traffic.ts';

const key = Buffer.alloc(32, 7);

function known(literals: readonly (string | number)[]): Vocabulary {
  return vocabularyOf([{ package: 'rules/a/b', deciding: literals, all: literals }], []);
}

describe('tokens', () => {
  const tokens = new Tokeniser(known(['/srv/data', 'select', '%2e', 100, 0.5, 1000]), key);

  test('the same value is the same token, and another under another key', () => {
    assert.equal(tokens.text('bob@example.org'), tokens.text('bob@example.org'));
    assert.notEqual(tokens.text('bob@example.org'), 'bob@example.org');
    assert.notEqual(new Tokeniser(known([]), Buffer.alloc(32, 8)).text('bob@example.org'), tokens.text('bob@example.org'));
  });

  test('what the policy knows stays, also within another value', () => {
    assert.equal(tokens.text('/srv/data'), '/srv/data');
    assert.match(tokens.text('/srv/data/secret.txt'), /^\/srv\/data\/[a-z]{6}\.[a-z]{3}$/);
    assert.match(tokens.text('SELECT name FROM people'), /^SELECT [a-z]{4} [A-Z]{4} [a-z]{6}$/);
    assert.equal(tokens.number(100), 100);
  });

  test('shape stays: separators, letters, digits, case, length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 16 }), (text) => {
        const shape = (value: string): string => value.replace(/[a-z]/g, 'a').replace(/[A-Z]/g, 'A').replace(/\d/g, '0');
        assert.equal(shape(tokens.text(text)), shape(text));
      }),
    );
  });

  test('numbers keep their order to every number that the policy knows, and their sign', () => {
    const numbers = [0.5, 100, 1000];
    fc.assert(
      fc.property(
        fc.oneof(fc.integer(), fc.integer({ min: 0, max: 1_200 }), fc.double({ noNaN: true, noDefaultInfinity: true })),
        (value) => {
          const token = tokens.number(value);
          for (const one of numbers) assert.equal(Math.sign(token - one), Math.sign(value - one), `${value} became ${token}`);
          if (Number.isInteger(value)) assert.ok(Number.isInteger(token) || !Number.isSafeInteger(value));
        },
      ),
    );
  });

  test('no word of a value is left that the policy does not know', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{8,12}$/), fc.stringMatching(/^[0-9]{9,16}$/), (word, digits) => {
        const token = JSON.stringify(tokens.value({ [word]: [`${word} ${digits}`, { deep: word }] }));
        assert.equal(token.includes(word) || token.includes(digits), false);
      }),
    );
  });
});

describe('an export for replay', () => {
  const releases = new Releases();
  let files: Files;
  let shipped: ReplayRelease;
  let engine: PolicyEngine;
  let recorder: Recorder;
  let parsed: readonly FileLiterals[];
  let report: ExportReport;
  let text: string;
  let exported: RecordedDecision[];

  before(async () => {
    files = await shippedFiles();
    shipped = await releases.of(files, 'shipped');
    engine = await releases.engine(shipped);
    parsed = await literalsOf(releases.opa, files);
    recorder = new Recorder(engine);
    const alice = person('alice.secretname', ['engineering']);
    const dora = person('dora', ['hidden-project-group']);
    for (let turn = 0; turn < 15; turn++) {
      await recorder.call(alice, tool('files', 'read_file', { labels: ['read'] }), {
        path: `reports/acquisition-${turn}.txt`,
        max: 4000 + turn,
      });
      await recorder.call(alice, tool('files', 'read_file', { labels: ['read'] }), { path: `../reports/acquisition-${turn}.txt` });
      await recorder.call(alice, tool('everything', 'fetch', { labels: ['egress'] }), {
        url: 'https://intranet.corp/salaries',
        token: 'AKIAIOSFODNN7EXAMPLE',
      });
      await recorder.call(alice, tool('everything', 'trigger-long-running-operation', { labels: ['read'] }), { turn });
      await recorder.call(dora, tool('memory', 'read_graph', {}), { name: 'Jonathan Quimby' });
    }
    await recorder.call(alice, tool('files', 'read_file', { labels: ['private', 'read'] }), { path: 'private/x' });
    await recorder.call(alice, tool('everything', 'fetch', { labels: ['egress'] }), { url: 'https://intranet.corp/after' });
    const lines: string[] = [];
    report = await exportForReplay({
      recorded: inMemory(recorder.recorded),
      filter: { tenant: 'default' },
      vocabulary: vocabularyOf(parsed, [JSON.parse(shipped.dataJson)]),
      key,
      ask: (entry, json) => engine.evaluate(entry as 'gateway/call', json, 5_000),
      head: { made_at: '2026-11-21T00:00:00.000Z', release: 'sha256:x', history_window_ms: recorder.windowMs },
      write: (line) => Promise.resolve(void lines.push(line)),
    });
    text = lines.join('\n');
    exported = lines.slice(1).map((line) => JSON.parse(line) as RecordedDecision);
  });
  after(async () => {
    await engine.close();
    await releases.close();
  });

  test('holds no value of an argument, a result or an identity', () => {
    for (const secret of [
      'secretname',
      'acquisition',
      'AKIAIOSF',
      'IOSFODNN',
      'salaries',
      'intranet',
      'Jonathan',
      'Quimby',
      'hidden-project',
    ])
      assert.equal(text.toLowerCase().includes(secret.toLowerCase()), false, secret);
  });

  test('serves every rule that spoke, and the release in force gives no difference on it', async () => {
    assert.deepEqual(report.unserved_rules, []);
    assert.equal(report.served, recorder.recorded.length);
    const rules = new Set(recorder.recorded.flatMap(({ record }) => record.decision?.reasons.map(({ rule }) => rule) ?? []));
    for (const rule of ['arguments/path', 'flow/private_then_egress', 'limits/counted', 'access/tool_grant'])
      assert.ok(rules.has(rule), rule);
    const again = await replay({
      recorded: inMemory(exported),
      filter: { tenant: '' },
      candidate: shipped,
      builtins: replayBuiltins(),
      workers: 1,
    });
    assert.deepEqual(again.groups, []);
    assert.equal(again.replayed, exported.length);
  });

  test('gives the same differences under a candidate as what was recorded', async () => {
    const stricter = await releases.of(
      await shippedFiles({}, (data) => ({ ...data, grants: { engineering: { files: { tools: { read_file: true } } } } })),
    );
    const on = (recorded: readonly RecordedDecision[]): ReturnType<typeof replay> =>
      replay({ recorded: inMemory(recorded), filter: { tenant: '' }, candidate: stricter, builtins: replayBuiltins(), workers: 1 });
    const [original, tokenised] = [await on(recorder.recorded), await on(exported)];
    assert.ok(original.changed > 0);
    assert.deepEqual(tokenised.kinds, original.kinds);
    assert.deepEqual(tokenised.by.tool, original.by.tool);
    assert.deepEqual(tokenised.by.rule, original.by.rule);
  });

  test('a rule that tokens cannot serve is named, and its inputs are left out', async () => {
    const over = {
      'rules/odd/sum.rego':
        'package rules.odd.sum\n\ndeny contains "odd" if {\n\tinput.phase == "call"\n\tcrypto.sha256(input.arguments.path) < "8"\n}\n',
    };
    const odd = await releases.of(await shippedFiles(over), 'odd');
    const oddEngine = await releases.engine(odd);
    try {
      const lines: string[] = [];
      const found = await exportForReplay({
        recorded: inMemory(recorder.recorded),
        filter: { tenant: 'default' },
        vocabulary: vocabularyOf(await literalsOf(releases.opa, { ...files, ...over }), [JSON.parse(odd.dataJson)]),
        key,
        ask: (entry, json) => oddEngine.evaluate(entry as 'gateway/call', json, 5_000),
        head: { made_at: '', release: '', history_window_ms: 0 },
        write: (line) => Promise.resolve(void lines.push(line)),
      });
      assert.ok(found.unserved > 0);
      assert.ok(found.unserved_rules.some(({ rule }) => rule === 'odd/sum'));
      const without = lines.slice(1).filter((line) => (JSON.parse(line) as RecordedDecision).input.state === 'absent');
      assert.equal(without.length, found.unserved);
    } finally {
      await oddEngine.close();
    }
  });

  test('rules of a candidate that decide by unknown literals are told', async () => {
    const kept = vocabularyOf(parsed, [JSON.parse(shipped.dataJson)]);
    const candidate = await literalsOf(releases.opa, {
      'rules/new/zebra.rego':
        'package rules.new.zebra\n\ndeny contains "anything may be said here" if contains(input.arguments.path, "zebra")\n',
      'rules/new/plain.rego': 'package rules.new.plain\n\ndeny contains "words of all kinds" if input.arguments.path == "private"\n',
    });
    assert.deepEqual(unservedRules([...candidate, dataLiterals({ servers: {} })], kept), ['new/zebra']);
  });
});
