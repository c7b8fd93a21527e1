import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../src/model/errors.ts';
import { isRawNumber, type Json } from '../../src/model/json.ts';
import { parseStrict, stringifyWire } from '../../src/model/strict-json.ts';

const limits = { maxDepth: 64 };
const parse = (source: string | Uint8Array): Json => parseStrict(typeof source === 'string' ? Buffer.from(source) : source, limits);

function refusal(source: string | Uint8Array): string {
  try {
    parse(source);
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    assert.match(error.message, /^[a-z`]/);
    return error.code;
  }
  return 'accepted';
}

describe('the vectors of JSONTestSuite', () => {
  const folder = process.env['CASTELLAN_VECTORS'] ?? join(import.meta.dirname, '../../../shared/vectors');
  const file = join(folder, 'json-parsing.json');
  const required = process.env['CI'] !== undefined || process.env['CASTELLAN_VECTORS'] !== undefined;
  const skip = !existsSync(file) && !required ? 'no json-parsing.json; name its folder in CASTELLAN_VECTORS' : false;

  test('each n_ file is refused, each y_ file accepted, but for duplicate keys', { skip }, () => {
    const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Record<string, string> };
    const wrong: string[] = [];
    let refused = 0;
    let accepted = 0;
    for (const [name, base64] of Object.entries(cases)) {
      const outcome = refusal(Buffer.from(base64, 'base64'));
      const duplicate = /^y_object_duplicated/.test(name);
      const right = name.startsWith('n_')
        ? outcome === 'json.invalid' || outcome === 'json.too_deep'
        : name.startsWith('y_')
          ? outcome === (duplicate ? 'json.duplicate_key' : 'accepted')
          : true;
      if (!right) wrong.push(`${name}: ${outcome}`);
      if (name.startsWith('n_')) refused++;
      if (name.startsWith('y_')) accepted++;
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual({ refused, accepted }, { refused: 188, accepted: 95 });
  });
});

describe('what is refused', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  const rows: readonly [string, string | Uint8Array, string][] = [
    ['nothing', '', 'json.invalid'],
    ['two values', '{} {}', 'json.invalid'],
    ['a byte order mark', Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]), 'json.invalid'],
    ['UTF-16', Buffer.from('{}', 'utf16le'), 'json.invalid'],
    ['an overlong encoding', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 'json.invalid'],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'json.invalid'],
    ['a raw line feed in a string', '"a\nb"', 'json.invalid'],
    ['an escaped lone high surrogate', '"\\ud800"', 'json.invalid'],
    ['an escaped lone low surrogate', '["\\uDC00"]', 'json.invalid'],
    ['a high surrogate before a letter', '"\\ud83dx"', 'json.invalid'],
    ['two high surrogates', '"\\ud83d\\ud83d"', 'json.invalid'],
    ['a lone surrogate in a key', '{"\\udfff":1}', 'json.invalid'],
    ['a key twice', '{"a":1,"a":1}', 'json.duplicate_key'],
    ['a key twice, one escaped', '{"a":1,"\\u0061":2}', 'json.duplicate_key'],
    ['the empty key twice', '{"":1,"":2}', 'json.duplicate_key'],
    ['a key twice, deep', '[{"x":{"y":[{"k":0,"l":[],"k":{}}]}}]', 'json.duplicate_key'],
    ['a key twice beside an exact number', '{"n":9007199254740993,"n":1}', 'json.duplicate_key'],
    ['a key twice with colons in strings', '{"a:":":","b":1,"a:":2}', 'json.duplicate_key'],
    ['65 arrays', nested(65), 'json.too_deep'],
    ['100,000 arrays', nested(100_000), 'json.too_deep'],
    ['100,000 objects', '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000), 'json.too_deep'],
  ];
  for (const [name, source, code] of rows) it(name, () => assert.equal(refusal(source), code));

  it('a lone surrogate in a string source', () => {
    assert.throws(() => parseStrict('"\ud800"', limits), { code: 'json.invalid', message: /offset 1;/ });
  });

  it('the key `__proto__`, at each depth and in each spelling', () => {
    const spellings = ['__proto__', '\\u005f_proto__', '__pr\\u006fto__', '\\u005F\\u005Fproto\\u005f_'];
    for (let depth = 0; depth < 62; depth++) {
      for (const key of spellings) {
        for (const [open, close] of [
          ['[', ']'],
          ['{"k":', '}'],
        ] as const) {
          assert.equal(refusal(`${open.repeat(depth)}{"a":0,"${key}" :{"admin":true}}${close.repeat(depth)}`), 'json.forbidden_key');
        }
      }
    }
    assert.equal(({} as Record<string, unknown>)['admin'], undefined);
  });

  it('but not `__proto__` as a value, nor keys of the same names in different objects', () => {
    assert.deepEqual(parse('{"a":"__proto__","b":["__proto__"]}'), { a: '__proto__', b: ['__proto__'] });
    assert.deepEqual(parse('{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}'), { a: { a: { a: 1 } }, b: [{ a: 1 }, { a: 1 }] });
    assert.deepEqual(parse('{"\\u00e9":1,"e":2}'), { é: 1, e: 2 });
  });

  it('with an offset in bytes, and nothing of the text in the message', () => {
    const rows: readonly [string, RegExp][] = [
      ['{"é":hunter2}', /: not JSON; send one/],
      ['{"é":1 hunter2}', /not JSON at offset 8;/],
      ['{"é":1,"hunter2":2,"hunter2":3}', /again at offset 20$/],
      ['["hunter2"', /not JSON at offset 10;/],
    ];
    for (const [source, message] of rows) {
      assert.throws(() => parse(source), message);
      assert.throws(
        () => parse(source),
        (error: Error) => !error.message.includes('hunter2') && error.cause === undefined,
      );
    }
    assert.throws(() => parse(Buffer.from([0x22, 0x61, 0xff, 0x22])), /offset 2;/);
  });
});

describe('what is accepted', () => {
  it('64 arrays, each kind of white space, a pair of escaped surrogates', () => {
    assert.equal(refusal('['.repeat(64) + ']'.repeat(64)), 'accepted');
    assert.deepEqual(parse(' \t\r\n{ "a" : [ 1 , true , null , "\\ud83d\\ude00\\/" ] }\n'), { a: [1, true, null, '😀/'] });
    assert.deepEqual(parse('"{[\\"{"'), '{["{');
  });

  it('any JSON, which comes back as the same text', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        fc.pre(!text.includes('__proto__') && text.isWellFormed() && !/\\u[dD][89a-fA-F]/.test(text));
        const native = JSON.parse(text) as unknown;
        // Object.is(-0, 0) aside: the wire has no use for the sign of zero.
        assert.deepEqual(JSON.parse(stringifyWire(parse(text))), JSON.parse(JSON.stringify(native)));
      }),
      { numRuns: 500 },
    );
  });

  it('whatever the native parser accepts of mutated JSON, and nothing more', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 4 }),
        fc.nat(),
        fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', '1', '-', 'e', '', ' '),
        (text, at, piece) => {
          const place = at % (text.length + 1);
          const mutated = text.slice(0, place) + piece + text.slice(place + 1);
          fc.pre(mutated.isWellFormed());
          let native = true;
          try {
            JSON.parse(mutated);
          } catch {
            // Not JSON: then the strict parser must refuse too.
            native = false;
          }
          const outcome = refusal(mutated);
          if (!native) assert.notEqual(outcome, 'accepted', mutated);
          else if (outcome !== 'accepted') assert.match(outcome, /duplicate_key|forbidden_key|json\.invalid/, mutated);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('numbers', () => {
  const exact = [
    '9007199254740992',
    '9007199254740993',
    '-9007199254740993',
    '1795246200123000000',
    '18446744073709551615',
    '100000000000000000000000000000000000001',
    '1e400',
    '-1E+400',
    '1e-400',
    '-1e-999',
    '0.1000000000000000055511151231257827',
    '3.14159265358979323846',
    '123456789.123456789123456789',
    '1e300',
  ];
  for (const text of exact) {
    it(`${text} keeps its text`, () => {
      assert.ok(isRawNumber(parse(text)));
      for (const source of [text, `[${text}]`, `{"a":{"b":[1,${text}]}}`]) assert.equal(stringifyWire(parse(source)), source);
    });
  }

  const plain: readonly [string, number][] = [
    ['0', 0],
    ['-0', -0],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['0.1', 0.1],
    ['0.30000000000000004', 0.30000000000000004],
    ['2.2250738585072014e-308', 2.2250738585072014e-308],
    ['5e-324', 5e-324],
    ['1.50000000000000000000000', 1.5],
    ['0.000000000000000000000000e99', 0],
    ['12.5E2', 1250],
    ['2.220446049250313e-16', 2.220446049250313e-16],
  ];
  for (const [text, value] of plain) it(`${text} is the double ${value}`, () => assert.equal(parse(text), value));

  it('any integer leaves as it came', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n })), (integers) => {
        const text = `[${integers.join(',')}]`;
        assert.equal(stringifyWire(parse(text)), text);
      }),
    );
  });

  it('any double leaves as it came, and what does not fit one keeps its decimal value', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.stringMatching(/^\d{1,25}$/), (double, digits) => {
        const shortest = JSON.stringify(double);
        assert.equal(Number(stringifyWire(parse(shortest))), Number(shortest));
        const long = `0.${digits}`;
        const out = stringifyWire(parse(long));
        assert.equal(scaled(out), scaled(long));
      }),
    );
  });
});

/** A decimal as an integer number of 1e-40. */
function scaled(text: string): bigint {
  const [, whole = '', fraction = '', exponent = '0'] = /^(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(text) ?? [];
  return BigInt(whole + fraction) * 10n ** BigInt(40 + Number(exponent) - fraction.length);
}
