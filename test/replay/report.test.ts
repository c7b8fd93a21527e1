import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { replayCommand } from '../../src/cli/replay.ts';
import { Grouping, type Difference } from '../../src/replay/groups.ts';
import { replayHtml } from '../../src/replay/report-html.ts';
import { commentMark, replayMarkdown } from '../../src/replay/report-markdown.ts';
import { replayText } from '../../src/replay/report-text.ts';
import type { ReplayReport } from '../../src/replay/report.ts';
import { kinds, type Kind, type Verdict } from '../../src/replay/verdict.ts';
import { visible } from '../../src/cli/output.ts';
import { root } from './releases.ts';

const allow: Verdict = { effect: 'allow', rules: ['access/tool_grant'], redactions: [], limits: [], labels: [] };
const deny: Verdict = { ...allow, effect: 'deny', rules: ['new/rule'] };

function difference(changes: Partial<Difference> = {}): Difference {
  return {
    kind: 'newly_denied',
    entry: 'gateway/call',
    was: allow,
    now: deny,
    call: 'call_1',
    seq: 1,
    at: '2026-11-20T10:00:00.000Z',
    tool: 'memory/read',
    role: 'engineering',
    identity: 'alice',
    words: '',
    ...changes,
  };
}

function reportOf(differences: readonly Difference[]): ReplayReport {
  const grouping = new Grouping();
  for (const one of differences) grouping.add(one);
  const times = { p50_us: 30, p99_us: 90 };
  return {
    mode: 'recorded',
    candidate: { name: '<main>', digest: 'sha256:0123456789abcdef' },
    base: null,
    since: null,
    until: null,
    first_at: '2026-11-19T10:00:00.000Z',
    last_at: '2026-11-20T10:00:00.000Z',
    decisions: 1_000,
    replayed: 990,
    not_replayable: { masked: 4, erased: 3, expired: 2, too_large: 1, not_kept: 0 },
    gateway_decided: 0,
    no_entrypoint: 0,
    unknowable: 0,
    moot: 0,
    same: 990 - differences.length,
    changed: differences.length,
    kinds: Object.fromEntries(kinds.map((kind) => [kind, grouping.kinds[kind] ?? 0])) as Record<Kind, number>,
    unserved_rules: [],
    groups: grouping.groups(),
    ungrouped: grouping.ungrouped,
    by: { rule: grouping.shares('rule'), tool: grouping.shares('tool'), role: grouping.shares('role') },
    days: [
      { day: '2026-11-19', decisions: 500, kinds: {} },
      { day: '2026-11-20', decisions: 500, kinds: grouping.kinds },
    ],
    latency: {
      candidate: times,
      compared: { candidate: times, base: { p50_us: 20, p99_us: 60 }, inputs: 100 },
      recorded: times,
      histogram: [
        { from_us: 16, candidate: 10, base: 50 },
        { from_us: 32, candidate: 90, base: 50 },
      ],
    },
    evaluated: 900,
    workers: 2,
    took_ms: 40,
    per_s: 24_750,
  };
}

const hostile = fc.oneof(
  fc.constantFrom(
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='x",
    '](javascript:alert(1))',
    '@everyone #1 `x` | y',
    'a\n\n# b',
    '\u001b[31mred',
    '\u202eabc',
    '-->',
    '<!-- castellan-replay -->',
  ),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
);
const anything = fc
  .record({ tool: hostile, role: hostile, identity: hostile, call: hostile, words: hostile })
  .map((fields) => difference(fields));

