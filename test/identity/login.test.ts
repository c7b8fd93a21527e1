import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startIdentityProvider, type IdentityProvider } from '../../src/demo/identity-provider.ts';
import { createAdminAuthenticator } from '../../src/identity/admin-roles.ts';
import { refreshLogin, startCodeLogin, startDeviceLogin, type LoginOptions } from '../../src/identity/login.ts';
import { newBrowser } from './browser.ts';

const adminAudience = 'http://127.0.0.1:8081/admin';
let idp: IdentityProvider;
let options: LoginOptions;

before(async () => {
  idp = await startIdentityProvider({
    users: [{ subject: 'carol', name: 'Carol <admin>', groups: ['leads'] }],
    resources: [adminAudience],
    scopes: ['castellan:admin'],
  });
  options = {
    issuer: idp.issuer,
    clientId: 'castellan',
    resource: adminAudience,
    scopes: ['openid', 'offline_access', 'castellan:admin'],
    timeoutMs: 20_000,
  };
});
after(() => idp.close());

async function rolesWith(accessToken: string): Promise<readonly string[]> {
  const admin = createAdminAuthenticator({ issuers: [{ issuer: idp.issuer, audiences: [adminAudience] }], roles: { approver: ['leads'] } });
  const { identity, roles } = await admin.authenticate({ authorization: `Bearer ${accessToken}` });
  assert.equal(identity.subject, 'carol');
  return [...roles];
}

