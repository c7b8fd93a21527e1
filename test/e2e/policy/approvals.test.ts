import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, afterEach, before, describe, it } from 'node:test';
import { sampleSecret } from '../../../src/demo/demo-setup.ts';
import type { Approval } from '../../../src/model/approval.ts';
import { people, RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { assertInvariant, combining, edit, endAll, metric, recordsOf, told, until } from './support.ts';

const held = `package rules.test.held

allow contains "fine" if input.phase != "result"

require_approval contains {"message": "a human decides", "groups": ["security"], "expires_s": 600} if input.arguments.hold == "one"
require_approval contains {"message": "a human decides", "groups": ["security"], "expires_s": 1} if input.arguments.hold == "short"
require_approval contains {"message": "look at it again", "groups": ["engineering"], "allow_self": true} if input.arguments.hold == "self"
require_approval contains {"message": "security decides", "groups": ["security"]} if input.arguments.hold == "several"
require_approval contains {"message": "security agrees", "groups": ["security"]} if input.arguments.hold == "redacted"
redact contains {"message": "kept short", "pointer": "/arguments/text", "as": "replace", "with": "short"} if input.arguments.hold == "redacted"
`;
const money = `package rules.money.large

require_approval contains {"message": "finance decides", "groups": ["finance"], "quorum": 2, "expires_s": 300} if input.arguments.hold == "several"
`;

describe('a call that needs approval', { timeout: 90_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let alice: RawAgent;
  let bob: RawAgent;
  let next = 0;
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: combining({ 'test/held.rego': held, 'money/large.rego': money }),
      users: [...people, { subject: 'fay', groups: ['finance'], name: 'Fay' }, { subject: 'frank', groups: ['finance'], name: 'Frank' }],
      approvers: '[security, finance, engineering]',
      extra: 'approvals: { wait_ms: 0 }',
    });
    alice = await new RawAgent(fixture.endpoint(), await fixture.token('alice')).open();
    bob = await new RawAgent(fixture.endpoint(), await fixture.token('bob')).open();
  });
  afterEach(() => assertInvariant(fixture, upstream));
  after(() =>
    endAll(
      () => fixture.close(),
      () => upstream.close(),
    ),
  );

  const fresh = (hold: string): { text: string; hold: string } => ({ text: `text ${++next}`, hold });
  const hits = (args: { text: string }): number =>
    upstream.calls('tools/call').filter((call) => call.message.params.arguments.text === args.text).length;
  const ask = async (agent: RawAgent, args: object): Promise<{ id: string; text: string; note: Record<string, unknown> }> => {
    const { text, isError, note } = told(await agent.call('echo', args));
    assert.equal(isError, true);
    assert.equal(note['effect'], 'require_approval', text);
    return { id: note['approval'].id, text, note };
  };
  const vote = (id: string, subject: string, word = 'approve', comment?: string) =>
    fixture.admin('POST', `/approvals/${id}/${word}`, { subject, ...(comment === undefined ? {} : { body: { comment } }) });
  const executed = async (agent: RawAgent, args: { text: string }): Promise<boolean> => {
    const hitsBefore = hits(args);
    const { isError, note } = told(await agent.call('echo', args));
    assert.equal(hits(args), hitsBefore + (isError ? 0 : 1));
    assert.equal(isError, note['effect'] !== 'allow');
    return !isError;
  };

  it('is answered with its id, who is needed, until when and what to do; approved, it is executed once', async () => {
    const args = fresh('one');
    const opened = await ask(alice, args);
    const expires = (opened.note['approval'] as { expires_at: string }).expires_at;
    assert.equal(
      opened.text,
      `held for approval: a human decides. approval \`${opened.id}\` waits for someone of \`security\` until ${expires}; ` +
        'once it is approved, repeat the same call with the same arguments and it is executed once',
    );
    const leftMs = Date.parse(expires) - Date.now();
    assert.ok(leftMs > 590_000 && leftMs <= 600_000);
    assert.equal((await ask(alice, args)).id, opened.id);
    assert.equal(await metric(fixture.url, 'castellan_approvals_open'), 1);
    assert.equal(hits(args), 0);
    assert.equal((await vote(opened.id, 'sofia')).body.state, 'approved');
    assert.equal(await executed(alice, args), true);
    assert.notEqual((await ask(alice, args)).id, opened.id);
    assert.equal(hits(args), 1);
    const states = (await fixture.records()).flatMap(({ record }) =>
      record.approval?.id === opened.id ? [[record.decision?.effect, record.approval.state, record.approval.by]] : [],
    );
    assert.deepEqual(states, [
      ['require_approval', 'pending', []],
      ['require_approval', 'pending', []],
      ['allow', 'spent', ['sofia']],
    ]);
  });

  it('reaches the upstream once, whoever repeats it at the same moment', async () => {
    const args = fresh('one');
    const { id } = await ask(alice, args);
    await vote(id, 'sofia');
    const second = await new RawAgent(fixture.endpoint(), await fixture.token('alice')).open();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => (at % 2 === 0 ? alice : second).call('echo', args)));
    assert.equal(hits(args), 1);
    const outcomes = answers.map(told);
    assert.equal(outcomes.filter((one) => !one.isError).length, 1);
    // The others are held anew, under one approval.
    const ids = new Set(outcomes.filter((one) => one.isError).map((one) => one.note['approval']?.id as string));
    assert.deepEqual([ids.size, ids.has(id)], [1, false]);
  });

  it('is bound to its arguments and to who asked', async () => {
    const args = fresh('one');
    const { id } = await ask(alice, args);
    await vote(id, 'sofia');
    for (const other of [{ ...args, text: `${args.text}!` }, { ...args, more: null }, { hold: 'one' }])
      assert.notEqual((await ask(alice, other)).id, id);
    assert.notEqual((await ask(bob, args)).id, id);
    assert.equal(hits(args), 0);
    // The order of keys is no difference; the same arguments of the same person still are.
    assert.equal(await executed(alice, { hold: args.hold, text: args.text } as never), true);
  });

  it('is bound to the definition of its tool', async () => {
    const args = fresh('one');
    const { id } = await ask(alice, args);
    await vote(id, 'sofia');
    upstream.tools = [{ ...echoTool, description: 'Gives back its arguments, and more.' }];
    const digest = async (): Promise<string | undefined> =>
      (await recordsOf(fixture, told(await alice.call('echo', { text: 'probe' })).note['id']))[0]?.what?.definition_digest;
    const before = await digest();
    await until('the upstream is read again', async () => {
      upstream.push({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
      return (await digest()) !== before;
    });
    assert.notEqual((await ask(alice, args)).id, id);
    assert.equal(hits(args), 0);
  });

  it('is bound to its release', async () => {
    const args = fresh('one');
    const { id } = await ask(alice, args);
    await vote(id, 'sofia');
    await edit(fixture, 'rules/test/held.rego', (text) => `${text}\n# another release\n`);
    assert.notEqual((await ask(alice, args)).id, id);
    assert.equal(hits(args), 0);
  });

  it('is not executed on an approval whose time is over, and cannot be approved then', async () => {
    const late = fresh('short');
    const inTime = fresh('short');
    const [first, second] = [await ask(alice, late), await ask(alice, inTime)];
    assert.equal((await vote(second.id, 'sofia')).status, 200);
    for (const { id } of [first, second])
      await until('it expires', async () => (await fixture.admin('GET', `/approvals/${id}`)).body.state === 'expired');
    const refused = await vote(first.id, 'sofia');
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'approval.conflict']);
    assert.notEqual((await ask(alice, late)).id, first.id);
    assert.notEqual((await ask(alice, inTime)).id, second.id);
    assert.equal(hits(late) + hits(inTime), 0);
  });

  it('tells the agent why it was denied, and does not ask again until the time is over', async () => {
    const args = fresh('one');
    const { id } = await ask(alice, args);
    assert.equal((await vote(id, 'sofia', 'deny', 'use the staging copy')).body.state, 'denied');
    for (let turn = 0; turn < 2; turn++) {
      const { text, note } = told(await alice.call('echo', args));
      assert.match(text, /^denied by policy: the approval was refused: use the staging copy \(do something else; .* again after /);
      assert.equal(note['effect'], 'deny');
    }
    assert.deepEqual((await vote(id, 'sofia')).status, 409);
    const pending = (await fixture.admin('GET', '/approvals?state=pending')).body as Approval[];
    assert.ok(!pending.some((one) => one.arguments['text'] === args.text));
    assert.equal(hits(args), 0);
  });

  it('is decided by nobody who asked, lacks the group or the role, or has decided already', async () => {
    const args = fresh('one');
    const { id } = await ask(alice, args);
    const statuses: unknown[] = [];
    for (const [subject, word] of [
      ['alice', 'approve'],
      ['alice', 'deny'],
      ['bob', 'approve'],
      ['fay', 'approve'],
      ['fay', 'deny'],
      ['sofia', 'approve'],
      ['sofia', 'approve'],
    ] as const) {
      const { status, body } = await vote(id, subject, word);
      statuses.push([subject, status, body.error?.message ?? body.state]);
    }
    assert.deepEqual(statuses, [
      ['alice', 403, 'nobody decides on their own call: ask somebody else to'],
      ['alice', 403, 'nobody decides on their own call: ask somebody else to'],
      ['bob', 403, 'this needs the role `approver`; ask whoever assigns groups'],
      ['fay', 403, 'this approval needs somebody of `security`'],
      ['fay', 403, 'this approval needs somebody of `security`'],
      ['sofia', 200, 'approved'],
      ['sofia', 409, 'this call is approved already'],
    ]);
    assert.equal((await vote('apr_none', 'sofia')).status, 404);
    assert.equal(await executed(alice, args), true);
  });

  it('is decided by who asked where the rule lets them', async () => {
    const args = fresh('self');
    const { id } = await ask(alice, args);
    assert.equal((await vote(id, 'alice')).body.state, 'approved');
    assert.equal(await executed(alice, args), true);
  });

  it('needs the people of every rule that asks, also where no group is in all of them', async () => {
    const args = fresh('several');
    const { id, text } = await ask(alice, args);
    assert.match(text, /finance decides; security decides\. .* waits for 2 people of `finance`, and someone of `security` until/);
    const seen: unknown[] = [];
    for (const subject of ['alice', 'sofia', 'fay', 'fay', 'frank']) {
      const { status, body } = await vote(id, subject);
      seen.push([subject, status, body.state]);
      assert.equal(hits(args), 0);
    }
    assert.deepEqual(seen, [
      ['alice', 403, undefined],
      ['sofia', 200, 'pending'],
      ['fay', 200, 'pending'],
      ['fay', 409, undefined],
      ['frank', 200, 'approved'],
    ]);
    assert.equal(await executed(alice, args), true);
  });

  it('shows approvers the arguments as they would be sent, with secrets masked, and lets nobody else look', async () => {
    const args = { text: `use ${sampleSecret()} there`, hold: 'one' };
    const { id } = await ask(alice, args);
    const shown = await fixture.admin('GET', `/approvals/${id}`);
    assert.equal(shown.status, 200);
    assert.ok(!JSON.stringify(shown.body).includes(sampleSecret()));
    assert.match(shown.body.arguments.text, /^use \[redacted.*\] there$/);
    assert.deepEqual([shown.body.requester.subject, shown.body.tool, shown.body.arguments.hold], ['alice', 'echo', 'one']);
    const changed = await ask(alice, fresh('redacted'));
    assert.equal((await fixture.admin('GET', `/approvals/${changed.id}`)).body.arguments.text, 'short');
    assert.equal((await fixture.admin('GET', `/approvals/${id}`, { subject: 'bob' })).status, 403);
    assert.ok(!JSON.stringify(await fixture.records()).includes(sampleSecret()));
  });

  it('is sent with its redactions once it is approved', async () => {
    const args = fresh('redacted');
    const { id } = await ask(alice, args);
    await vote(id, 'sofia');
    const { isError, note } = told(await alice.call('echo', args));
    assert.deepEqual([isError, note['effect']], [false, 'redact']);
    assert.deepEqual(upstream.calls('tools/call').at(-1)?.message.params.arguments, { text: 'short', hold: 'redacted' });
    assert.ok(!upstream.bytes().includes(args.text));
  });

  it('survives a restart, pending or approved', async () => {
    const [early, late] = [fresh('one'), fresh('one')];
    const [first, second] = [await ask(alice, early), await ask(alice, late)];
    await vote(first.id, 'sofia');
    await fixture.restart();
    alice.session = bob.session = undefined;
    await alice.open();
    await bob.open();
    assert.equal(await executed(alice, early), true);
    assert.equal((await ask(alice, late)).id, second.id);
    await vote(second.id, 'sofia');
    assert.equal(await executed(alice, late), true);
    assert.notEqual((await ask(alice, late)).id, second.id);
  });

  describe('with approvals.wait_ms', () => {
    const wait = async (ms: number): Promise<void> => {
      const text = await readFile(fixture.configPath, 'utf8');
      await writeFile(fixture.configPath, text.replace(/wait_ms: \d+/, `wait_ms: ${ms}`));
      const { config } = (await fixture.gateway.reload()) as { config: { ok: boolean } };
      assert.equal(config.ok, true);
    };
    before(() => wait(20_000));
    after(() => wait(0));
    const pendingOf = (args: { text: string }): Promise<Approval> =>
      until('the call is held', async () =>
        ((await fixture.admin('GET', '/approvals?state=pending')).body as Approval[]).find((one) => one.arguments['text'] === args.text),
      );
    const start = (args: object) => {
      const params = { name: 'echo', arguments: args, _meta: { progressToken: 'p1' } };
      return alice.post({ jsonrpc: '2.0', id: `wait ${++next}`, method: 'tools/call', params });
    };

    it('waits for the vote, says so as progress, and gives the result', async () => {
      const args = fresh('one');
      const answer = start(args);
      const { id } = await pendingOf(args);
      assert.equal(hits(args), 0);
      await vote(id, 'sofia');
      const { text, json } = await answer;
      assert.equal(told(json).isError, false, text);
      assert.match(text, /"method":"notifications\/progress","params":\{"progressToken":"p1","progress":0,"message":"held for approval: /);
      assert.equal(hits(args), 1);
      const records = await recordsOf(fixture, told(json).note['id']);
      assert.deepEqual(
        records.map((record) => [record.kind, record.decision?.effect, record.approval?.state]),
        [
          ['decided', 'require_approval', 'pending'],
          ['decided', 'allow', 'spent'],
          ['finished', 'allow', undefined],
        ],
      );
    });

    it('gives the reason of a denial', async () => {
      const args = fresh('one');
      const answer = start(args);
      await vote((await pendingOf(args)).id, 'sofia', 'deny', 'not on a Friday');
      assert.match(told((await answer).json).text, /^denied by policy: the approval was refused: not on a Friday/);
      assert.equal(hits(args), 0);
    });

    it('does not execute under a release that is no longer in force', async () => {
      const args = fresh('one');
      const answer = start(args);
      const { id } = await pendingOf(args);
      await edit(fixture, 'rules/test/held.rego', (text) => `${text}\n# yet another release\n`);
      await vote(id, 'sofia');
      assert.match(told((await answer).json).text, /^denied by policy: policy changed while this call waited for approval/);
      assert.equal(hits(args), 0);
    });

    it('answers as held when nobody votes in time, or when the agent gives up', async () => {
      await wait(300);
      const args = fresh('one');
      const { note } = told((await start(args)).json);
      assert.deepEqual([note['effect'], note['approval'].state], ['require_approval', 'pending']);
      await wait(20_000);
      const given = fresh('one');
      const id = `wait ${next + 1}`;
      const answer = start(given);
      await pendingOf(given);
      await alice.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
      await answer;
      assert.equal(hits(args) + hits(given), 0);
    });
  });
});
