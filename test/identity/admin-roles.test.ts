import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createAdminAuthenticator, requireRole, rolesOf } from '../../src/identity/admin-roles.ts';
import { audience, claimsAt, startTestIssuer, testClock } from './test-issuer.ts';

const roles = { approver: ['finance', 'leads'], auditor: ['audit'], operator: ['sre'], admin: ['root'] };

test('roles come from groups, and admin has all of them', () => {
  assert.deepEqual([...rolesOf(['finance'], roles)], ['approver']);
  assert.deepEqual([...rolesOf(['sre', 'audit'], roles)], ['auditor', 'operator']);
  assert.deepEqual([...rolesOf(['root'], roles)], ['approver', 'auditor', 'operator', 'admin']);
  assert.deepEqual([...rolesOf(['admin', 'approver'], {})], []);
});

test('only a token for the admin audience opens the admin API, an API key never does', async (t) => {
  const idp = await startTestIssuer();
  t.after(() => idp.close());
  const clock = testClock();
  const admin = createAdminAuthenticator({ issuers: [{ issuer: idp.issuer, audiences: ['https://gateway.example/admin'] }], clock, roles });
  const bearer = async (extra: Record<string, unknown>): Promise<string> =>
    `Bearer ${await idp.sign(claimsAt(idp.issuer, clock.nowMs(), extra))}`;
  const approver = await bearer({ aud: 'https://gateway.example/admin', groups: ['finance'] });
  const who = await admin.authenticate({ authorization: approver });
  assert.equal(who.identity.subject, 'alice');
  assert.deepEqual([...who.roles], ['approver']);
  assert.deepEqual(admin.authenticate({ authorization: approver }), who, 'synchronous the second time');
  const ordinary = await bearer({ aud: audience, groups: ['root'] });
  await assert.rejects(async () => admin.authenticate({ authorization: ordinary }), {
    code: 'auth.invalid_token',
    detail: { reason: 'audience' },
  });
  assert.throws(() => admin.authenticate({ authorization: 'Bearer cst_a_b' }), { code: 'auth.invalid_token' });
  requireRole(who, 'approver');
  requireRole(who, 'operator', 'approver');
  assert.throws(() => requireRole(who, 'operator'), { code: 'admin.forbidden', message: /`operator`/ });
});
