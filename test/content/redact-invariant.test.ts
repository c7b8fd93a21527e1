import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Redaction } from '../../src/model/decision.ts';
import type { Json, JsonObject } from '../../src/model/json.ts';
import { parseStrict } from '../../src/model/strict-json.ts';
import { readable } from './readable.ts';
import { apply, at, by } from './redactions.ts';

describe('INVARIANT: no copy of a redacted value is left', () => {
  const word = fc.stringMatching(/^[A-Za-z0-9 _./@:é😀"\\-]{4,20}$/u).filter((text) => text.isWellFormed());
  const value = fc.oneof(word, fc.integer({ min: 1000 }), fc.double({ min: 1000, noNaN: true, noDefaultInfinity: true }));
  const as = fc.constantFrom<Redaction['as']>('mask', 'hash', 'drop', 'replace');
  const protocol =
    'result content type text resource uri mimeType blob structuredContent _meta error message data name plain arguments code role user'.split(
      ' ',
    );

  it('in no text, name or number, nor inside JSON or base64', () => {
    fc.assert(
      fc.property(value, as, word, word, fc.json({ maxDepth: 3 }), (gone, how, before, after, other) => {
        const text = String(gone);
        // A value that is a word of the protocol, or of the test itself, is no copy.
        fc.pre(!protocol.some((name) => name.includes(text) || 'text/plain'.includes(text)) && !'stays'.includes(text));
        const around = `${before}${text}${after}`;
        const json = JSON.stringify({ a: [gone, around], [around]: { b: JSON.stringify({ c: gone, d: text }) } });
        const document: JsonObject = {
          result: {
            content: [
              { type: 'text', text: around },
              { type: 'text', text: json },
              { type: 'text', text: `see ${json} and ${JSON.stringify(around)}` },
              { type: 'text', text: other },
              {
                type: 'resource',
                resource: { uri: `x:${encodeURIComponent(text)}`, mimeType: 'text/plain', blob: Buffer.from(around).toString('base64') },
              },
              { type: 'resource', resource: { uri: 'x:y', text: json } },
            ],
            structuredContent: { place: gone, list: [gone, { [text]: gone, deep: around }], stays: 'stays' },
            _meta: { note: around, json },
            error: { message: around, data: gone },
          },
        };
        const frozen = JSON.stringify(document);
        const redacted = apply(document, at('/result/structuredContent/place', how, 'something'));
        assert.equal(JSON.stringify(document), frozen);
        const wire = JSON.stringify(redacted);
        parseStrict(wire, { maxDepth: 64 });
        const left = readable(redacted).filter(
          (found) => !protocol.includes(found) && (found.includes(text) || found.includes(JSON.stringify(text).slice(1, -1))),
        );
        assert.deepEqual(left, []);
        assert.equal(((redacted['result'] as JsonObject)['structuredContent'] as JsonObject)['stays'], 'stays');
      }),
      { numRuns: 400 },
    );
  });

  it('whatever the document', () => {
    const scalar = fc.oneof(word, fc.integer(), fc.boolean(), fc.constant(null));
    const json = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        scalar,
        fc.array(tie('any'), { maxLength: 4 }),
        fc.dictionary(word, tie('any'), { maxKeys: 4 }),
        tie('nested'),
      ),
      nested: fc.dictionary(word, scalar, { maxKeys: 3 }).map((object) => JSON.stringify(object)),
    }));
    fc.assert(
      fc.property(json.any as fc.Arbitrary<Json>, word, as, (any, secret, how) => {
        fc.pre(!protocol.some((name) => name.includes(secret)) && !/true|false|null/.test(secret));
        const document: JsonObject = { arguments: { any, secret, copy: { a: any, b: `${JSON.stringify(any)}${secret}` } } };
        const redacted = apply(document, at('/arguments/secret', how, 'gone'));
        assert.deepEqual(
          readable(redacted).filter((text) => text.includes(secret)),
          [],
        );
      }),
      { numRuns: 400 },
    );
  });

  it('though the value reads like the mask, like a hash or like its replacement', () => {
    for (const text of ['[redacted]', 'redacted', '[red', 'acted]', 'sha256:', 'sha2', 'pii.email', '****', 'gone']) {
      for (const how of ['mask', 'hash', 'replace', 'drop'] as const) {
        const document = { arguments: { place: text, list: [`x${text}y`, `[red${text}acted]`], mail: `a@example.org ${text}` } };
        const redacted = apply(document, at('/arguments/place', how, 'gone'), by('pii.email'));
        assert.equal(
          readable(redacted).some((found) => found.includes(text)),
          false,
          `${text} ${how}: ${JSON.stringify(redacted)}`,
        );
      }
    }
  });
});
