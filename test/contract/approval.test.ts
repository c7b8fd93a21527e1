import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createApprovalBook, type OpenApprovalBook } from '../../src/approval/book.ts';
import type { Approval } from '../../src/model/approval.ts';
import type { ApprovalId, TenantId } from '../../src/model/ids.ts';
import type { Db } from '../../src/model/ports.ts';
import { request, requesterPrincipal, startMs, tenant, voter } from '../approval/requests.ts';
import { engines, type FreshDatabase } from './engines.ts';

for (const engine of engines) {
  describe(`approvals on ${engine.name}`, { skip: engine.skip }, () => {
    let fresh: FreshDatabase;
    let db: Db;
    let nowMs: number;
    let changes: Approval[];
    let book: OpenApprovalBook;
    beforeEach(async () => {
      fresh = await engine.fresh();
      db = await fresh.open();
      nowMs = startMs;
      changes = [];
      book = createApprovalBook({ db, now: () => nowMs, onChange: (approval) => changes.push(approval) });
    });
    afterEach(async () => {
      book.close();
      await db.close();
      await fresh.drop();
    });
    const approved = async (what: string) => {
      const { id } = await book.open(request(what));
      return book.vote(tenant, id, voter('bob'), nowMs);
    };

    it('files a held call with all that an approver is shown, exact numbers included', async () => {
      const asked = request('a');
      const opened = await book.open(asked);
      assert.match(opened.id, /^apr_/);
      assert.deepEqual({ ...opened, arguments: null }, { ...asked, arguments: null, id: opened.id, state: 'pending', votes: [] });
      assert.equal(JSON.stringify(opened.arguments), JSON.stringify(asked.arguments));
      assert.deepEqual(await book.get(tenant, opened.id), opened);
    });

    it('makes one approval of a call that is asked twice, or by many at once', async () => {
      const other = await fresh.open();
      const books = [book, createApprovalBook({ db: other, now: () => nowMs })];
      const all = await Promise.all(Array.from({ length: 20 }, (_, index) => books[index % 2]!.open(request('same'))));
      assert.equal(new Set(all.map((one) => one.id)).size, 1);
      assert.notEqual((await book.open(request('different'))).id, all[0]!.id);
      assert.equal(await book.countPending(tenant), 2);
      await other.close();
    });

    it('spends once, whoever tries at the same time', async () => {
      const { id, binding } = await approved('a');
      const other = await fresh.open();
      const books = [book, createApprovalBook({ db: other, now: () => nowMs })];
      const results = await Promise.allSettled(
        Array.from({ length: 50 }, (_, index) => books[index % 2]!.spend(tenant, id, binding, nowMs)),
      );
      const won = results.filter((result) => result.status === 'fulfilled');
      assert.equal(won.length, 1);
      assert.equal(won[0]!.value.state, 'spent');
      for (const result of results) if (result.status === 'rejected') assert.equal(result.reason.code, 'approval.conflict');
      await other.close();
    });

    it('spends nothing for another binding, an unknown id, another tenant, or before it is approved', async () => {
      const pending = await book.open(request('p'));
      const { id, binding } = await approved('a');
      await assert.rejects(book.spend(tenant, pending.id, pending.binding, nowMs), { code: 'approval.conflict', message: /it is pending/ });
      await assert.rejects(book.spend(tenant, id, pending.binding, nowMs), { code: 'approval.conflict', message: /another call/ });
      await assert.rejects(book.spend('other' as TenantId, id, binding, nowMs), { code: 'approval.unknown' });
      await assert.rejects(book.spend(tenant, 'apr_none' as ApprovalId, binding, nowMs), { code: 'approval.unknown' });
      assert.equal((await book.spend(tenant, id, binding, nowMs)).state, 'spent');
    });

    it('finds what is decided, until it is spent or its time is over', async () => {
      const one = await approved('a');
      assert.deepEqual(await book.findDecided(tenant, one.binding, nowMs), one);
      assert.equal(await book.findDecided('other' as TenantId, one.binding, nowMs), undefined);
      assert.equal(await book.findDecided(tenant, one.binding, one.expiresAtMs), undefined);
      await book.spend(tenant, one.id, one.binding, nowMs);
      assert.equal(await book.findDecided(tenant, one.binding, nowMs), undefined);
    });

    it('finds what was denied, and the newest decision where there are several', async () => {
      const { id, binding, expiresAtMs } = await book.open(request('a'));
      await book.vote(tenant, id, { ...voter('bob', 'deny'), comment: 'not today' }, nowMs);
      const found = await book.findDecided(tenant, binding, nowMs);
      assert.deepEqual([found?.state, found?.votes[0]?.comment], ['denied', 'not today']);
      const later = await book.open(request('a', { createdAtMs: startMs + 1 }));
      assert.equal((await book.findDecided(tenant, binding, nowMs))?.id, id);
      await book.vote(tenant, later.id, voter('bob'), nowMs);
      assert.equal((await book.findDecided(tenant, binding, nowMs))?.id, later.id);
      await book.spend(tenant, later.id, binding, nowMs);
      assert.equal((await book.findDecided(tenant, binding, nowMs))?.id, id);
      assert.equal(await book.findDecided(tenant, binding, expiresAtMs), undefined);
    });

    it('never approves or spends what has expired, and lets the call ask anew', async () => {
      const { id, binding, expiresAtMs } = await book.open(request('a'));
      const spendable = await approved('b');
      nowMs = expiresAtMs;
      await assert.rejects(book.vote(tenant, id, voter('bob'), nowMs), { code: 'approval.conflict', message: /is expired already/ });
      await assert.rejects(book.spend(tenant, spendable.id, spendable.binding, nowMs), {
        code: 'approval.conflict',
        message: /it is expired/,
      });
      assert.equal((await book.get(tenant, id))?.state, 'expired');
      const again = await book.open(request('a', { createdAtMs: nowMs, expiresAtMs: nowMs + 1000 }));
      assert.notEqual(again.id, id);
      assert.equal(again.binding, binding);
    });

    it('lets nobody decide on their own call, unless the terms say so', async () => {
      const own = { ...voter('alice'), principal: requesterPrincipal };
      const { id } = await book.open(request('a'));
      await assert.rejects(book.vote(tenant, id, own, nowMs), { code: 'admin.forbidden', message: /their own call/ });
      const allowed = await book.open(request('b', { terms: { groups: ['approvers'], quorum: 1, expires_s: 600, allow_self: true } }));
      assert.equal((await book.vote(tenant, allowed.id, own, nowMs)).state, 'approved');
    });

    it('wants an approver of one of the groups, and nobody where there are none', async () => {
      const { id } = await book.open(request('a', { terms: { groups: ['owners', 'admins'], quorum: 1, expires_s: 600 } }));
      for (const vote of ['approve', 'deny'] as const)
        await assert.rejects(book.vote(tenant, id, voter('bob', vote, ['Owners']), nowMs), {
          code: 'admin.forbidden',
          message: /`owners` or `admins`/,
        });
      assert.equal((await book.vote(tenant, id, voter('bob', 'approve', ['x', 'admins']), nowMs)).state, 'approved');
      const open = await book.open(request('b', { terms: { groups: [], quorum: 1, expires_s: 600 } }));
      for (const groups of [[], ['approvers']])
        await assert.rejects(book.vote(tenant, open.id, voter('bob', 'approve', groups), nowMs), {
          code: 'admin.forbidden',
          message: /names no group/,
        });
    });

    const term = (rule: string, groups: string[], quorum = 1, allow_self = false) => ({ rule, groups, quorum, expires_s: 600, allow_self });
    const severally = (what: string, ...terms: ReturnType<typeof term>[]) => {
      const [first, ...rest] = terms;
      const groups = (first?.groups ?? []).filter((group) => rest.every((one) => one.groups.includes(group)));
      const quorum = Math.max(...terms.map((one) => one.quorum));
      return book.open(request(what, { terms: { groups, quorum, expires_s: 600, rules: terms.map((one) => one.rule), terms } }));
    };

    it('satisfies each rule that asked, by the groups that people had when they voted', async () => {
      const { id } = await severally('a', term('money/large', ['finance'], 2), term('tools/destructive', ['security', 'ops']));
      await assert.rejects(book.vote(tenant, id, voter('eve', 'approve', ['sales']), nowMs), {
        code: 'admin.forbidden',
        message: /`finance` or `security` or `ops`/,
      });
      const votes = [
        voter('fay', 'approve', ['finance']),
        voter('sam', 'approve', ['security']),
        voter('flo', 'approve', ['finance', 'x']),
      ];
      const states = [];
      for (const vote of votes) states.push((await book.vote(tenant, id, vote, nowMs++)).state);
      assert.deepEqual(states, ['pending', 'pending', 'approved']);
      assert.deepEqual(
        (await book.get(tenant, id))?.votes.map((vote) => [vote.by, vote.satisfies]),
        [
          ['fay', ['money/large']],
          ['sam', ['tools/destructive']],
          ['flo', ['money/large']],
        ],
      );
    });

    it('lets one person satisfy several rules, but never the quorum of one twice', async () => {
      const shared = await severally('a', term('x/one', ['finance', 'security']), term('x/two', ['security']));
      assert.equal((await book.vote(tenant, shared.id, voter('sam', 'approve', ['security']), nowMs)).state, 'approved');
      const both = await severally('b', term('x/one', ['finance']), term('x/two', ['security'], 2));
      assert.equal((await book.vote(tenant, both.id, voter('amy', 'approve', ['finance', 'security']), nowMs)).state, 'pending');
      assert.equal((await book.vote(tenant, both.id, voter('fay', 'approve', ['finance']), nowMs)).state, 'pending');
      assert.equal((await book.vote(tenant, both.id, voter('sam', 'approve', ['security']), nowMs)).state, 'approved');
    });

    it('asks twice where one rule asks for two kinds of people', async () => {
      const { id } = await severally('a', term('x/one', ['finance']), term('x/one', ['security']));
      assert.equal((await book.vote(tenant, id, voter('fay', 'approve', ['finance']), nowMs)).state, 'pending');
      assert.equal((await book.vote(tenant, id, voter('sam', 'approve', ['security']), nowMs)).state, 'approved');
    });

    it('counts the requester only for the rules that let them', async () => {
      const { id } = await severally('a', term('x/own', ['engineers'], 1, true), term('x/other', ['engineers']));
      const own = { ...voter('alice', 'approve', ['engineers']), principal: requesterPrincipal };
      assert.equal((await book.vote(tenant, id, own, nowMs)).state, 'pending');
      assert.deepEqual((await book.get(tenant, id))?.votes[0]?.satisfies, ['x/own']);
      assert.equal((await book.vote(tenant, id, voter('bob', 'approve', ['engineers']), nowMs)).state, 'approved');
    });

    it('finds the newest approval of a call, which answers every rule that asked by then', async () => {
      const first = await book.open(request('a'));
      await book.vote(tenant, first.id, voter('bob'), nowMs);
      const second = await book.open(request('a', { createdAtMs: startMs + 1 }));
      await book.vote(tenant, second.id, voter('bob'), nowMs);
      assert.equal((await book.findDecided(tenant, first.binding, nowMs))?.id, second.id);
    });

    it('counts distinct people toward the quorum', async () => {
      const { id } = await book.open(request('a', { terms: { groups: ['approvers'], quorum: 2, expires_s: 600 } }));
      assert.equal((await book.vote(tenant, id, voter('bob'), nowMs)).state, 'pending');
      await assert.rejects(book.vote(tenant, id, voter('bob'), nowMs), {
        code: 'approval.conflict',
        message: /you have approved this already/,
      });
      const done = await book.vote(tenant, id, { ...voter('carol'), comment: 'looked at it' }, nowMs + 1);
      assert.equal(done.state, 'approved');
      assert.deepEqual(done.votes, [
        { by: 'bob', principal: voter('bob').principal, vote: 'approve', atMs: nowMs, satisfies: ['*'] },
        { by: 'carol', principal: voter('carol').principal, vote: 'approve', atMs: nowMs + 1, satisfies: ['*'], comment: 'looked at it' },
      ]);
    });

    it('counts every vote when the quorum votes at the same moment', async () => {
      const other = await fresh.open();
      const books = [book, createApprovalBook({ db: other, now: () => nowMs })];
      const { id } = await book.open(request('a', { terms: { groups: ['approvers'], quorum: 6, expires_s: 600 } }));
      const votes = await Promise.all(
        Array.from({ length: 6 }, (_, index) => books[index % 2]!.vote(tenant, id, voter(`v${index}`), nowMs)),
      );
      assert.deepEqual(votes.map((one) => one.state).sort(), ['approved', ...Array.from({ length: 5 }, () => 'pending')]);
      await other.close();
    });

    it('ends with one deny, also of somebody who approved before', async () => {
      const { id } = await book.open(request('a', { terms: { groups: ['approvers'], quorum: 2, expires_s: 600 } }));
      await book.vote(tenant, id, voter('bob'), nowMs);
      assert.equal((await book.vote(tenant, id, voter('bob', 'deny'), nowMs)).state, 'denied');
      await assert.rejects(book.vote(tenant, id, voter('carol'), nowMs), { code: 'approval.conflict', message: /is denied already/ });
      await assert.rejects(book.vote(tenant, 'apr_none' as ApprovalId, voter('carol'), nowMs), { code: 'approval.unknown' });
    });

    it('does not approve by a quorum of nobody', async () => {
      const { id, state } = await book.open(request('a', { terms: { groups: ['approvers'], quorum: 0, expires_s: 600 } }));
      assert.equal(state, 'pending');
      assert.equal((await book.vote(tenant, id, voter('bob'), nowMs)).state, 'approved');
    });

    it('holds only so many calls of one principal, and makes room as they end', async () => {
      const small = createApprovalBook({ db, now: () => nowMs, maxPendingPerPrincipal: 2 });
      const first = await small.open(request('1'));
      await small.open(request('2'));
      await assert.rejects(small.open(request('3')), { code: 'approval.conflict', message: /2 calls of yours wait for approval already/ });
      assert.equal((await small.open(request('1'))).id, first.id);
      await small.open(request('3', { requesterPrincipal: 'somebody else' }));
      await small.vote(tenant, first.id, voter('bob', 'deny'), nowMs);
      await small.open(request('3 again'));
      nowMs += 600_000;
      await small.open(request('4', { createdAtMs: nowMs, expiresAtMs: nowMs + 1 }));
    });

    it('lists by state as the clock has it, newest first, one tenant at a time', async () => {
      const at = (what: string, index: number) =>
        request(what, { createdAtMs: startMs + index, expiresAtMs: startMs + 1000 * (index + 1) });
      const ids: ApprovalId[] = [];
      for (const [index, what] of ['a', 'b', 'c', 'd'].entries()) ids.push((await book.open(at(what, index))).id);
      await book.open({ ...at('e', 9), tenant: 'other' as TenantId });
      await book.vote(tenant, ids[1]!, voter('bob'), startMs);
      await book.vote(tenant, ids[2]!, voter('bob', 'deny'), startMs);
      const listed = async (filter: Parameters<typeof book.list>[1], ms: number) =>
        (await book.list(tenant, filter, ms)).map((one) => ids.indexOf(one.id));
      assert.deepEqual(await listed({}, startMs), [3, 2, 1, 0]);
      assert.deepEqual(await listed({ limit: 2 }, startMs), [3, 2]);
      assert.deepEqual(await listed({ state: 'pending' }, startMs), [3, 0]);
      assert.deepEqual(await listed({ state: 'pending' }, startMs + 1500), [3]);
      assert.deepEqual(await listed({ state: 'approved' }, startMs), [1]);
      assert.deepEqual(await listed({ state: 'denied' }, startMs + 9000), [2]);
      assert.deepEqual(await listed({ state: 'expired' }, startMs + 2500), [1, 0]);
    });

    it('survives a restart in every state', async () => {
      const pending = await book.open(request('p'));
      const one = await approved('a');
      await db.close();
      db = await fresh.open();
      book = createApprovalBook({ db, now: () => nowMs });
      assert.deepEqual(await book.get(tenant, pending.id), pending);
      assert.deepEqual(await book.findDecided(tenant, one.binding, nowMs), one);
      await book.spend(tenant, one.id, one.binding, nowMs);
    });

    it('wakes who waits: at once for a vote here, within about a second for one made elsewhere', { timeout: 20_000 }, async () => {
      const here = await book.open(request('here'));
      const waiting = book.wait(tenant, here.id, new AbortController().signal);
      await book.vote(tenant, here.id, voter('bob'), nowMs);
      assert.equal((await waiting).state, 'approved');

      const other = await fresh.open();
      const elsewhere = await book.open(request('elsewhere'));
      const polled = book.wait(tenant, elsewhere.id, new AbortController().signal);
      await createApprovalBook({ db: other, now: () => nowMs }).vote(tenant, elsewhere.id, voter('bob', 'deny'), nowMs);
      assert.equal((await polled).state, 'denied');
      await other.close();
    });

    it('ends a wait with the last state when it is given up, expires, or the book is closed', { timeout: 20_000 }, async () => {
      const { id, expiresAtMs } = await book.open(request('a'));
      const controller = new AbortController();
      const given = book.wait(tenant, id, controller.signal);
      setTimeout(() => controller.abort(), 10);
      assert.equal((await given).state, 'pending');
      assert.equal((await book.wait(tenant, id, AbortSignal.abort())).state, 'pending');
      const expired = book.wait(tenant, id, new AbortController().signal);
      nowMs = expiresAtMs;
      assert.equal((await expired).state, 'expired');
      const { id: next } = await book.open(request('b', { createdAtMs: nowMs, expiresAtMs: nowMs + 1000 }));
      const closed = book.wait(tenant, next, new AbortController().signal);
      setTimeout(() => book.close(), 10);
      assert.equal((await closed).state, 'pending');
      await assert.rejects(book.wait(tenant, 'apr_none' as ApprovalId, new AbortController().signal), { code: 'approval.unknown' });
    });

    it('tells of each change once', async () => {
      const { id, binding } = await book.open(request('a'));
      await book.open(request('a'));
      await book.vote(tenant, id, voter('bob'), nowMs);
      await book.spend(tenant, id, binding, nowMs);
      assert.deepEqual(
        changes.map((one) => [one.id, one.state]),
        [
          [id, 'pending'],
          [id, 'approved'],
          [id, 'spent'],
        ],
      );
    });
  });
}
