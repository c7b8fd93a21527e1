import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { createAuthenticator, type Authenticator } from '../../src/identity/authenticator.ts';
import { metadataUrls } from '../../src/identity/issuer-metadata.ts';
import type { IdentityEvent, KeyTimes } from '../../src/identity/options.ts';
import { GatewayError } from '../../src/model/errors.ts';
import { audience, claimsAt, newTestKey, startTestIssuer, testClock, type TestIssuer } from './test-issuer.ts';

interface Rig {
  readonly idp: TestIssuer;
  readonly clock: ReturnType<typeof testClock>;
  readonly authenticator: Authenticator;
  readonly events: IdentityEvent[];
  readonly token: (kid?: string) => Promise<string>;
  readonly outcome: (token: string) => Promise<string>;
  readonly fetches: () => number;
}

async function rig(t: TestContext, keys: KeyTimes = {}): Promise<Rig> {
  const idp = await startTestIssuer();
  t.after(() => idp.close());
  const clock = testClock();
  const events: IdentityEvent[] = [];
  const authenticator = createAuthenticator({
    issuers: [{ issuer: idp.issuer, audiences: [audience] }],
    clock,
    keys,
    onEvent: (event) => events.push(event),
  });
  return {
    idp,
    clock,
    authenticator,
    events,
    token: (kid) =>
      idp.sign(
        claimsAt(idp.issuer, clock.nowMs(), { exp: clock.nowMs() / 1000 + 100_000, jti: crypto.randomUUID() }),
        kid === undefined ? {} : { kid },
      ),
    async outcome(token) {
      try {
        await authenticator.authenticate({ authorization: `Bearer ${token}` });
        return 'accepted';
      } catch (error) {
        assert.ok(error instanceof GatewayError, String(error));
        return error.code;
      }
    },
    fetches: () => idp.requests.filter((path) => path === '/jwks').length,
  };
}

/** Lets a refresh in the background end. */
async function settled(check: () => boolean): Promise<void> {
  for (let round = 0; round < 200 && !check(); round += 1) await new Promise((next) => setTimeout(next, 5));
  assert.ok(check(), 'the background refresh did not happen');
}

test('metadata is looked for in the order that MCP asks for', () => {
  assert.deepEqual(metadataUrls(new URL('https://idp.example/tenant/one')).map(String), [
    'https://idp.example/.well-known/oauth-authorization-server/tenant/one',
    'https://idp.example/.well-known/openid-configuration/tenant/one',
    'https://idp.example/tenant/one/.well-known/openid-configuration',
  ]);
  for (const issuer of ['https://idp.example', 'https://idp.example/'])
    assert.deepEqual(metadataUrls(new URL(issuer)).map(String), [
      'https://idp.example/.well-known/oauth-authorization-server',
      'https://idp.example/.well-known/openid-configuration',
    ]);
});

test('discovery takes the first place that has the metadata of this very issuer', async (t) => {
  const idp = await startTestIssuer('/tenant/one');
  t.after(() => idp.close());
  const own = { issuer: idp.issuer, jwks_uri: new URL('/jwks', idp.issuer).href };
  const authenticate = async (): Promise<unknown> => {
    const clock = testClock();
    const authenticator = createAuthenticator({ issuers: [{ issuer: idp.issuer, audiences: [audience] }], clock });
    return authenticator.authenticate({ authorization: `Bearer ${await idp.sign(claimsAt(idp.issuer, clock.nowMs()))}` });
  };
  const places = [
    '/.well-known/oauth-authorization-server/tenant/one',
    '/.well-known/openid-configuration/tenant/one',
    '/tenant/one/.well-known/openid-configuration',
  ];
  for (const place of places) {
    for (const other of places) idp.documents.delete(other);
    idp.documents.set(place, own);
    assert.ok(await authenticate(), place);
  }
  idp.documents.set(places[0]!, { ...own, issuer: 'https://evil.example' });
  assert.ok(await authenticate(), 'a place with the metadata of another issuer is passed over');
  const useless: unknown[] = [
    { ...own, issuer: `${idp.issuer}/` },
    { ...own, issuer: undefined },
    { ...own, jwks_uri: 'http://keys.example/jwks' },
    { ...own, jwks_uri: 'file:///etc/passwd' },
    { ...own, jwks_uri: undefined },
    'not json',
    '[]',
  ];
  for (const document of useless) {
    for (const place of places) idp.documents.set(place, document);
    await assert.rejects(authenticate, { code: 'auth.issuer_down' }, JSON.stringify(document));
  }
});

