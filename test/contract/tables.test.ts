import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { digestText } from '../../src/model/digest.ts';
import type { ReleaseId, TenantId } from '../../src/model/ids.ts';
import type { Db } from '../../src/model/ports.ts';
import { createApiKeyBook } from '../../src/store/api-keys.ts';
import { createReleases } from '../../src/store/releases.ts';
import { createToolPins } from '../../src/store/tool-pins.ts';
import { engines, type FreshDatabase } from './engines.ts';

const tenant = 'default' as TenantId;
const nowMs = 1_700_000_000_000;
const dayMs = 86_400_000;

for (const engine of engines) {
  describe(`keys, pins and releases on ${engine.name}`, { skip: engine.skip }, () => {
    let fresh: FreshDatabase;
    let db: Db;
    beforeEach(async () => {
      fresh = await engine.fresh();
      db = await fresh.open();
    });
    afterEach(async () => {
      await db.close();
      await fresh.drop();
    });
    const wanted = {
      tenant,
      subject: 'nightly-build',
      groups: ['ci'],
      scopes: ['tools'],
      createdBy: 'alice',
      expiresAtMs: nowMs + 30 * dayMs,
    };

    it('tells a key once, stores no part of its secret, and knows who calls with it', async () => {
      const book = createApiKeyBook(db);
      const { key, token } = await book.create(wanted, nowMs);
      assert.match(token, /^cst_[A-Za-z0-9_-]{22}_[A-Za-z0-9_-]{43}$/);
      assert.deepEqual(key, { ...wanted, id: key.id, createdAtMs: nowMs, revokedAtMs: null, lastUsedAtMs: null });
      const stored = JSON.stringify(await db.query('SELECT * FROM api_key'));
      assert.ok(!stored.includes(token.slice(-43)));
      assert.deepEqual(await book.verify(token, nowMs + 1), {
        issuer: 'urn:castellan:api-keys',
        subject: 'nightly-build',
        client: key.id,
        kind: 'service',
        tenant,
        groups: ['ci'],
        scopes: ['tools'],
        claims: {},
        auth: { method: 'key', issuedAtMs: nowMs, expiresAtMs: wanted.expiresAtMs },
        onBehalfOf: null,
      });
    });

    it('knows nobody by a key that is wrong, unknown, expired or revoked', async () => {
      const book = createApiKeyBook(db);
      const { key, token } = await book.create(wanted, nowMs);
      const other = await book.create({ ...wanted, tenant: 'other' as TenantId }, nowMs);
      const last = token.at(-1)!;
      const wrong = [
        '',
        'cst_',
        token.toUpperCase(),
        `${token}A`,
        token.slice(0, -1),
        // The same bytes in another writing: the last letter of base64url carries spare bits.
        token.slice(0, -1) + String.fromCharCode(last.charCodeAt(0) + 1),
        token.slice(0, 27) + other.token.slice(27),
        other.token.slice(0, 27) + token.slice(27),
        `cst_${'A'.repeat(22)}_${token.slice(-43)}`,
        `${token}\0`,
        `cst_${"' OR 1=1 --".padEnd(22, 'x')}_${token.slice(-43)}`,
      ];
      for (const text of wrong) assert.equal(await book.verify(text, nowMs), undefined, text);
      assert.equal(await book.verify(token, wanted.expiresAtMs), undefined);
      assert.equal((await book.revoke(tenant, key.id, nowMs + 5)).revokedAtMs, nowMs + 5);
      assert.equal((await book.revoke(tenant, key.id, nowMs + 9)).revokedAtMs, nowMs + 5);
      assert.equal(await book.verify(token, nowMs), undefined);
      await assert.rejects(book.revoke(tenant, other.key.id, nowMs), { code: 'not_found' });
      assert.deepEqual(
        (await book.list(tenant)).map((one) => one.id),
        [key.id],
      );
    });

    it('notes when a key was last used, coarsely', async () => {
      const book = createApiKeyBook(db);
      const { token } = await book.create(wanted, nowMs);
      const used = async (atMs: number) => {
        await book.verify(token, atMs);
        return (await book.list(tenant))[0]!.lastUsedAtMs;
      };
      assert.equal(await used(nowMs + 1), nowMs + 1);
      assert.equal(await used(nowMs + 60_000), nowMs + 1);
      assert.equal(await used(nowMs + 400_000), nowMs + 400_000);
    });

    it('makes no key without a subject or a near enough end', async () => {
      const book = createApiKeyBook(db);
      for (const change of [{ subject: '' }, { expiresAtMs: nowMs }, { expiresAtMs: nowMs + 400 * dayMs }, { expiresAtMs: NaN }])
        await assert.rejects(book.create({ ...wanted, ...change }, nowMs), { code: 'request.invalid' });
    });

    it('keeps the first-seen digest of a tool, and a new one with a new time when it is replaced', async () => {
      let clock = 1;
      const pins = createToolPins({ db, tenant, now: () => clock });
      const others = createToolPins({ db, tenant: 'other' as TenantId, now: () => clock });
      await pins.put('files', 'read', digestText('a'));
      clock = 2;
      await pins.put('files', 'read', digestText('a'));
      await pins.put('files', 'Read', digestText('b'));
      assert.equal(await pins.get('files', 'read'), digestText('a'));
      assert.equal(await others.get('files', 'read'), undefined);
      assert.deepEqual(await pins.list('files'), [
        { upstream: 'files', tool: 'Read', digest: digestText('b'), firstSeenMs: 2 },
        { upstream: 'files', tool: 'read', digest: digestText('a'), firstSeenMs: 1 },
      ]);
      await pins.put('files', 'read', digestText('c'));
      assert.deepEqual((await pins.list()).at(-1), { upstream: 'files', tool: 'read', digest: digestText('c'), firstSeenMs: 2 });
    });

    it('remembers the releases that were in force', async () => {
      const releases = createReleases(db);
      const one = { id: 'r1' as ReleaseId, digest: digestText('1'), commit: 'abc-dirty', loadedAtMs: 1 };
      const two = { id: 'r2' as ReleaseId, digest: digestText('2'), commit: null, loadedAtMs: 2 };
      await releases.record(tenant, one);
      await releases.record(tenant, two);
      await releases.record(tenant, { ...one, loadedAtMs: 3 });
      assert.deepEqual(await releases.list(tenant, 10), [{ ...one, loadedAtMs: 3 }, two]);
      assert.deepEqual(await releases.get(tenant, two.id), two);
      assert.equal(await releases.get('other' as TenantId, two.id), undefined);
    });
  });
}
