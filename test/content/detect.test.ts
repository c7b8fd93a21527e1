import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Json } from '../../src/model/json.ts';
import { rawNumber } from '../../src/model/json.ts';
import { createDetectors, type DetectorOptions } from '../../src/content/detect.ts';
import { benign, draw, specimens, textOf } from './specimens.ts';

const options: DetectorOptions = {
  secrets: true,
  personalData: ['email', 'card', 'ssn', 'iban'],
  hiddenText: true,
  maxScanBytes: 4_000_000,
};
const detectors = createDetectors(options);
const withPhone = createDetectors({ ...options, personalData: ['phone'] });
const names = (value: Json): string[] => detectors.scan(value, '').map((finding) => finding.detector);

describe('secrets', () => {
  for (const [index, specimen] of specimens.entries()) {
    const detector = `secret.${specimen.rule}`;
    const text = textOf(specimen);
    it(`${specimen.rule} (${index}) is found alone, in prose, in JSON in text, in an escaped text, in a resource's blob`, () => {
      const line = `before that\n${text}\nand after it`;
      const places: Record<string, Json> = {
        alone: text,
        prose: line,
        'a list': [['x', line]],
        'JSON in text': JSON.stringify({ deep: [{ note: line }] }),
        'JSON in JSON in text': JSON.stringify({ a: JSON.stringify([line]) }),
        'a blob': { contents: [{ uri: 'file:///x', mimeType: 'application/octet-stream', blob: Buffer.from(line).toString('base64') }] },
        'a data URI': { uri: `data:text/plain;charset=utf-8;base64,${Buffer.from(line).toString('base64')}` },
        'a long text': `${'lorem ipsum dolor sit amet, '.repeat(300)}\n${line}\n${'consectetur adipiscing elit; '.repeat(300)}`,
      };
      for (const [place, value] of Object.entries(places)) assert.ok(names(value).includes(detector), `${place}: ${String(names(value))}`);
      if (specimen.named !== undefined) {
        assert.deepEqual(detectors.scan({ config: { [specimen.named]: specimen.secret } }, '/arguments'), [
          { detector, pointer: `/arguments/config/${specimen.named}`, count: 1 },
        ]);
      }
    });
  }

  it('in the name of a member are found there', () => {
    const secret = specimens.find(({ rule }) => rule === 'github-pat')?.secret ?? '';
    for (const value of [1, null, 'x', { y: 1 }]) assert.deepEqual(names({ [secret]: value }), ['secret.github-pat']);
  });

  it('are not searched for where that is switched off', () => {
    const off = createDetectors({ ...options, secrets: false });
    for (const specimen of specimens) assert.deepEqual(off.scan(textOf(specimen), ''), []);
  });

  it('a stop word of gitleaks and a note to allow do not hide one of them', () => {
    const secret = specimens.find(({ rule }) => rule === 'stripe-access-token')?.secret ?? '';
    assert.deepEqual(names(`key = ${secret} # gitleaks:allow`), ['secret.stripe-access-token']);
  });

  it('examples and references to variables are none', () => {
    for (const text of [
      'AKIAIOSFODNN7EXAMPLE',
      'api_key = ${API_KEY}',
      'password: "{{ secrets.DB_PASSWORD }}"',
      'token=xxxxxxxxxxxxxxxxxxxxxxxx',
    ]) {
      assert.deepEqual(names(text), [], text);
    }
  });
});

describe('texts of daily work', () => {
  for (const text of benign) {
    it(`find nothing: ${text.slice(0, 50).replaceAll('\n', ' ')}`, () => {
      assert.deepEqual(names(text), []);
      assert.deepEqual(names({ content: [{ type: 'text', text }], structuredContent: { text, rows: [{ text }] } }), []);
    });
  }
});

