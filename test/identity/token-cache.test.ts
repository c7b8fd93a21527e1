import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createAuthenticator, type Authenticator } from '../../src/identity/authenticator.ts';
import { GatewayError } from '../../src/model/errors.ts';
import { audience, claimsAt, startTestIssuer, testClock, type TestIssuer } from './test-issuer.ts';

let idp: TestIssuer;
before(async () => {
  idp = await startTestIssuer();
});
after(() => idp.close());

const clock = testClock();

async function outcome(authenticator: Authenticator, token: string): Promise<string> {
  try {
    await authenticator.authenticate({ authorization: `Bearer ${token}` });
    return 'accepted';
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    return error.code === 'auth.invalid_token' ? String(error.detail?.['reason']) : error.code;
  }
}

test('a cached token is refused from its expiry on, at the second', async () => {
  const mine = testClock();
  const authenticator = createAuthenticator({
    issuers: [{ issuer: idp.issuer, audiences: [audience], leewayS: 60 }],
    clock: mine,
    keys: { refreshS: 1e6, maxAgeS: 1e6 },
    cache: { maxAgeS: 1e6 },
  });
  const token = await idp.sign(claimsAt(idp.issuer, mine.nowMs()));
  assert.equal(await outcome(authenticator, token), 'accepted');
  mine.advanceS(3600 + 59);
  assert.equal(authenticator.authenticate({ authorization: `Bearer ${token}` }) instanceof Promise, false);
  mine.advanceS(1);
  assert.equal(await outcome(authenticator, token), 'expired');
});

test('the cache is bounded, and forgets on request', async () => {
  const authenticator = createAuthenticator({ issuers: [{ issuer: idp.issuer, audiences: [audience] }], clock, cache: { maxEntries: 2 } });
  const tokens = await Promise.all(['a', 'b', 'c'].map((sub) => idp.sign(claimsAt(idp.issuer, clock.nowMs(), { sub }))));
  for (const token of tokens) assert.equal(await outcome(authenticator, token), 'accepted');
  const cached = tokens.map((token) => !(authenticator.authenticate({ authorization: `Bearer ${token}` }) instanceof Promise));
  assert.deepEqual(cached, [false, true, true]);
  await new Promise(setImmediate);
  assert.equal(await outcome(authenticator, tokens[2]!), 'accepted');
  assert.equal(
    authenticator.forget((identity) => identity.subject === 'c'),
    1,
  );
  assert.ok(authenticator.authenticate({ authorization: `Bearer ${tokens[2]}` }) instanceof Promise);
});

test('the cached path costs less than 5 µs', async (t) => {
  const authenticator = createAuthenticator({ issuers: [{ issuer: idp.issuer, audiences: [audience] }], clock });
  const token = await idp.sign(
    claimsAt(idp.issuer, clock.nowMs(), { groups: Array.from({ length: 20 }, (_, index) => `group-number-${index}`) }),
  );
  const request = { authorization: `Bearer ${token}` };
  await authenticator.authenticate(request);
  const rounds = 20_000;
  const bestUs = Math.min(
    ...[1, 2, 3, 4, 5].map(() => {
      const startedNs = process.hrtime.bigint();
      for (let round = 0; round < rounds; round += 1) void authenticator.authenticate(request);
      return Number(process.hrtime.bigint() - startedNs) / rounds / 1000;
    }),
  );
  t.diagnostic(`${bestUs.toFixed(2)} µs for a token of ${token.length} characters`);
  assert.ok(bestUs < 5, `${bestUs} µs`);
});
