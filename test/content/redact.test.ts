import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Redaction } from '../../src/model/decision.ts';
import { rawNumber, type Json, type JsonObject } from '../../src/model/json.ts';
import { createRedactor } from '../../src/content/redact.ts';
import { readable } from './readable.ts';
import { apply, at, by, detectors, redactor, rule } from './redactions.ts';
import { draw, specimens, textOf } from './specimens.ts';

describe('a pointer', () => {
  const result = {
    result: { content: [{ type: 'text', text: 'ok' }], structuredContent: { name: 'Anna', ssn: '219-09-9999', age: 42, salary: 91234.5 } },
  };

  it('masks, hashes, drops or replaces the value', () => {
    const pointer = '/result/structuredContent/ssn';
    const rows: readonly [Redaction, Json | undefined][] = [
      [at(pointer), '[redacted]'],
      [at(pointer, 'hash'), 'sha256:23a48f2eb9b1c0d0'],
      [at(pointer, 'drop'), undefined],
      [at(pointer, 'replace', 'on file'), 'on file'],
    ];
    for (const [redaction, expected] of rows) {
      const { document, changed, pointers } = redactor.redact(result, [redaction]);
      const shown = (document['result'] as typeof result.result).structuredContent.ssn as string | undefined;
      if (redaction.as === 'hash') assert.match(shown ?? '', /^sha256:[0-9a-f]{16}$/);
      else assert.equal(shown, expected);
      assert.deepEqual({ changed, pointers }, { changed: 1, pointers: [pointer] });
    }
    assert.equal(result.result.structuredContent.ssn, '219-09-9999');
  });

  it('hashes equal values alike under one key, and in another way under another', () => {
    const one = apply({ arguments: { a: 'secret value', b: 'secret value' } }, at('/arguments/*', 'hash'))['arguments'] as Record<
      string,
      string
    >;
    assert.equal(one['a'], one['b']);
    const other = createRedactor({ detectors }).redact({ arguments: { a: 'secret value' } }, [at('/arguments/a', 'hash')]).document;
    assert.notDeepEqual((other['arguments'] as JsonObject)['a'], one['a']);
  });

  it('masks numbers, plain and exact, wherever they are', () => {
    const document = {
      result: {
        structuredContent: { salary: 91234.5, id: rawNumber('12345678901234567890') },
        content: [{ type: 'text', text: 'earns 91234.5 under 12345678901234567890' }],
      },
    };
    assert.deepEqual(apply(document, at('/result/structuredContent/*')), {
      result: {
        structuredContent: { salary: '[redacted]', id: '[redacted]' },
        content: [{ type: 'text', text: 'earns [redacted] under [redacted]' }],
      },
    });
  });

  it('reaches the copy of structuredContent in a text, short values too, and keeps its layout', () => {
    const structuredContent = {
      people: [
        { name: 'Anna', age: 42, ok: true },
        { name: 'Bo', age: 7, ok: false },
      ],
    };
    for (const indent of [undefined, 2, '\t'] as const) {
      const text = JSON.stringify(structuredContent, undefined, indent);
      const redacted = apply(
        { result: { content: [{ type: 'text', text }], structuredContent } },
        at('/result/structuredContent/people/*/age', 'drop'),
      );
      const expected = {
        people: [
          { name: 'Anna', ok: true },
          { name: 'Bo', ok: false },
        ],
      };
      assert.deepEqual(redacted, {
        result: { content: [{ type: 'text', text: JSON.stringify(expected, undefined, indent) }], structuredContent: expected },
      });
    }
  });

  it('reaches rows that stand in texts of their own, and a wrapped copy', () => {
    const rows = [
      { id: 1, pin: '12' },
      { id: 2, pin: '34' },
    ];
    const document = {
      result: { content: rows.map((row) => ({ type: 'text', text: JSON.stringify(row) })), structuredContent: { result: rows } },
    };
    const redacted = apply(document, at('/result/structuredContent/result/*/pin'));
    assert.deepEqual(
      readable(redacted).filter((text) => text === '12' || text === '34'),
      [],
    );
  });

  it('enters JSON in a text, and reaches structuredContent from there', () => {
    const document = {
      result: {
        content: [{ type: 'text', text: '{"user":{"pin":"99","n":9007199254740993}}' }],
        structuredContent: { user: { pin: '99' } },
      },
    };
    assert.deepEqual(apply(document, at('/result/content/*/text/user/pin')), {
      result: {
        content: [{ type: 'text', text: '{"user":{"pin":"[redacted]","n":9007199254740993}}' }],
        structuredContent: { user: { pin: '[redacted]' } },
      },
    });
  });

  it('to nothing changes nothing, and gives the same document back', () => {
    for (const pointer of ['/result/structuredContent/nope', '/result/nope/*/x', '/arguments/x', '/result/content/9/text']) {
      const { document, changed } = redactor.redact(result, [at(pointer)]);
      assert.equal(document, result);
      assert.equal(changed, 0);
    }
  });

  it('that meets another form than it expects is refused, so that the whole is withheld', () => {
    const rows: readonly [JsonObject, string][] = [
      [{ arguments: { user: 'ssn 219-09-9999' } }, '/arguments/user/ssn'],
      [{ arguments: { user: 219099999 } }, '/arguments/user/ssn'],
      [{ arguments: { user: [{ ssn: '219-09-9999' }] } }, '/arguments/user/ssn'],
      [{ arguments: { users: ['219-09-9999'] } }, '/arguments/users/*/ssn'],
      [{ result: { content: [{ type: 'text', text: '{"ssn":"219-09-9999"' }] } }, '/result/content/0/text/ssn'],
      [{ arguments: { a: 1 } }, '/arguments'],
      [{ result: { a: 1 } }, ''],
    ];
    for (const [document, pointer] of rows) assert.throws(() => apply(document, at(pointer)), { code: 'policy.withheld' }, pointer);
    assert.throws(() => apply({ arguments: {} }, { rule, as: 'mask' }), { code: 'policy.withheld' });
    assert.throws(() => apply({ arguments: { a: 'x' } }, at('/arguments/a', 'replace')), { code: 'policy.withheld' });
    assert.throws(() => apply({ arguments: { a: 'x' } }, { ...at('/arguments/a'), as: 'shred' as 'mask' }), { code: 'policy.withheld' });
    assert.throws(() => apply({ arguments: { a: 'x' } }, at('arguments/a')), SyntaxError);
  });

  it('several at once do not move each other', () => {
    assert.deepEqual(
      apply(
        { arguments: { list: ['a', 'b', 'c', 'd'] } },
        at('/arguments/list/0', 'drop'),
        at('/arguments/list/2', 'drop'),
        at('/arguments/list/3'),
      ),
      {
        arguments: { list: ['b', '[redacted]'] },
      },
    );
  });

  it('leaves a message that the protocol still accepts', () => {
    const first: Json = { type: 'text', text: 'one' };
    const second: Json = { type: 'resource', resource: { uri: 'x:y', mimeType: 'text/plain', blob: 'aGVsbG8gd29ybGQ=' } };
    const content: Json = [first, second];
    const rows: readonly [Redaction, Json][] = [
      [at('/result/content'), { content: [{ type: 'text', text: '[redacted]' }] }],
      [at('/result/content', 'drop'), { content: [] }],
      [at('/result/content/0'), { content: [{ type: 'text', text: '[redacted]' }, second] }],
      [at('/result/content/0/text', 'drop'), { content: [{ type: 'text', text: '' }, second] }],
      [
        at('/result/content/1/resource/blob'),
        {
          content: [
            first,
            { type: 'resource', resource: { uri: 'x:y', mimeType: 'text/plain', blob: Buffer.from('[redacted]').toString('base64') } },
          ],
        },
      ],
    ];
    for (const [redaction, expected] of rows) assert.deepEqual(apply({ result: { content } }, redaction), { result: expected });
    assert.deepEqual(apply({ result: { content: [], structuredContent: { a: 'value' } } }, at('/result/structuredContent')), {
      result: { content: [] },
    });
    assert.deepEqual(
      apply(
        { result: { error: { code: -32000, message: 'no such user: anna', data: 'anna' } } },
        at('/result/error/message', 'drop'),
        at('/result/error/data'),
      ),
      {
        result: { error: { code: -32000, message: '', data: '[redacted]' } },
      },
    );
  });
});

