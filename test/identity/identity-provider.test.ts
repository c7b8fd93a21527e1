import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createAuthenticator, type Authenticator } from '../../src/identity/authenticator.ts';
import { startIdentityProvider, type IdentityProvider } from '../../src/demo/identity-provider.ts';
import { newBrowser } from './browser.ts';
import { GatewayError } from '../../src/model/errors.ts';

const support = 'http://127.0.0.1:8080/mcp/support';
const billing = 'http://127.0.0.1:8080/mcp/billing';
let idp: IdentityProvider;
let skewMs = 0;
const clock = { nowMs: () => Date.now() + skewMs };

before(async () => {
  idp = await startIdentityProvider({
    users: [
      { subject: 'alice', name: 'Alice', groups: ['eng'] },
      { subject: 'bob', name: 'Bob', groups: ['finance', 'leads'] },
    ],
    clients: [{ clientId: 'castellan' }, { clientId: 'nightly', secret: 'a-long-enough-secret', groups: ['batch'] }],
    resources: [support, billing],
    scopes: ['mcp:tools', 'mcp:write'],
  });
});
after(() => idp.close());

function gateway(): Authenticator {
  skewMs = 0;
  return createAuthenticator({ issuers: [{ issuer: idp.issuer, audiences: [support], leewayS: 0 }], clock });
}

async function outcome(authenticator: Authenticator, token: string): Promise<string> {
  try {
    return (await authenticator.authenticate({ authorization: `Bearer ${token}` })).subject;
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    return error.code;
  }
}

test('tokens of the provider are accepted for their resource only, with the groups of the user', async () => {
  const authenticator = gateway();
  const token = await idp.tokenFor('bob', { resource: support, scope: 'mcp:tools', expiresInS: 120 });
  const identity = await authenticator.authenticate({ authorization: `Bearer ${token}` });
  assert.deepEqual(
    [
      identity.subject,
      identity.client,
      identity.kind,
      identity.groups,
      identity.scopes,
      identity.auth.expiresAtMs - identity.auth.issuedAtMs,
    ],
    ['bob', 'castellan', 'user', ['finance', 'leads'], ['mcp:tools'], 120_000],
  );
  assert.equal(await outcome(authenticator, await idp.tokenFor('alice', { resource: billing })), 'auth.invalid_token');
  skewMs = 121_000;
  assert.equal(await outcome(authenticator, token), 'auth.invalid_token');
});

test('the provider gives no token for strangers, for other resources, or to who does not know the secret', async () => {
  await assert.rejects(idp.tokenFor('mallory', { resource: support }), /no such user|invalid_grant/);
  await assert.rejects(idp.tokenFor('alice', { resource: 'https://elsewhere.example' }), /invalid_target/);
  const body = new URLSearchParams({
    grant_type: 'urn:castellan:demo:subject',
    subject: 'alice',
    resource: support,
    client_id: 'castellan',
    grant_secret: 'guess',
  });
  const response = await fetch(`${idp.issuer}/token`, { method: 'POST', body });
  assert.equal(((await response.json()) as { error: string }).error, 'invalid_grant');
});

test('client credentials give the identity of a service', async () => {
  const body = new URLSearchParams({ grant_type: 'client_credentials', resource: support, scope: 'mcp:tools' });
  const authorization = `Basic ${Buffer.from('nightly:a-long-enough-secret').toString('base64')}`;
  const response = await fetch(`${idp.issuer}/token`, { method: 'POST', body, headers: { authorization } });
  const { access_token: token } = (await response.json()) as { access_token: string };
  const identity = await gateway().authenticate({ authorization: `Bearer ${token}` });
  assert.deepEqual([identity.kind, identity.subject, identity.client, identity.groups], ['service', 'nightly', 'nightly', ['batch']]);
});

test('an opaque token is no access token here', async () => {
  assert.equal(await outcome(gateway(), 'J9GDCff_hpcSfT-s2rNtMY9Z0XOyFnP7XqqVwLnmvne'), 'auth.invalid_token');
});