test('a remote issuer cannot point the gateway at its own machine', async () => {
  const asked: string[] = [];
  const authenticator = createAuthenticator({
    issuers: [{ issuer: 'https://idp.example', audiences: [audience] }],
    fetch: (url) => {
      asked.push(url.href);
      return Promise.resolve(Response.json({ issuer: 'https://idp.example', jwks_uri: 'http://127.0.0.1:1/jwks' }));
    },
  });
  assert.equal((await authenticator.warm())[0]?.state, 'none');
  assert.equal(asked.filter((url) => url.includes('127.0.0.1')).length, 0);
});

test('a flood of unknown key ids causes at most one fetch in 30 s', async (t) => {
  const { authenticator, clock, token, outcome, fetches } = await rig(t);
  await authenticator.warm();
  assert.equal(fetches(), 1);
  const tokens = await Promise.all(Array.from({ length: 200 }, (_, index) => token(`unknown-${index}`)));
  for (let second = 0; second < 120; second += 1) {
    const codes = await Promise.all(tokens.slice(0, 8).map(outcome));
    assert.ok(codes.every((code) => code === 'auth.invalid_token'));
    clock.advanceS(1);
  }
  assert.ok(fetches() <= 5, `${fetches()} fetches in 120 s`);
  clock.advanceS(30);
  const before = fetches();
  await Promise.all(tokens.map(outcome));
  assert.equal(fetches(), before + 1);
});

test('a new key is found by its id, once the fetch interval allows', async (t) => {
  const { idp, clock, token, outcome, fetches } = await rig(t);
  const old = await token();
  assert.equal(await outcome(old), 'accepted');
  idp.publish(newTestKey(), ...idp.keys);
  const fresh = await token();
  assert.equal(await outcome(fresh), 'auth.invalid_token');
  clock.advanceS(30);
  assert.equal(await outcome(fresh), 'accepted');
  assert.equal(await outcome(old), 'accepted');
  assert.equal(fetches(), 2);
});

test('a withdrawn key takes its cached tokens with it at the next refresh, and the greatest age forces one', async (t) => {
  const { idp, clock, token, outcome, fetches } = await rig(t);
  const old = await token();
  assert.equal(await outcome(old), 'accepted');
  idp.publish(newTestKey());
  clock.advanceS(299);
  assert.equal(await outcome(old), 'accepted');
  assert.equal(fetches(), 1);
  clock.advanceS(1);
  assert.equal(await outcome(old), 'accepted');
  await settled(() => fetches() === 2);
  await new Promise(setImmediate);
  assert.equal(await outcome(old), 'auth.invalid_token');

  const next = await token();
  assert.equal(await outcome(next), 'accepted');
  idp.publish(newTestKey());
  clock.advanceS(600);
  assert.equal(await outcome(next), 'auth.invalid_token', 'nothing asked for ten minutes: the first call waits for the keys');
});

test('while the issuer is down tokens are accepted up to the bound, then 503, and again when it is back', async (t) => {
  const { idp, clock, authenticator, token, outcome, events } = await rig(t);
  const early = await token();
  assert.equal(await outcome(early), 'accepted');
  const unseen = await token();
  idp.up = false;
  for (let minute = 1; minute < 70; minute += 1) {
    clock.advanceS(60);
    assert.equal(await outcome(early), 'accepted', `minute ${minute}`);
    if (minute === 60) assert.equal(await outcome(unseen), 'accepted', 'a token that was never seen is verified with the old keys');
    await new Promise((next) => setTimeout(next, 2));
  }
  assert.equal(authenticator.status()[0]?.state, 'stale');
  assert.equal(await outcome(await token('rotated-meanwhile')), 'auth.issuer_down', 'its key may be new: 503, not 401');
  clock.advanceS(60);
  assert.equal(await outcome(early), 'auth.issuer_down');
  assert.equal(await outcome(unseen), 'auth.issuer_down');
  assert.equal(authenticator.status()[0]?.state, 'expired');
  assert.ok(events.some((event) => event.kind === 'keys.failed'));
  idp.up = true;
  clock.advanceS(30);
  assert.equal(await outcome(early), 'accepted');
});

