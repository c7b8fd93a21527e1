import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mapClaims } from '../../src/identity/map-claims.ts';
import { settleIssuer, type IssuerOptions } from '../../src/identity/options.ts';
import { parseJsonObject } from '../../src/identity/compact-jws.ts';
import type { Identity } from '../../src/model/identity.ts';

const facts = { audiences: ['a'], issuedAtMs: 1, expiresAtMs: 2, refusedFromMs: 2 };

function map(claims: Record<string, unknown>, options: Partial<IssuerOptions> = {}): Identity {
  const issuer = settleIssuer({ issuer: 'https://idp.example', audiences: ['a'], ...options });
  return mapClaims({ sub: 'alice', client_id: 'agent', ...claims }, facts, issuer);
}

test('groups and scopes are lists or names separated by spaces, wherever the mapping says', () => {
  assert.deepEqual(map({ groups: ['a', 'b'] }).groups, ['a', 'b']);
  assert.deepEqual(map({ groups: 'a b ' }).groups, ['a', 'b']);
  assert.deepEqual(map({}).groups, []);
  assert.deepEqual(map({ realm_access: { roles: ['r'] } }, { mapping: { groups: '/realm_access/roles' } }).groups, ['r']);
  assert.deepEqual(map({ 'https://x.example/groups': ['g'] }, { mapping: { groups: 'https://x.example/groups' } }).groups, ['g']);
  assert.deepEqual(map({ 'a/b': { c: ['d'] } }, { mapping: { groups: '/a~1b/c' } }).groups, ['d']);
  assert.deepEqual(map({ scp: ['one'] }).scopes, ['one']);
  assert.deepEqual(map({ scope: 'one two', scp: ['three'] }).scopes, ['one', 'two']);
  assert.deepEqual(map({ perms: 'x' }, { mapping: { scopes: 'perms' } }).scopes, ['x']);
  assert.deepEqual(map({}, { mapping: { groups: '/__proto__/constructor' } }).groups, []);
});

test('a claim that is there and cannot be read refuses the token', () => {
  const rows: [Record<string, unknown>, Partial<IssuerOptions>?][] = [
    [{ groups: 7 }],
    [{ groups: [7] }],
    [{ groups: null }],
    [{ groups: { a: 1 } }],
    [{ groups: Array.from({ length: 2001 }, (_, index) => `g${index}`) }],
    [{ _claim_names: { groups: 'src1' } }],
    [{ scope: 7 }],
    [{ sub: '' }],
    [{ sub: 7 }],
    [{ sub: undefined }],
    [{ sub: 'a\nb' }],
    [{ client_id: undefined }],
    [{ client_id: '' }],
    [{ act: 'bob' }],
    [{ act: {} }],
    [{ act: [] }],
    [{}, { mapping: { tenant: 'org' }, tenants: ['acme'] }],
    [{ org: 'evil' }, { mapping: { tenant: 'org' }, tenants: ['acme'] }],
  ];
  for (const [claims, options] of rows)
    assert.throws(
      () => map(claims, options),
      { code: 'auth.invalid_token', detail: { reason: 'claims' } },
      JSON.stringify(claims).slice(0, 60),
    );
});

test('client, kind and tenant follow the mapping', () => {
  assert.equal(map({ client_id: undefined, azp: 'spa' }).client, 'spa');
  assert.equal(map({ cid: 'okta' }, { mapping: { client: 'cid' } }).client, 'okta');
  assert.equal(map({ sub: 'agent' }).kind, 'service');
  assert.equal(map({}).kind, 'user');
  assert.equal(map({ oid: 'o-1' }, { mapping: { subject: 'oid' } }).subject, 'o-1');
  assert.equal(map({}, { tenant: 'acme' }).tenant, 'acme');
  assert.equal(map({ org: 'acme' }, { mapping: { tenant: 'org' }, tenants: ['acme'] }).tenant, 'acme');
});

test('a delegated token keeps its subject and shows that somebody acts for it', () => {
  const identity = map({ act: { sub: 'assistant-7' } });
  assert.equal(identity.subject, 'alice');
  assert.deepEqual(identity.onBehalfOf, { issuer: 'https://idp.example', subject: 'alice' });
  assert.deepEqual(identity.claims, { act: { sub: 'assistant-7' } });
  assert.equal(map({}).onBehalfOf, null);
});

test('exposed claims are those listed, long numbers exact, and the identity cannot be changed', () => {
  const claims = parseJsonObject(Buffer.from('{"employee":12345678901234567890,"mail":"a@b.example","__proto__":{"x":1},"other":1}')) ?? {};
  const identity = map(claims, { exposedClaims: ['employee', 'mail', 'constructor', 'missing'] });
  assert.equal(JSON.stringify(identity.claims), '{"employee":12345678901234567890,"mail":"a@b.example"}');
  assert.throws(() => ((identity as { subject: string }).subject = 'eve'), TypeError);
  assert.throws(() => (identity.groups as string[]).push('admin'), TypeError);
});
