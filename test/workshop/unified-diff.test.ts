import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unifiedDiff } from '../../src/workshop/unified-diff.ts';

/** What `patch` does with a diff. @throws AssertionError where its context is not the text */
function apply(before: string, diff: string): string {
  if (diff === '') return before;
  const source = before.split(/(?<=\n)/).filter((line) => line !== '');
  const out: string[] = [];
  let at = 0;
  for (const hunk of diff.split(/^(?=@@ )/m).slice(1)) {
    const [head = '', ...lines] = hunk.replaceAll('\n\\ No newline at end of file\n', '\u0000').split(/(?<=[\n\u0000])/);
    const [, from = '', removed = '', added = ''] = /^@@ -(\d+),(\d+) \+\d+,(\d+) @@\n$/.exec(head) ?? assert.fail(head);
    const start = Number(from) - 1;
    while (at < start) out.push(source[at++] ?? '');
    const counts = { ' ': 0, '-': 0, '+': 0 };
    for (const line of lines) {
      const text = line.slice(1).replace('\u0000', '');
      counts[line[0] as ' ']++;
      if (line[0] === '+') out.push(text);
      else {
        assert.equal(source[at++], text);
        if (line[0] === ' ') out.push(text);
      }
    }
    assert.deepEqual([counts[' '] + counts['-'], counts[' '] + counts['+']], [Number(removed), Number(added)]);
  }
  return [...out, ...source.slice(at)].join('');
}

const texts = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 30 }), fc.boolean())
  .map(([lines, ends]) => lines.map((line) => `${line}\n`).join('') + (ends ? '' : 'x'));

test('a diff, applied to the text before, gives the text after', () => {
  fc.assert(fc.property(texts, texts, (before, after) => assert.equal(apply(before, unifiedDiff('f', before, after)), after)));
});

test('equal texts have no diff, and one changed line has three lines around it', () => {
  assert.equal(unifiedDiff('f', 'a\nb\n', 'a\nb\n'), '');
  const before = 'one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n';
  assert.equal(
    unifiedDiff('f', before, before.replace('five', 'FIVE')),
    '--- f\n+++ f\n@@ -2,7 +2,7 @@\n two\n three\n four\n-five\n+FIVE\n six\n seven\n eight\n',
  );
});