describe('personal data', () => {
  const rows: readonly [string, string, readonly string[]][] = [
    ['an address', 'write to anna.schmidt+invoices@mail.example.co.uk, please', ['pii.email']],
    ['an address with an umlaut', 'jürgen@müller.example.de', ['pii.email']],
    ['a Visa card', 'card 4111 1111 1111 1111 exp 12/30', ['pii.card']],
    ['a Mastercard with hyphens', '5500-0055-5555-5559', ['pii.card']],
    ['an American Express card', '3782 822463 10005', ['pii.card']],
    ['a card without groups', '{"pan":6011000990139424}', ['pii.card']],
    ['two cards', '4111111111111111,4012888888881881', ['pii.card', 'pii.card']],
    ['a card with a wrong check digit', '4111 1111 1111 1112', []],
    ['a number of 16 digits of no issuer', '1795246200123009', []],
    ['a card inside a longer number', '94111111111111111119', []],
    ['a social security number', 'SSN: 219-09-9999.', ['pii.ssn']],
    ['one without hyphens after its name', 'social security no 219099999', ['pii.ssn']],
    ['nine digits without context', '219099999', []],
    ['an area that was never given', '666-12-3456 000-12-3456 912-12-3456', []],
    ['an IBAN', 'DE89 3704 0044 0532 0130 00', ['pii.iban']],
    ['an IBAN without spaces, with words after', 'to GB29NWBK60161331926819 today', ['pii.iban']],
    ['an IBAN in small letters', 'fr1420041010050500013m02606', ['pii.iban']],
    ['an IBAN with a wrong check', 'DE88 3704 0044 0532 0130 00', []],
  ];
  for (const [name, text, found] of rows) {
    it(`${name}: ${found.join(', ') || 'nothing'}`, () => {
      const findings = detectors.scan({ note: text }, '/result');
      assert.deepEqual(
        findings.flatMap(({ detector, count }) => Array.from({ length: count }, () => detector)),
        found,
      );
      assert.ok(findings.every(({ pointer }) => pointer === '/result/note'));
    });
  }

  it('a card that is a number, plain or exact', () => {
    assert.deepEqual(names({ pan: 4111111111111111 }), ['pii.card']);
    assert.deepEqual(names({ pan: rawNumber('6304000000000000000'), other: rawNumber('4000000000000000006') }), ['pii.card']);
    assert.deepEqual(names({ ssn: 219099999 }), ['pii.ssn']);
  });

  it('a bare number whose name says what it is', () => assert.deepEqual(names({ employeeSSN: '219099999' }), ['pii.ssn']));

  it('telephone numbers, where they are asked for', () => {
    for (const text of ['call +49 30 901820 now', '+1 (212) 555-0187', '(212) 555-0187', '212-555-0187']) {
      assert.deepEqual(
        withPhone.scan(text, '').map(({ detector }) => detector),
        ['pii.phone'],
        text,
      );
      assert.deepEqual(names(text), []);
    }
    for (const text of benign) assert.deepEqual(withPhone.scan(text, ''), [], text);
  });
});

describe('hidden text', () => {
  const rows: readonly [string, string, string][] = [
    ['a right-to-left override', 'invoice\u202efdp.exe', 'hidden.bidi'],
    ['an isolate', 'a\u2066b\u2069', 'hidden.bidi'],
    ['a zero-width space', 'pass\u200bword', 'hidden.zero-width'],
    ['a joiner between letters', 'pass\u200dword', 'hidden.zero-width'],
    ['a byte order mark inside', 'a\ufeffb', 'hidden.zero-width'],
    ['bytes in variation selectors', '😀\u{e0101}\u{e0142}\u{e0103}', 'hidden.zero-width'],
    ['a colour sequence', '\u001b[31mred\u001b[0m', 'hidden.ansi'],
    ['a title sequence', '\u001b]0;title\u0007', 'hidden.ansi'],
    ['an eight-bit sequence', '\u009b2J', 'hidden.ansi'],
    ['tags that spell words', 'ignore all'.replace(/./g, (c) => String.fromCodePoint(0xe0000 + c.charCodeAt(0))), 'hidden.unicode-tag'],
  ];
  for (const [name, text, detector] of rows) {
    it(name, () => {
      for (const value of [
        text,
        `x ${text} y`,
        { [text]: 1 },
        JSON.stringify({ text }),
        JSON.stringify({ text }).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
      ]) {
        assert.deepEqual([...new Set(names(value))], [detector], JSON.stringify(value));
      }
    });
  }
});

