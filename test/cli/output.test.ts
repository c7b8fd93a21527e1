import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { Output, visible } from '../../src/cli/output.ts';

interface Written extends EventEmitter {
  isTTY: boolean;
  columns: number;
  text: string;
  write(chunk: string): boolean;
}

function written(isTTY: boolean, columns = 80): Written {
  const stream = Object.assign(new EventEmitter(), { isTTY, columns, text: '', write: (chunk: string) => ((stream.text += chunk), true) });
  return stream;
}

for (const [title, isTTY, env, colors] of [
  ['on a terminal', true, {}, true],
  ['on a pipe', false, {}, false],
  ['with NO_COLOR', true, { NO_COLOR: '1' }, false],
  ['with an empty NO_COLOR, which counts as unset', true, { NO_COLOR: '' }, true],
  ['on a terminal that is dumb', true, { TERM: 'dumb' }, false],
] as const) {
  test(`colours ${title}: ${colors ? 'yes' : 'no'}`, () => {
    const output = new Output(written(isTTY) as never, written(isTTY) as never, env);
    assert.equal(output.paint('green', 'allow'), colors ? '\u001b[32mallow\u001b[0m' : 'allow');
    assert.equal(output.colors, colors);
  });
}

test('a table has aligned columns, and no line is longer than the terminal', () => {
  const rows = [
    ['a', 'short'],
    ['abcdef', 'something longer than there is room for'],
  ];
  const wide = new Output(written(false) as never, written(false) as never, {});
  assert.equal(wide.table(['id', 'why'], rows), 'id      why\na       short\nabcdef  something longer than there is room for');
  const narrow = new Output(written(true, 20) as never, written(true, 20) as never, { NO_COLOR: '1' });
  assert.equal(narrow.table(['id', 'why'], rows), 'id      why\na       short\nabcdef  something l…');
});

test('a table is not cut inside a character', () => {
  const output = new Output(written(true, 6) as never, written(true, 6) as never, { NO_COLOR: '1' });
  assert.ok(output.table(['a'], [['1234😀78']]).isWellFormed());
});

test('text of others cannot steer the terminal', () => {
  for (const [text, shown] of [
    ['\u001b[2Jgone', '\\u001b[2Jgone'],
    ['two\nlines\r\ttab', 'two\\u000alines\\u000d\\u0009tab'],
    ['abc\u202etxt.exe', 'abc\\u202etxt.exe'],
    ['zero\u200bwidth \u2066isolate', 'zero\\u200bwidth \\u2066isolate'],
    ['line\u2028separator', 'line\\u2028separator'],
    ['half \ud800 pair', 'half \\ud800 pair'],
    ['tag \u{e0041}', 'tag \\u{e0041}'],
    ['\u009b31mcsi', '\\u009b31mcsi'],
    ['ordinary: äöü, 日本語, 😀', 'ordinary: äöü, 日本語, 😀'],
  ] as const)
    assert.equal(visible(text), shown);
});

test('a fault is escaped too, and keeps its lines', () => {
  const err = written(false);
  new Output(written(false) as never, err as never, {}).error('policy.invalid', 'one\n\u001b[31mtwo');
  assert.equal(err.text, 'error: one\n\\u001b[31mtwo (policy.invalid)\n');
});

test('with JSON wanted, lines on the way are left out and the answer is one value', () => {
  const out = written(false);
  const output = new Output(out as never, written(false) as never, {});
  output.useJson(true);
  output.line('working');
  output.answer({ ok: true }, () => 'good');
  assert.equal(out.text, '{"ok":true}\n');
});

test('a reader that went away is noticed, not thrown', () => {
  const out = written(false);
  const output = new Output(out as never, written(false) as never, {});
  out.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  assert.equal(output.closed, true);
});