test('after a rotation with overlap old and new tokens are accepted, after one without only new ones', async () => {
  const authenticator = gateway();
  const first = await idp.tokenFor('alice', { resource: support });
  assert.equal(await outcome(authenticator, first), 'alice');
  await idp.rotateKeys({ keepOld: true });
  const second = await idp.tokenFor('alice', { resource: support });
  skewMs = 31_000;
  assert.equal(await outcome(authenticator, second), 'alice');
  assert.equal(await outcome(authenticator, first), 'alice');
  await idp.rotateKeys();
  const third = await idp.tokenFor('alice', { resource: support });
  skewMs = 62_000;
  assert.equal(await outcome(authenticator, third), 'alice');
  assert.equal(await outcome(authenticator, first), 'auth.invalid_token');
  assert.equal(await outcome(authenticator, second), 'auth.invalid_token');
});

test('an outage of the provider: its tokens go on until the bound, then 503, and go on when it is back', async () => {
  const authenticator = gateway();
  const token = await idp.tokenFor('alice', { resource: support, expiresInS: 20_000 });
  assert.equal(await outcome(authenticator, token), 'alice');
  idp.pause();
  for (skewMs = 0; skewMs < 4200_000; skewMs += 300_000) {
    assert.equal(await outcome(authenticator, token), 'alice', `${skewMs} ms`);
    await new Promise((next) => setTimeout(next, 10));
  }
  skewMs = 4210_000;
  assert.equal(await outcome(authenticator, token), 'auth.issuer_down');
  idp.resume();
  skewMs = 4241_000;
  assert.equal(await outcome(authenticator, token), 'alice');
});

test('a thousand unknown key ids ask the provider for its keys once', async () => {
  const authenticator = gateway();
  await authenticator.warm();
  skewMs = 31_000;
  const before = idp.requests('/jwks');
  const [, payload, signature] = (await idp.tokenFor('alice', { resource: support })).split('.');
  const forged = Array.from({ length: 1000 }, (_, index) => {
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: `k${index}` })).toString('base64url');
    return outcome(authenticator, `${header}.${payload}.${signature}`);
  });
  assert.deepEqual(new Set(await Promise.all(forged)), new Set(['auth.invalid_token']));
  assert.equal(idp.requests('/jwks') - before, 1);
});

test('an MCP client that registers itself signs in and gets a token for the endpoint', async () => {
  const redirectUri = 'http://localhost:3334/oauth/callback';
  const registration = await fetch(`${idp.issuer}/reg`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'an agent',
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    }),
  });
  const { client_id: clientId } = (await registration.json()) as { client_id: string };
  const verifier = 'v'.repeat(64);
  const challenge = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(verifier))).toString('base64url');
  const url = new URL(`${idp.issuer}/auth`);
  const ask = { client_id: clientId, redirect_uri: redirectUri, response_type: 'code', scope: 'mcp:tools', resource: support, state: 's' };
  url.search = new URLSearchParams({ ...ask, code_challenge: challenge, code_challenge_method: 'S256' }).toString();
  const browser = newBrowser();
  const consent = await browser.submit(await browser.open(url.href), { subject: 'alice' });
  const callback = await browser.submit(consent, {}, (address) => address.port === '3334');
  const redeem = {
    grant_type: 'authorization_code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code_verifier: verifier,
    resource: support,
  };
  const body = new URLSearchParams({ ...redeem, code: callback.url.searchParams.get('code') ?? '' });
  const answer = (await (await fetch(`${idp.issuer}/token`, { method: 'POST', body })).json()) as { access_token: string };
  const identity = await gateway().authenticate({ authorization: `Bearer ${answer.access_token}` });
  assert.deepEqual([identity.subject, identity.client, identity.scopes], ['alice', clientId, ['mcp:tools']]);
});