describe('findings', () => {
  it('are one for each detector and place, with a count, a pointer and never the value', () => {
    const value = { a: 'x@example.org y@example.org', 'b/c~d': [{ e: 'z@example.org' }], f: JSON.stringify({ g: 'q@example.org\n' }) };
    assert.deepEqual(detectors.scan(value, '/result'), [
      { detector: 'pii.email', pointer: '/result/a', count: 2 },
      { detector: 'pii.email', pointer: '/result/b~1c~0d/0/e', count: 1 },
      { detector: 'pii.email', pointer: '/result/f', count: 1 },
    ]);
  });

  it('an exact rule stands for the generic one at the same place', () => {
    assert.deepEqual(names({ token: specimens.find(({ rule }) => rule === 'github-pat')?.secret ?? '' }), ['secret.github-pat']);
  });

  it('escapes in JSON that is not quite JSON hide nothing', () => {
    const secret = specimens.find(({ rule }) => rule === 'github-pat')?.secret ?? '';
    const escaped = secret.replace(/./g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
    for (const text of [`{"a":"${escaped}"}`, `{"a":"${escaped}","a":1}`, `{"a":"${escaped}"`, `[1,"${escaped}"] trailing`]) {
      assert.deepEqual(names(text), ['secret.github-pat'], text);
    }
  });

  it('say so when a limit was reached', () => {
    const small = createDetectors({ ...options, maxScanBytes: 100 });
    assert.deepEqual(small.scan(['a'.repeat(60), 'b'.repeat(60), 'x@example.org'], '/result'), [
      { detector: 'content.too_large', pointer: '/result/1', count: 1 },
    ]);
    const many = Array.from({ length: 1000 }, (_, i) => `user${i}@example.org`);
    assert.equal(
      detectors.scan(many, '/result').reduce((sum, { count }) => sum + count, 0),
      1000,
    );
    assert.ok(detectors.scan(many, '/result').length < 300);
    let nested = '"x@example.org"';
    for (let i = 0; i < 12; i++) nested = JSON.stringify([nested]);
    assert.ok(names(nested).length <= 1);
  });
});

describe('hostile texts take linear time', () => {
  const million = 1_000_000;
  const rows: readonly [string, string][] = [
    ['one letter', 'a'.repeat(million)],
    ['letters and a full stop', `${'a'.repeat(million)}!`],
    ['at signs', '@'.repeat(million)],
    ['addresses without end', 'a@a.'.repeat(million / 4)],
    ['digits', '4'.repeat(million)],
    ['digits in groups', '4111 '.repeat(million / 5)],
    ['digits with hyphens', '1-'.repeat(million / 2)],
    ['social numbers', '219-09-'.repeat(million / 7)],
    ['countries', 'DE12 '.repeat(million / 5)],
    ['escape characters', '\u001b]'.repeat(million / 2)],
    ['variation selectors', '\ufe0f'.repeat(million)],
    ['keywords', 'key '.repeat(million / 4)],
    ['assignments', 'key="'.repeat(million / 5)],
    ['assignments without a break', 'api_key=secret:token:'.repeat(million / 21)],
    ['beginnings of tokens', 'eyeyeyeyghp_'.repeat(million / 12)],
    ['beginnings of private keys', '-----BEGIN PRIVATE KEY-----'.repeat(million / 27)],
    ['commands', 'curl -H '.repeat(million / 8)],
    ['manifests', 'kind: secret data: '.repeat(million / 19)],
    ['secrets', `${draw('x', 'abcdef0123456789', 40)} sourcegraph datadog_key=`.repeat(million / 70)],
    ['open brackets', '['.repeat(million)],
    ['backslashes in brackets', `[${'\\'.repeat(million)}`],
    ['a data URI', `data:${';base64'.repeat(million / 7)}`],
  ];
  // A generous bound: what is quadratic takes minutes here, and the machine may be busy.
  for (const [name, text] of rows) {
    it(name, () => {
      const started = process.cpuUsage();
      detectors.scan({ text }, '');
      withPhone.scan(text, '');
      const { user, system } = process.cpuUsage(started);
      assert.ok(user + system < 1_500_000, `${(user + system) / 1000} ms`);
    });
  }
});
