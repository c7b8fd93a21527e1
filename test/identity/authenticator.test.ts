import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { SignJWT } from 'jose';
import { createAuthenticator, type Authenticator } from '../../src/identity/authenticator.ts';
import type { IssuerOptions } from '../../src/identity/options.ts';
import { GatewayError } from '../../src/model/errors.ts';
import type { Identity } from '../../src/model/identity.ts';
import type { TenantId } from '../../src/model/ids.ts';
import { audience, claimsAt, startTestIssuer, testClock, type TestIssuer } from './test-issuer.ts';

let idp: TestIssuer;
before(async () => {
  idp = await startTestIssuer();
});
after(() => idp.close());

const clock = testClock();
const nowS = clock.nowMs() / 1000;

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

test('a good token gives its identity, the second time at once', async () => {
  const authenticator = gateway({ exposedClaims: ['department', 'absent'] });
  const token = await idp.sign(claimsAt(idp.issuer, clock.nowMs(), { groups: ['eng'], scope: 'mcp:tools mcp:read', department: 'r&d' }));
  const first = authenticator.authenticate({ authorization: `Bearer ${token}` });
  assert.ok(first instanceof Promise);
  const expected: Identity = {
    issuer: idp.issuer,
    subject: 'alice',
    client: 'agent-1',
    kind: 'user',
    tenant: 'default' as TenantId,
    groups: ['eng'],
    scopes: ['mcp:tools', 'mcp:read'],
    claims: { department: 'r&d' },
    auth: { method: 'oidc', issuedAtMs: nowS * 1000, expiresAtMs: (nowS + 3600) * 1000 },
    onBehalfOf: null,
  };
  assert.deepEqual(await first, expected);
  assert.deepEqual(authenticator.authenticate({ authorization: `bearer ${token}` }), expected);
});

test('no token is `auth.required`, a malformed one `auth.invalid_token`', () => {
  const authenticator = gateway();
  for (const authorization of [undefined, '', 'Basic YTpi', 'Bearertoken', 'DPoP abc'])
    assert.throws(() => authenticator.authenticate({ authorization }), { code: 'auth.required' }, authorization ?? 'none');
  for (const authorization of ['Bearer', 'Bearer ', 'Bearer  a.b.c', 'Bearer a b', 'Bearer a.b.c, Bearer d.e.f', 'Bearer ü'])
    assert.throws(() => authenticator.authenticate({ authorization }), { code: 'auth.invalid_token' }, authorization);
});

test('audience × type × issuer × expiry: only the all-good combination is accepted', async () => {
  const authenticator = gateway();
  const audiences: [unknown, boolean][] = [
    [audience, true],
    [['other', audience], true],
    [`${audience}/`, false],
    [audience.toUpperCase(), false],
    ['https://gateway.example', false],
    [[], false],
    [[audience, 7], false],
    [undefined, false],
  ];
  const types: [string | undefined, boolean][] = [
    ['at+jwt', true],
    ['AT+JWT', true],
    ['application/at+jwt', true],
    ['JWT', false],
    [undefined, false],
    ['id+jwt', false],
  ];
  const issuers: [unknown, boolean][] = [
    [idp.issuer, true],
    [`${idp.issuer}/`, false],
    ['https://evil.example', false],
    [[idp.issuer], false],
    [undefined, false],
  ];
  const expiries: [unknown, boolean][] = [
    [nowS + 60, true],
    [nowS - 3600, false],
    [undefined, false],
    [String(nowS + 60), false],
    [(nowS + 60) * 1000, false],
    [-1, false],
  ];
  let accepted = 0;
  for (const [aud, audOk] of audiences)
    for (const [typ, typOk] of types)
      for (const [iss, issOk] of issuers)
        for (const [exp, expOk] of expiries) {
          const token = await idp.sign(claimsAt(idp.issuer, clock.nowMs(), { aud, iss, exp }), { typ } as { typ: string });
          const good = audOk && typOk && issOk && expOk;
          const got = await outcome(authenticator, token);
          assert.equal(got === 'accepted', good, JSON.stringify({ aud, typ, iss, exp, got }));
          accepted += good ? 1 : 0;
        }
  assert.equal(accepted, 6);
});

test('expiry, not-before and issue time: 59 s of difference are forgiven at a leeway of 60, 61 s are not', async () => {
  const rows: [Record<string, unknown>, string][] = [
    [{ exp: nowS - 59 }, 'accepted'],
    [{ exp: nowS - 60 }, 'expired'],
    [{ exp: nowS - 61 }, 'expired'],
    [{ nbf: nowS + 59 }, 'accepted'],
    [{ nbf: nowS + 61 }, 'not_yet_valid'],
    [{ iat: nowS + 59 }, 'accepted'],
    [{ iat: nowS + 61 }, 'not_yet_valid'],
    [{ iat: undefined }, 'claims'],
    [{ iat: nowS - 961 }, 'too_old'],
    [{ iat: nowS - 959 }, 'accepted'],
  ];
  for (const [extra, expected] of rows) {
    const token = await idp.sign(claimsAt(idp.issuer, clock.nowMs(), { iat: nowS - 120, ...extra }));
    assert.equal(await outcome(gateway({ leewayS: 60, maxTokenAgeS: 900 }), token), expected, JSON.stringify(extra));
  }
});