describe('a detector', () => {
  const secret = specimens.find(({ rule: id }) => id === 'github-pat')?.secret ?? '';

  it('masks, hashes, drops or replaces what it finds, and leaves the text around it', () => {
    const rows: readonly [Redaction, RegExp][] = [
      [by('secret.github-pat'), /^use \[redacted:secret\.github-pat\] please$/],
      [by('secret.*', 'hash'), /^use sha256:[0-9a-f]{16} please$/],
      [by('secret.*', 'drop'), /^use {2}please$/],
      [by('*', 'replace', 'the token'), /^use the token please$/],
    ];
    for (const [redaction, expected] of rows)
      assert.match((apply({ arguments: { t: `use ${secret} please` } }, redaction)['arguments'] as { t: string }).t, expected);
    const untouched = { arguments: { t: secret } };
    assert.equal(apply(untouched, by('pii.*'), by('secret.gitlab-pat')), untouched);
  });

  it('takes copies along that it would not recognise by themselves', () => {
    const password = draw('copies', 'abcdefghijklmnopqrstuvwxyz0123456789', 24);
    const document = {
      result: { content: [{ type: 'text', text: `I read ${password} from the file` }], structuredContent: { db_password: password } },
    };
    assert.equal(
      readable(apply(document, by('secret.*'))).some((text) => text.includes(password)),
      false,
    );
  });

  it('reaches every place of a message', () => {
    const mail = 'anna@example.org';
    const card = '4111 1111 1111 1111';
    const text = `${secret} and ${mail} and ${card}`;
    const documents: Record<string, Json> = {
      content: { content: [{ type: 'text', text }] },
      structured: { content: [], structuredContent: { deep: [[{ text }]], [text]: 1 } },
      'JSON in text': {
        content: [{ type: 'text', text: JSON.stringify({ a: [text], [mail]: JSON.stringify({ secret }) }, undefined, 2) }],
      },
      'almost JSON': { content: [{ type: 'text', text: `{"a": "${text}", "a": "\\u0061nna@example.org", }` }] },
      'a fenced block': { content: [{ type: 'text', text: `see\n\`\`\`json\n${JSON.stringify({ text })}\n\`\`\`` }] },
      resource: { content: [{ type: 'resource', resource: { uri: `file:///${mail}`, mimeType: 'text/plain', text } }] },
      blob: { contents: [{ uri: 'x:y', mimeType: 'application/pdf', blob: Buffer.from(text).toString('base64') }] },
      image: { content: [{ type: 'image', mimeType: 'image/png', data: Buffer.from(JSON.stringify({ text })).toString('base64') }] },
      link: {
        content: [
          { type: 'resource_link', uri: `https://x.example/?to=${encodeURIComponent(mail)}&k=${secret}`, name: 'x', description: text },
        ],
      },
      prompt: { messages: [{ role: 'user', content: { type: 'text', text } }] },
      error: { error: { code: -32603, message: text, data: { stack: [text] } } },
      meta: { content: [], _meta: { note: text } },
      'data URI': { content: [{ type: 'text', text: `data:text/plain;base64,${Buffer.from(text).toString('base64')}` }] },
    };
    for (const [place, result] of Object.entries(documents)) {
      // The address stands plain somewhere, so its percent-encoded copy is known too.
      const document = { result: { ...(result as JsonObject), more: mail } };
      const before = JSON.stringify(document);
      const after = apply(document, by('secret.*'), by('pii.*'));
      for (const gone of [secret, mail, encodeURIComponent(mail), card]) {
        assert.equal(
          readable(after).some((found) => found.includes(gone)),
          false,
          `${place}: ${JSON.stringify(after)}`,
        );
      }
      assert.equal(JSON.stringify(document), before);
    }
  });

  for (const specimen of specimens) {
    it(`what is reported of ${specimen.rule} is redacted`, () => {
      const text = textOf(specimen);
      for (const value of [{ text: `x\n${text}\ny` }, { text: JSON.stringify({ a: [text] }) }, { note: text, other: { deep: text } }]) {
        assert.notDeepEqual(detectors.scan(value, '/arguments'), []);
        const after = apply({ arguments: value }, by('secret.*'));
        assert.equal(
          readable(after).some((found) => found.includes(specimen.secret)),
          false,
          JSON.stringify(after),
        );
      }
    });
  }

  it('cards that are numbers become texts, in JSON in text too', () => {
    assert.deepEqual(
      apply(
        { result: { structuredContent: { pan: 4111111111111111 }, content: [{ type: 'text', text: '{"pan":4111111111111111}' }] } },
        by('pii.card'),
      ),
      {
        result: { structuredContent: { pan: '[redacted]' }, content: [{ type: 'text', text: '{"pan":"[redacted]"}' }] },
      },
    );
  });

  it('hidden text is taken out where it is', () => {
    assert.deepEqual(apply({ result: { a: 'pass\u200bword \u001b[31mred\u001b[0m', b: '\u202etxt' } }, by('hidden.*', 'drop')), {
      result: { a: 'password red', b: 'txt' },
    });
  });

  it('names that become alike stay apart', () => {
    assert.deepEqual(apply({ arguments: { 'a@example.org': 1, 'b@example.org': 2 } }, by('pii.email')), {
      arguments: { '[redacted:pii.email]': 1, '[redacted:pii.email] 2': 2 },
    });
  });
});
