import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ModernAgent } from './modern-agent.ts';
import { form, notValid, said, startRounds, type Rounds } from './rounds-rig.ts';

let rounds: Rounds;
let rig: Rounds['rig'];
let agent: ModernAgent;
const asking: Rounds['asking'] = (...questions) => rounds.asking(...questions);
const first: Rounds['first'] = (text, as) => rounds.first(text, as);
const retry: Rounds['retry'] = (state, responses, options) => rounds.retry(state, responses, options);

before(async () => {
  rounds = await startRounds();
  ({ rig, agent } = rounds);
});
after(() => rig.close());

describe('a requestState', { concurrency: false }, () => {
  /** Opens a call that waits, gives its state, and ends it when the test is over. */
  async function parked(): Promise<{ state: string; key: string }> {
    asking([1, 'elicitation/create', form]);
    const { result } = (await first()).json;
    return { state: result.requestState, key: Object.keys(result.inputRequests)[0] ?? '' };
  }

  test('is refused when it is altered, cut or made up, and good afterwards still', async () => {
    const { state, key } = await parked();
    const flip = (at: number): string => state.slice(0, at) + (state[at] === 'A' ? 'B' : 'A') + state.slice(at + 1);
    const wrong: Record<string, string> = {
      'its first letter': flip(0),
      'its tag': flip(20),
      'its middle': flip(state.length >> 1),
      longer: `${state}-TAMPERED`,
      padded: `${state}=`,
      cut: state.slice(0, -4),
      nothing: '',
      'no base64': '*'.repeat(60),
      'of one byte': 'A',
      'made up': Buffer.from(JSON.stringify({ kind: 'parked', id: 'p1' })).toString('base64url'),
    };
    for (const [title, text] of Object.entries(wrong)) await rig.refused(title, notValid, () => retry(text, { [key]: said }));
    assert.match((await retry(state, { [key]: said })).json.result.content[0].text, /^done/);
  });

  test('is good for one use', async () => {
    const { state, key } = await parked();
    const answers = await Promise.all([retry(state, { [key]: said }), retry(state, { [key]: said }), retry(state, { [key]: said })]);
    const good = answers.filter(({ json }) => json.result?.resultType === 'complete' && json.result.isError !== true);
    assert.equal(good.length, 1, JSON.stringify(answers.map(({ json }) => json)));
    await rig.refused('once more', notValid, () => retry(state, { [key]: said }));
  });

  test('is of one identity, tool, method and arguments', async () => {
    const { state, key } = await parked();
    const bob = await ModernAgent.of(rig, 'bob');
    await rig.refused('somebody else', notValid, () => retry(state, { [key]: said }, { as: bob }));
    await rig.refused('another tool', notValid, () => retry(state, { [key]: said }, { name: 'read' }));
    await rig.refused('other arguments', notValid, () => retry(state, { [key]: said }, { text: 'y' }));
    assert.match((await retry(state, { [key]: said })).json.result.content[0].text, /^done/);
  });

  test('must be text, and answers must be objects', async () => {
    const params = { name: 'echo', arguments: {} };
    for (const more of [{ requestState: 7 }, { inputResponses: null }, { inputResponses: [] }, { inputResponses: { a: 'x' } }])
      await rig.refused(JSON.stringify(more), { status: 200, rpc: -32602, code: 'rpc.params' }, () =>
        agent.send('tools/call', { ...params, ...more }),
      );
  });

  test('does not help a repeated call that policy denies: it is decided afresh, and nothing is sent', async () => {
    asking([1, 'elicitation/create', form]);
    const { result } = (await first('twice')).json;
    const sent = rig.upstream.requests.length;
    const denied = await retry(result.requestState, { [Object.keys(result.inputRequests)[0] ?? '']: said }, { text: 'twice' });
    assert.equal(denied.json.result._meta['castellan/decision'].effect, 'deny');
    assert.equal(rig.upstream.requests.length, sent);
  });
});