test('an issuer that was never there is 503 with a time to retry, asked once in 30 s', async (t) => {
  const { idp, clock, token, outcome, authenticator } = await rig(t);
  idp.up = false;
  const first = await token();
  await Promise.all(Array.from({ length: 20 }, () => outcome(first)));
  const asked = idp.requests.length;
  clock.advanceS(10);
  await assert.rejects(async () => authenticator.authenticate({ authorization: `Bearer ${first}` }), {
    code: 'auth.issuer_down',
    detail: { retry_after_s: 20 },
  });
  assert.equal(idp.requests.length, asked);
  idp.up = true;
  clock.advanceS(20);
  assert.equal(await outcome(first), 'accepted');
});

test('key documents that are too large, too slow, redirected or broken count as an outage', async (t) => {
  const { idp, clock, token, outcome } = await rig(t, { timeoutMs: 300 });
  type Answer = (response: {
    writeHead(status: number, headers?: object): { end(text?: string): void; write(text: string): void };
  }) => void;
  const rows: [string, unknown][] = [
    ['too large', `{"keys":[],"pad":"${'x'.repeat(600_000)}"}`],
    ['redirect', ((response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()) satisfies Answer],
    ['server error', ((response) => response.writeHead(500).end()) satisfies Answer],
    ['missing', ((response) => response.writeHead(404).end()) satisfies Answer],
    ['drips', ((response) => response.writeHead(200).write('{')) satisfies Answer],
    ['hangs', (() => undefined) satisfies Answer],
    ['not JSON', '<html>'],
    ['no key set', '{"keys":{}}'],
    ['invalid UTF-8', ((response) => response.writeHead(200).end(Buffer.from([0x7b, 0xff, 0x7d]) as unknown as string)) satisfies Answer],
  ];
  const good = idp.documents.get('/jwks');
  for (const [name, document] of rows) {
    idp.documents.set('/jwks', document);
    assert.equal(await outcome(await token()), 'auth.issuer_down', name);
    clock.advanceS(30);
  }
  idp.documents.set('/jwks', good);
  assert.equal(await outcome(await token()), 'accepted');
});

test('an issuer that withdraws every key has no good tokens left', async (t) => {
  const { idp, clock, token, outcome } = await rig(t);
  const old = await token();
  assert.equal(await outcome(old), 'accepted');
  idp.documents.set('/jwks', { keys: [] });
  clock.advanceS(600);
  assert.equal(await outcome(old), 'auth.invalid_token');
});

test('weak keys in a set are left out and reported, the others serve', async (t) => {
  const { idp, token, outcome, events } = await rig(t);
  idp.documents.set('/jwks', { keys: [{ kty: 'oct', k: 'AAAA', kid: 'mac' }, ...idp.keys.map((key) => key.jwk)] });
  assert.equal(await outcome(await token()), 'accepted');
  assert.deepEqual(events, [
    {
      kind: 'keys.refreshed',
      issuer: idp.issuer,
      keys: 1,
      refused: [{ kid: 'mac', reason: 'it is a private or symmetric key, published' }],
    },
  ]);
});

test('a clock that is set back holds no fetch up', async (t) => {
  const { idp, clock, token, outcome } = await rig(t);
  assert.equal(await outcome(await token()), 'accepted');
  clock.advanceS(-300);
  idp.publish(newTestKey());
  assert.equal(await outcome(await token()), 'accepted');
});