test('a token that is not for bearers of access is refused even where the type JWT is allowed', async () => {
  const authenticator = gateway({ types: ['JWT'] });
  const rows: [Record<string, unknown>, string][] = [
    [{}, 'accepted'],
    [{ nonce: 'n' }, 'type'],
    [{ at_hash: 'h' }, 'type'],
    [{ token_use: 'id' }, 'type'],
    [{ typ: 'ID' }, 'type'],
    [{ typ: 'Refresh' }, 'type'],
    [{ typ: 'Bearer' }, 'accepted'],
    [{ cnf: { jkt: 'x' } }, 'bound'],
  ];
  for (const [extra, expected] of rows) {
    const token = await idp.sign(claimsAt(idp.issuer, clock.nowMs(), extra), { typ: 'JWT' });
    assert.equal(await outcome(authenticator, token), expected, JSON.stringify(extra));
  }
});

test('garbage is refused and never a fault', async () => {
  const authenticator = gateway();
  const key = idp.keys[0]!;
  const withPayload = (payload: string): Promise<string> =>
    new SignJWT(JSON.parse(payload) as Record<string, unknown>)
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt' })
      .sign(key.privateKey);
  const tokens = [
    'a',
    'a.b',
    'a.b.c',
    'a.b.c.d.e',
    '..',
    '...',
    'e30.e30.e30',
    'bnVsbA.bnVsbA.AA',
    'W10.W10.AA',
    '-.-.-',
    `${'A'.repeat(20_000)}.e30.AA`,
    await withPayload('{"iss":{}}'),
  ];
  for (const token of tokens) assert.notEqual(await outcome(authenticator, token), 'accepted', token.slice(0, 20));
});

test('a missing scope is `auth.insufficient_scope` and names all that are needed', async () => {
  const authenticator = gateway();
  const authorization = `Bearer ${await idp.sign(claimsAt(idp.issuer, clock.nowMs()))}`;
  const requiredScopes = ['mcp:tools', 'mcp:admin'];
  const refused = { code: 'auth.insufficient_scope', detail: { scopes: requiredScopes } };
  await assert.rejects(async () => authenticator.authenticate({ authorization, requiredScopes }), refused);
  assert.throws(() => authenticator.authenticate({ authorization, requiredScopes }), refused);
  assert.ok(authenticator.authenticate({ authorization, requiredScopes: ['mcp:tools'] }));
});

test('a request can narrow the audiences', async () => {
  const authenticator = gateway({ audiences: [audience, 'https://gateway.example/mcp/billing'] });
  const authorization = `Bearer ${await idp.sign(claimsAt(idp.issuer, clock.nowMs()))}`;
  assert.ok(await authenticator.authenticate({ authorization, audiences: [audience] }));
  const billing = { authorization, audiences: ['https://gateway.example/mcp/billing'] };
  assert.throws(() => authenticator.authenticate(billing), { code: 'auth.invalid_token' });
});

test('an API key goes to its book, and its scopes are asked for too', async () => {
  const agent = { scopes: ['mcp:tools'] } as unknown as Identity;
  const asked: string[] = [];
  const authenticator = createAuthenticator({
    issuers: [],
    clock,
    apiKeys: {
      verify(token, nowMs) {
        asked.push(`${token} ${nowMs}`);
        return token === 'cst_a_good' ? agent : token === 'cst_b_late' ? Promise.resolve(agent) : undefined;
      },
    },
  });
  assert.equal(authenticator.authenticate({ authorization: 'Bearer cst_a_good' }), agent);
  assert.equal(await authenticator.authenticate({ authorization: 'Bearer cst_b_late' }), agent);
  assert.throws(() => authenticator.authenticate({ authorization: 'Bearer cst_c_bad' }), { code: 'auth.invalid_token' });
  const more = { authorization: 'Bearer cst_a_good', requiredScopes: ['x'] };
  assert.throws(() => authenticator.authenticate(more), { code: 'auth.insufficient_scope' });
  assert.equal(asked[0], `cst_a_good ${clock.nowMs()}`);
  assert.throws(() => gateway().authenticate({ authorization: 'Bearer cst_a_good' }), { code: 'auth.invalid_token' });
});

test('options that would be unsafe are refused', () => {
  const rows: [Partial<IssuerOptions>, RegExp][] = [
    [{ leewayS: 61 }, /leeway/],
    [{ leewayS: Number.NaN }, /leeway/],
    [{ algorithms: ['HS256'] }, /HS256/],
    [{ algorithms: ['none'] }, /none/],
    [{ algorithms: [] }, /algorithm/],
    [{ audiences: [] }, /audience/],
    [{ audiences: [''] }, /audience/],
    [{ issuer: 'http://idp.example' }, /https/],
    [{ issuer: 'https://user:pw@idp.example' }, /https/],
    [{ jwksUri: 'http://idp.example/jwks' }, /https/],
    [{ jwksUri: 'file:///etc/passwd' }, /https/],
    [{ maxTokenAgeS: 0 }, /age/],
    [{ mapping: { tenant: 'tenant' } }, /tenant/],
  ];
  for (const [extra, message] of rows) assert.throws(() => gateway(extra), { code: 'config.invalid', message }, JSON.stringify(extra));
  const issuer = { issuer: 'https://idp.example', audiences: ['a'] };
  assert.throws(() => createAuthenticator({ issuers: [issuer, issuer] }), /twice/);
});