describe('the page', () => {
  test('shows whatever was recorded as text: no element, attribute or script comes from it', () => {
    const plain = replayHtml(reportOf([difference()]), []);
    const skeleton = (html: string): string[] =>
      Array.from(html.matchAll(/<[^>]*>/g), ([tag]) => tag.replace(/ (x|y|width|height|viewBox)="[^"]*"/g, ''));
    const expected = skeleton(plain);
    fc.assert(
      fc.property(anything, (one) => {
        assert.deepEqual(skeleton(replayHtml(reportOf([one]), [])), expected);
      }),
      { numRuns: 60 },
    );
  });

  test('needs nothing from elsewhere and runs nothing', () => {
    const html = replayHtml(reportOf([difference(), difference({ kind: 'newly_allowed', was: deny, now: allow })]), [
      'newly denied: 1, and at most 0 may be',
    ]);
    assert.match(html, /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/);
    assert.equal(/<script|\bon\w+=|\bsrc=|\bhref=|url\(|@import|style="/i.test(html), false);
    for (const words of ['newly denied', 'Over the bounds', '<svg', '&#60;main&#62;', '10 not replayable', 'memory/read'])
      assert.ok(html.includes(words), words);
  });
});

describe('the comment', () => {
  test('is a table whose cells hold what was recorded, and nothing else', () => {
    fc.assert(
      fc.property(anything, (one) => {
        const lines = replayMarkdown(reportOf([one]), []).split('\n');
        const row = lines.find((line) => line.startsWith('| 1 |')) ?? '';
        assert.equal(row.split('|').length, 9);
        assert.equal(/[<>@`[\]*_~\\]|#(?!\d+;)|:\/\//.test(row.replace(/&(#\d+|amp|lt|gt);/g, '')), false, row);
        assert.equal(lines.filter((line) => line === commentMark).length, 1);
      }),
    );
  });

  test('says what is over the bounds and what was left out', () => {
    const text = replayMarkdown(reportOf([difference()]), ['newly denied: 1, and at most 0 may be']);
    assert.match(text, /\*\*Over the bounds:\*\*\n\n- newly denied: 1/);
    assert.match(text, /10 not replayable: their input is 4 masked, 3 erased, 2 expired, 1 too large to keep/);
  });
});

describe('the text', () => {
  const table = (headings: readonly string[], rows: readonly (readonly string[])[]): string =>
    [headings, ...rows].map((row) => row.join(' ')).join('\n');

  test('cannot steer a terminal', () => {
    fc.assert(
      fc.property(anything, (one) => {
        const text = replayText(reportOf([one]), table, visible);
        assert.equal(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/.test(text), false);
      }),
    );
  });

  test('says so when nothing differs', () => {
    assert.match(replayText(reportOf([]), table, visible), /^no difference in 990 replayed decisions, as recorded\n/);
  });
});

test('the workflows find the comment again by its mark, and give bounds that there are', async () => {
  for (const path of ['.github/workflows/policy.yml', 'src/workshop/starter/workflow.yml']) {
    const workflow = await readFile(join(root, path), 'utf8');
    assert.ok(workflow.includes(`startswith("${commentMark}")`), path);
    const flags = Array.from(workflow.matchAll(/ (--[a-z-]+) (?:"?[$/0-9])/g), ([, flag]) => flag);
    const known = new Set(replayCommand({} as never).options.map(({ long }) => long));
    for (const flag of flags.filter(
      (one) => one?.startsWith('--max-') || ['--markdown', '--html', '--from', '--against'].includes(one ?? ''),
    ))
      assert.ok(known.has(flag), `${path}: ${flag ?? ''}`);
    assert.ok(flags.includes('--max-newly-denied'), path);
  }
});

describe('groups', () => {
  test('hold the count, the identities and the latest example of each', () => {
    const [group, ...others] = reportOf([
      difference({ identity: 'alice', seq: 1, call: 'call_1' }),
      difference({ identity: 'bob', seq: 3, call: 'call_3' }),
      difference({ identity: 'bob', seq: 2, call: 'call_2' }),
    ]).groups;
    assert.deepEqual(others, []);
    assert.equal(group?.count, 3);
    assert.deepEqual(group.identities, {
      count: 2,
      top: [
        { identity: 'bob', count: 2 },
        { identity: 'alice', count: 1 },
      ],
    });
    assert.equal(group.example.call, 'call_3');
  });

  test('tell rules, tools, roles and kinds apart', () => {
    const { groups } = reportOf([
      difference(),
      difference({ tool: 'memory/write' }),
      difference({ role: 'support' }),
      difference({ now: { ...deny, rules: ['other/rule'] } }),
      difference({ kind: 'newly_allowed', was: deny, now: allow }),
    ]);
    assert.equal(groups.length, 5);
  });
});
