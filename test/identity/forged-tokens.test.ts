import { createHmac, createPublicKey } from 'node:crypto';
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { UnsecuredJWT } from 'jose';
import { createAuthenticator, type Authenticator } from '../../src/identity/authenticator.ts';
import type { IssuerOptions } from '../../src/identity/options.ts';
import { GatewayError } from '../../src/model/errors.ts';
import { audience, claimsAt, newTestKey, startTestIssuer, testClock, type TestIssuer } from './test-issuer.ts';

let idp: TestIssuer;
before(async () => {
  idp = await startTestIssuer();
});
after(() => idp.close());

const clock = testClock();

function gateway(extra: Partial<IssuerOptions> = {}): Authenticator {
  return createAuthenticator({ issuers: [{ issuer: idp.issuer, audiences: [audience], ...extra }], clock });
}

async function outcome(authenticator: Authenticator, token: string): Promise<string> {
  try {
    await authenticator.authenticate({ authorization: `Bearer ${token}` });
    return 'accepted';
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    return error.code === 'auth.invalid_token' ? String(error.detail?.['reason']) : error.code;
  }
}

test('forged headers are refused and nothing that they point to is fetched', async () => {
  const authenticator = gateway();
  const evil = newTestKey('ES256');
  const rsa = newTestKey('RS256', 'rsa-key');
  const claims = claimsAt(idp.issuer, clock.nowMs());
  const own = idp.keys[0]!;
  await authenticator.warm();
  const before = idp.requests.length;
  const trap = `${idp.issuer}/trap`;
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const hmac = (header: object, secret: string | Buffer): string => {
    const text = `${encode(header)}.${encode(claims)}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const publicPem = createPublicKey(own.privateKey).export({ type: 'spki', format: 'pem' });
  const evilHeader = (header: object): Promise<string> => idp.sign(claims, { kid: own.kid, ...header }, evil);
  const good = await idp.sign(claims);
  const rows: [string, string, string][] = [
    ['alg none', new UnsecuredJWT(claims).encode(), 'malformed'],
    [
      'alg none with a signature',
      `${encode({ alg: 'none', typ: 'at+jwt', kid: own.kid })}.${good.split('.').slice(1).join('.')}`,
      'algorithm',
    ],
    ['alg NoNe', `${encode({ alg: 'NoNe', typ: 'at+jwt', kid: own.kid })}.${good.split('.').slice(1).join('.')}`, 'algorithm'],
    ['public key as MAC secret', hmac({ alg: 'HS256', typ: 'at+jwt', kid: own.kid }, publicPem), 'algorithm'],
    ['embedded jwk', await evilHeader({ jwk: evil.jwk }), 'signature'],
    ['jku', await evilHeader({ jku: trap }), 'signature'],
    ['x5u', await evilHeader({ x5u: trap }), 'signature'],
    ['x5c', await evilHeader({ x5c: ['MIIB'] }), 'signature'],
    ['another algorithm for the key', await idp.sign(claims, { kid: own.kid }, rsa), 'key'],
    ['signed by nobody known', await idp.sign(claims, {}, evil), 'key'],
  ];
  for (const [name, token, expected] of rows) assert.equal(await outcome(authenticator, token), expected, name);
  for (const header of [
    { crit: ['exp'], exp: 1 },
    { crit: [] },
    { b64: false },
    { zip: 'DEF' },
    { kid: 7 },
    { kid: null },
    { alg: ['ES256'] },
    { typ: 1 },
  ]) {
    const parts = good.split('.');
    const forged = `${encode({ alg: 'ES256', typ: 'at+jwt', kid: own.kid, ...header })}.${parts[1]}.${parts[2]}`;
    assert.equal(await outcome(authenticator, forged), 'header', JSON.stringify(header));
  }
  assert.deepEqual(idp.requests.slice(before), []);
});

test('other spellings of a good token are refused', async () => {
  const authenticator = gateway();
  const token = await idp.sign(claimsAt(idp.issuer, clock.nowMs()));
  assert.equal(await outcome(authenticator, token), 'accepted');
  const [head, payload, signature = ''] = token.split('.');
  const last = signature.at(-1) ?? '';
  // A 64 byte signature ends in a character of which two bits are used: three others spell the same bytes.
  const other = String.fromCharCode(last.charCodeAt(0) + 1);
  for (const spelling of [
    `${token}=`,
    `${token}==`,
    `${head}=.${payload}.${signature}`,
    `${head}.${payload}.${signature.slice(0, -1)}${other}`,
    `${token}.`,
    `.${token}`,
  ])
    assert.equal(await outcome(authenticator, spelling), 'malformed', spelling.slice(-8));
});

test('hostile key ids are looked up as they are: 401, no fault, at most one fetch', async () => {
  const authenticator = gateway();
  await authenticator.warm();
  const before = idp.requests.length;
  const kids = [
    '../../etc/passwd',
    "' OR '1'='1",
    '__proto__',
    'constructor',
    'hasOwnProperty',
    '\u0000',
    '𝕜'.repeat(60),
    '{{7*7}}',
    '$(id)',
    'http://127.0.0.1/',
    '',
    '\u202e',
  ];
  for (const kid of kids)
    assert.equal(await outcome(authenticator, await idp.sign(claimsAt(idp.issuer, clock.nowMs()), { kid })), 'key', JSON.stringify(kid));
  assert.equal(await outcome(authenticator, await idp.sign(claimsAt(idp.issuer, clock.nowMs()), { kid: 'k'.repeat(257) })), 'header');
  assert.equal(await outcome(authenticator, await idp.sign(claimsAt(idp.issuer, clock.nowMs()), { kid: 'k'.repeat(10_000) })), 'header');
  assert.deepEqual(idp.requests.slice(before), []);
});