/** Signs in on the page at `url` as carol and gives the address that the browser is sent to in the end. */
async function signIn(url: string): Promise<URL> {
  const browser = newBrowser();
  const atCallback = (address: URL): boolean => address.pathname === '/callback';
  const login = await browser.open(url);
  assert.match(login.text, /Carol &#60;admin&#62;/);
  const consent = await browser.submit(login, { subject: 'carol' });
  assert.match(consent.text, /asks for: openid offline_access castellan:admin/);
  return (await browser.submit(consent, {}, atCallback)).url;
}

test('code and PKCE: the tokens are for the admin audience, and refreshing gives new ones', async () => {
  const login = await startCodeLogin(options);
  const asked = new URL(login.url).searchParams;
  assert.equal(asked.get('code_challenge_method'), 'S256');
  assert.equal(asked.get('resource'), adminAudience);
  assert.match(asked.get('redirect_uri') ?? '', /^http:\/\/127\.0\.0\.1:\d+\/callback$/);
  const page = await fetch(await signIn(login.url));
  assert.equal(page.status, 200);
  assert.match(await page.text(), /Back to the terminal/);
  const tokens = await login.tokens;
  assert.equal(tokens.subject, 'carol');
  assert.ok(tokens.scopes.includes('castellan:admin'));
  assert.ok(tokens.expiresAtMs > Date.now() + 3000_000);
  assert.deepEqual(await rolesWith(tokens.accessToken), ['approver']);

  const next = await refreshLogin(options, tokens.refreshToken ?? '');
  assert.notEqual(next.accessToken, tokens.accessToken);
  assert.notEqual(next.refreshToken, tokens.refreshToken);
  assert.deepEqual(await rolesWith(next.accessToken), ['approver']);
  await idp.rotateKeys();
  assert.deepEqual(await rolesWith((await refreshLogin(options, next.refreshToken ?? '')).accessToken), ['approver']);
  await assert.rejects(refreshLogin(options, tokens.refreshToken ?? ''), { code: 'auth.invalid_token', message: /invalid_grant/ });
});

test('the response must carry the state, on GET, to this host; anything else does not end the wait', async () => {
  const login = await startCodeLogin(options);
  const redirectUri = new URL(login.url).searchParams.get('redirect_uri') ?? '';
  const state = new URL(login.url).searchParams.get('state') ?? '';
  assert.equal((await fetch(`${redirectUri}?code=x&state=wrong`)).status, 400);
  assert.equal((await fetch(`${redirectUri}?code=x`)).status, 400);
  assert.equal((await fetch(`${redirectUri}?code=x&state=${state}`, { method: 'POST' })).status, 400);
  assert.equal((await fetch(redirectUri.replace('/callback', `/other?state=${state}`))).status, 400);
  assert.equal((await fetch(`${redirectUri.replace('127.0.0.1', 'localhost')}?code=x&state=${state}`)).status, 400);
  await fetch(await signIn(login.url));
  assert.equal((await login.tokens).subject, 'carol');
});

test('a response of another issuer, or of none, is refused before its code is redeemed (RFC 9207)', async () => {
  for (const iss of ['https://evil.example', undefined]) {
    const login = await startCodeLogin(options);
    const callback = await signIn(login.url);
    if (iss === undefined) callback.searchParams.delete('iss');
    else callback.searchParams.set('iss', iss);
    const before = idp.requests('/token');
    await fetch(callback);
    await assert.rejects(login.tokens, { code: 'auth.invalid_token' });
    assert.equal(idp.requests('/token'), before);
  }
});

test('a refusal at the issuer, a wait that is too long and a cancellation end the sign-in with words', async () => {
  const refused = await startCodeLogin(options);
  const asked = new URL(refused.url).searchParams;
  const answer = new URLSearchParams({ error: 'access_denied', state: asked.get('state') ?? '', iss: idp.issuer });
  await fetch(`${asked.get('redirect_uri') ?? ''}?${answer.toString()}`);
  await assert.rejects(refused.tokens, { code: 'auth.invalid_token', message: /`access_denied`/ });
  await assert.rejects((await startCodeLogin({ ...options, timeoutMs: 50 })).tokens, { code: 'auth.invalid_token', message: /timeout/ });
  const cancelled = await startCodeLogin(options);
  cancelled.cancel();
  await assert.rejects(cancelled.tokens, { code: 'auth.invalid_token', message: /cancelled/ });
  const redirectUri = new URL(cancelled.url).searchParams.get('redirect_uri') ?? '';
  await new Promise((next) => setTimeout(next, 250));
  await assert.rejects(fetch(redirectUri), 'the port is free again');
});

test('device authorization: the code typed on another device gives tokens here', async () => {
  const login = await startDeviceLogin(options);
  assert.match(login.userCode, /^[A-Z]{4}-[A-Z]{4}$/);
  const browser = newBrowser();
  const entry = await browser.open(login.verificationUri);
  const confirm = await browser.submit(entry, { user_code: login.userCode });
  assert.match(confirm.text, /Confirm the code/);
  const signInPage = await browser.submit(confirm, {});
  const consent = await browser.submit(signInPage, { subject: 'carol' });
  const done = await browser.submit(consent, {});
  assert.match(done.text, /Signed in/);
  const tokens = await login.tokens;
  assert.equal(tokens.subject, 'carol');
  assert.deepEqual(await rolesWith(tokens.accessToken), ['approver']);
  assert.deepEqual(await rolesWith((await refreshLogin(options, tokens.refreshToken ?? '')).accessToken), ['approver']);
});

test('a device sign-in can be cancelled', async () => {
  const login = await startDeviceLogin(options);
  login.cancel();
  await assert.rejects(login.tokens, { code: 'auth.invalid_token' });
});

test('an issuer without PKCE, one that is another, one that is away and one over plain HTTP are refused', async (t) => {
  let metadata: Record<string, unknown> = {};
  const server = createServer((_request, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(metadata)),
  );
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => server.close());
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const endpoints = { authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, response_types_supported: ['code'] };
  const mine = { ...options, issuer };
  metadata = { issuer, ...endpoints };
  await assert.rejects(startCodeLogin(mine), { code: 'request.invalid', message: /PKCE/ });
  await assert.rejects(startDeviceLogin(mine), { code: 'request.invalid', message: /device/ });
  metadata = { issuer: 'https://evil.example', ...endpoints, code_challenge_methods_supported: ['S256'] };
  await assert.rejects(startCodeLogin(mine), { code: 'auth.issuer_down' });
  await assert.rejects(startCodeLogin({ ...options, issuer: 'http://idp.example' }), { code: 'request.invalid', message: /https/ });
  await assert.rejects(startCodeLogin({ ...options, issuer: 'http://127.0.0.1:9' }), { code: 'auth.issuer_down' });
});
