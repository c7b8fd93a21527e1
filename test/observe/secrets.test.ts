import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Secret } from '../../src/config/secret.ts';
import { maskText } from '../../src/observe/mask-text.ts';
import { collectedLog } from './collect.ts';

const canary = 'c4n4ryXq7Zt9LmW2';
const jwt = `eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ${canary}.c2lnbmF0dXJl${canary}`;

/** Places in which a secret is recognised without being known. */
const carriers: Readonly<Record<string, unknown>> = {
  authorization: canary,
  Authorization: [canary],
  'proxy-authorization': { scheme: 'x', value: canary },
  accessToken: canary,
  refresh_token: canary,
  'x-api-key': canary,
  apiKey: canary,
  client_secret: canary,
  PASSWORD: canary,
  passwd: canary,
  'set-cookie': [`a=${canary}`],
  credentials: { a: canary },
  privateKey: canary,
  code_verifier: canary,
  client_assertion: 1234567,
  holder: new Secret(canary, 'env X'),
  list: [new Secret(canary, 'env X')],
  map: new Map([['token', canary]]),
  header: `Bearer ${canary}`,
  lower: `got "bearer ${canary}" from the client`,
  basic: `Basic ${Buffer.from(`u:${canary}`).toString('base64')}`,
  jwt,
  encrypted: `${jwt}.${canary}.${canary}`,
  sentence: `token ${jwt} is not of this audience`,
  url: `https://user:${canary}@host/x`,
  database: new URL(`postgres://castellan:${canary}@db:5432/x`),
  query: `/callback?code=${canary}&state=1`,
  form: `grant_type=x&client_secret=${canary}&access_token=${canary}`,
  json: `{"password":"${canary}","a":1}`,
  escaped: JSON.stringify(JSON.stringify({ client_secret: canary })),
  headers: `GET / HTTP/1.1\r\nAuthorization: Custom ${canary}\r\nCookie: a=1; sid=${canary}\r\nHost: a`,
  setting: `API_KEY=${canary} node x`,
  option: `--password=${canary}`,
  words: `password: ${canary}`,
  pem: `-----BEGIN EC PRIVATE KEY-----\n${canary}\n-----END EC PRIVATE KEY-----`,
  cutPem: `-----BEGIN PRIVATE KEY-----\n${canary}`,
  ourKey: `cst_AAAAAAAAAAAAAAAAAAAAAA_${canary}${canary}`,
  [`Bearer ${canary}`]: 'as a key',
  error: new Error(`401 for Bearer ${canary}`, { cause: new Error(`https://a:${canary}@b`) }),
  response: { headers: { authorization: canary }, request: { body: `secret=${canary}` } },
};

describe('a secret never gets into the log', () => {
  for (const format of ['json', 'pretty'] as const)
    for (const level of ['info', 'debug'] as const)
      it(`wherever it stands, at level ${level}, as ${format}`, async () => {
        for (const [key, value] of Object.entries(carriers)) {
          const { log, lines } = collectedLog({ format, level });
          log.child({ [key]: value }).error('x', { inner: { [key]: value } });
          const text = (await lines()).join('\n');
          assert.ok(text.includes('x'));
          assert.ok(!text.includes(canary), `${key}: ${text}`);
          assert.ok(!text.includes(Buffer.from(`u:${canary}`).toString('base64')), `${key}: ${text}`);
        }
      });

  it('where it is known, in any text and any spelling', async () => {
    const known = 'a"b\\ & ü longer secret';
    const spelled = [known, encodeURIComponent(known), JSON.stringify({ x: known }), Buffer.from(known).toString('base64')];
    const { log, lines } = collectedLog();
    const child = log.child({ early: 1 });
    log.conceal([known, 'short']);
    for (const text of spelled) child.info('x', { note: `before ${text} after`, [`key ${text}`]: 1 });
    child.info('x', { note: 'a short word' });
    for (const line of await lines()) {
      assert.doesNotMatch(line, /longer|%26|bG9uZ2Vy/);
      assert.match(line, /\[redacted\]|a short word/);
    }
  });

  it('also where the text is cut in the middle of it', () => {
    for (let from = 16_360; from < 16_390; from++)
      assert.ok(!maskText('x'.repeat(from) + canary + 'y', [canary]).includes(canary.slice(0, 2)), String(from));
  });

  it('in texts of any make', () => {
    const filler = fc.string({ unit: 'grapheme', maxLength: 20 });
    fc.assert(
      fc.property(
        filler,
        filler,
        fc.constantFrom(`Bearer ${canary}`, jwt, `"token":"${canary}"`, `://u:${canary}@h`),
        (before, after, secret) => {
          assert.ok(!maskText(`${before} ${secret} ${after}`).includes(canary));
        },
      ),
    );
  });
});

describe('what is no secret stays readable', () => {
  const texts = [
    'the token is not canonical base64url',
    'no access token; check the credential of `billing`',
    'https://idp.example/token?x=1',
    'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    'call_0b0e3c2a-6f0e-4b59-9c0f-2d3a4e5f6a7b',
    'environment variable `API_KEY` is not set',
    'tools/call',
  ];
  for (const text of texts) it(text, () => assert.equal(maskText(text), text));

  it('and is found in time that grows with its length', () => {
    const started = performance.now();
    for (const part of ['a-', 'eyJ.', 'token', '"', 'password"  ', '://', 'Bearer ', 'cookie:'.repeat(2), '-----BEGIN PRIVATE KEY-----'])
      maskText(part.repeat(Math.ceil(16_384 / part.length)));
    assert.ok(performance.now() - started < 1000);
  });
});
