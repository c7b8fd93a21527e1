import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildInput, type InputParts } from '../../src/call/build-input.ts';
import { History, TrackedCall } from '../../src/call/history.ts';
import { InputPlans } from '../../src/call/input-plan.ts';
import { ListAnswers } from '../../src/call/list-answers.ts';
import { identityKey, type Identity } from '../../src/model/identity.ts';
import type { ActiveRelease, InputReads } from '../../src/model/ports.ts';
import { alice, callTo, decisionOf, session, startMs } from './calls.ts';

const time = ['at_ns', null] as const;
const groups: InputReads = new Map([time, ['identity', new Set(['groups'])]]);
const withLabels: InputReads = new Map([...groups, ['session', new Set(['labels'])]]);

/** Lists, one after the other, and how often policy was asked. */
function lists(reads: InputReads | null) {
  const plans = new InputPlans();
  const answers = new ListAnswers();
  const history = new History({ maxEntries: 10, windowMs: 3_600_000, maxIdentities: 10 });
  const release = { id: 'r', reads: () => reads } as unknown as ActiveRelease;
  const { endpoint } = callTo().snapshot;
  let asked = 0;
  let effect: 'allow' | 'deny' = 'allow';
  async function list(identity: Identity, { atMs = startMs, view = endpoint, of = release, method = 'tools/list' } = {}) {
    const call = callTo({ identity, session: session(identity), snapshot: { release: of, endpoint: view }, method });
    const parts: InputParts = {
      entry: 'gateway/list',
      phase: 'list',
      atMs,
      findings: [],
      history: history.look(identityKey(identity), atMs, call.session.publicId),
      approval: null,
      listJson: { key: 'tools', json: '[]' },
      environmentJson: '{"name":"test","labels":{}}',
    };
    const input = buildInput(plans, call, parts);
    const ask = async () => {
      asked++;
      await Promise.resolve();
      return { visible: new Set([identity.groups.join()]), decision: decisionOf({ effect, inputDigest: input.digest }) };
    };
    const answer = await answers.get({ plans, call, parts, input, ask });
    assert.equal(answer.decision.inputDigest, input.digest, 'the record names the input of this list');
    return [...answer.visible].join();
  }
  return {
    list,
    release,
    endpoint,
    history,
    get asked() {
      return asked;
    },
    fail: (fails: boolean) => void (effect = fails ? 'deny' : 'allow'),
  };
}

const bob = { ...alice, subject: 'bob' };
const sales = { ...alice, subject: 'carol', groups: ['sales'] };

test('identities that policy cannot tell apart share an answer; others do not', async () => {
  const one = lists(groups);
  assert.deepEqual([await one.list(alice), await one.list(bob), await one.list(sales)], ['engineering', 'engineering', 'sales']);
  assert.equal(one.asked, 2);
});

test('lists at the same moment wait for one evaluation', async () => {
  const one = lists(groups);
  await Promise.all(Array.from({ length: 200 }, (_none, at) => one.list({ ...alice, subject: `agent-${at}` })));
  assert.equal(one.asked, 1);
});

test('what policy reads of session, usage or history is never shared with anyone for whom it differs', async () => {
  const one = lists(withLabels);
  await one.list(alice);
  const call = new TrackedCall(startMs, 's', { method: 'tools/call', server: 'a', tool: 't', labels: [], arguments_digest: '' });
  one.history.begin(identityKey(alice), call);
  one.history.settle(identityKey(alice), call, 'allow', 'ok', ['private'], startMs);
  await one.list(alice);
  assert.equal(one.asked, 2, 'the label that alice earned makes another input');
  await one.list(bob);
  assert.equal(one.asked, 2, 'bob has no label: the first answer is his too');
});

test('another release, catalogue, list or moment is another answer', async () => {
  const one = lists(groups);
  await one.list(alice);
  await one.list(alice, { of: { ...one.release } });
  await one.list(alice, { view: { ...one.endpoint } });
  await one.list(alice, { method: 'prompts/list' });
  await one.list(alice, { atMs: startMs + 10_000 });
  assert.equal(one.asked, 5);
});

for (const [title, reads] of [
  ['everything', null],
  ['the id of the request', new Map([time, ['request', new Set(['id'])]])],
  ['the time', new Map([time, ['at', null]])],
  ['the age of the token', new Map([time, ['identity', new Set(['auth'])]])],
] as const) {
  test(`a release that reads ${title} is asked each time`, async () => {
    const one = lists(reads);
    await one.list(alice);
    await one.list(alice);
    assert.equal(one.asked, 2);
  });
}

test('a fault is nobody else’s answer', async () => {
  const one = lists(groups);
  one.fail(true);
  await Promise.all([one.list(alice), one.list(bob)]);
  assert.equal(one.asked, 2);
  one.fail(false);
  await one.list(alice);
  assert.equal(one.asked, 3);
});
