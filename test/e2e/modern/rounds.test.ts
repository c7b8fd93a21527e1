import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { frame, stream, textResult, type Scene } from '../../support/recording-upstream.ts';
import { replies } from '../transport/held-call.ts';
import { until, type HttpAnswer } from '../transport/rig.ts';
import type { ModernAgent } from './modern-agent.ts';
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

describe('an upstream that asks back while an agent without a session waits', { concurrency: false }, () => {
  test('the question is the result; the call goes on with the answer that the repeated call brings', async () => {
    for (const [id, method, params, answer] of [
      [0, 'elicitation/create', form, said],
      [
        's',
        'sampling/createMessage',
        { messages: [], maxTokens: 1 },
        { role: 'assistant', model: 'm', content: { type: 'text', text: 'ho' } },
      ],
      [7, 'roots/list', {}, { roots: [{ uri: 'file:///srv' }] }],
    ] as const) {
      asking([id, method, params]);
      const { json } = await first();
      assert.equal(json.result.resultType, 'input_required', JSON.stringify(json));
      const [[key, request] = ['', {}]] = Object.entries(json.result.inputRequests as object);
      assert.deepEqual(request, { method, params });
      const calls = rig.upstream.calls('tools/call').length;
      const again = await retry(json.result.requestState, { [key]: answer });
      assert.equal(again.json.result.resultType, 'complete');
      assert.equal(again.json.result.content[0].text, `done ${JSON.stringify([[id, answer]])}`);
      assert.equal(rig.upstream.calls('tools/call').length, calls, 'the call itself was sent once');
    }
  });

  test('questions that come together are asked together; what is not answered is asked again', async () => {
    asking(['a', 'elicitation/create', form], ['b', 'roots/list', {}]);
    const { result } = (await first()).json;
    const keys = Object.keys(result.inputRequests);
    assert.equal(keys.length, 2);
    const half = (await retry(result.requestState, { [keys[0] ?? '']: said, other: said })).json.result;
    assert.equal(half.resultType, 'input_required');
    assert.deepEqual(Object.keys(half.inputRequests), [keys[1]]);
    const whole = (await retry(half.requestState, { [keys[1] ?? '']: { roots: [] } })).json.result;
    assert.equal(
      whole.content[0].text,
      `done ${JSON.stringify([
        ['a', said],
        ['b', { roots: [] }],
      ])}`,
    );
  });

  test('each round is decided on and recorded, and each answer', async () => {
    asking([1, 'elicitation/create', form]);
    const seq = await rig.lastSeq();
    const { result } = (await first()).json;
    await retry(result.requestState, { [Object.keys(result.inputRequests)[0] ?? '']: said });
    const records = await rig.recordsAfter(seq);
    assert.deepEqual(
      records.map((record) => [record.what?.phase, record.what?.method]),
      [
        ['call', 'tools/call'],
        ['message', 'elicitation/create'],
        ['call', 'tools/call'],
        ['call', 'elicitation/create'],
      ],
    );
  });

  test('a question that policy forbids is refused at the upstream, and the agent is not asked', async () => {
    asking([1, 'elicitation/create', { ...form, message: 'forbidden' }]);
    const { json } = await first();
    assert.equal(json.result.resultType, 'complete');
    assert.match(json.result.content[0].text, /denied by policy/);
  });

  test('an answer that policy forbids never reaches the upstream, which hears that it was refused', async () => {
    asking([1, 'elicitation/create', form]);
    const { result } = (await first()).json;
    const again = await retry(result.requestState, {
      [Object.keys(result.inputRequests)[0] ?? '']: { action: 'accept', content: { name: 'withheld' } },
    });
    assert.match(again.json.result.content[0].text, /refused by policy/);
    assert.ok(!rig.upstream.bytes().includes('withheld'));
  });

  test('a client is not asked for what it does not offer', async () => {
    asking([1, 'elicitation/create', form]);
    const { json } = await agent.call('echo', { text: 'x' }, { capabilities: { sampling: {} } });
    assert.match(json.result.content[0].text, /does not offer `elicitation`/);
    asking([2, 'elicitation/create', { mode: 'url', url: 'https://x.example', elicitationId: 'e', message: 'go' }]);
    const url = await agent.call('echo', { text: 'x' }, { capabilities: { elicitation: {} } });
    assert.match(url.json.result.content[0].text, /does not offer `elicitation.url`/);
  });

  test('an agent that does not come back in time: the upstream hears so, and the state is of no use any more', async () => {
    asking(['late', 'elicitation/create', form]);
    const { result } = (await first()).json;
    await until(() => replies(rig).at(-1)?.id === 'late', 'the upstream is told');
    assert.match(replies(rig).at(-1)?.error.message, /did not answer in time/);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await rig.refused('too late', notValid, () => retry(result.requestState, { [Object.keys(result.inputRequests)[0] ?? '']: said }));
  });

  test('an agent that leaves while its call runs cancels it; one that was asked may leave', async () => {
    const { scene } = asking([1, 'elicitation/create', form]);
    const { result } = (await first()).json;
    await scene;
    const held = new Promise<Scene>((resolve) => {
      rig.upstream.once('tools/call', (one) => {
        stream(one.response);
        resolve(one);
      });
    });
    const { headers, body } = agent.request('tools/call', { name: 'echo', arguments: {} });
    const abort = new AbortController();
    const left = fetch(agent.raw.url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${agent.raw.token ?? ''}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(headers as Record<string, string>),
      },
      body,
      signal: abort.signal,
    }).catch(() => undefined);
    const { message } = (await held).request;
    abort.abort();
    await left;
    await until(
      () => rig.upstream.calls('notifications/cancelled').some((one) => one.message.params.requestId === message.id),
      'cancelled',
    );
    const again = await retry(result.requestState, { [Object.keys(result.inputRequests)[0] ?? '']: said });
    assert.match(again.json.result.content[0].text, /^done/);
  });
});

test('calls that wait are bounded for one identity; what is one too many is cancelled, and answers make room', async () => {
  const held: Scene[] = [];
  const ask = (scene: Scene): void => {
    held.push(scene);
    stream(scene.response).write(frame({ jsonrpc: '2.0', id: `w${String(held.length)}`, method: 'roots/list' }));
  };
  for (let at = 0; at < 17; at++) rig.upstream.once('tools/call', ask);
  const answers = await Promise.all(Array.from({ length: 17 }, () => first()));
  const asked = answers.filter(({ json }) => json.result?.resultType === 'input_required');
  assert.equal(asked.length, 16);
  const [tooMany] = answers.filter((one) => !asked.includes(one));
  assert.match(JSON.stringify(tooMany?.json), /too many calls wait/);
  await until(() => rig.upstream.calls('notifications/cancelled').length > 0, 'the one too many is cancelled');
  for (const { request, response } of held) response.end(frame(textResult(request.message.id, 'given up')));
  const got = await retry(asked[0]?.json.result.requestState, {});
  assert.equal(got.json.result.content[0].text, 'given up');
});

describe('an upstream with sessions that says with an error where a person has to go', { concurrency: false }, () => {
  const url = { elicitation: { form: {}, url: {} } };
  const place = { mode: 'url', elicitationId: 'e1', url: 'https://pay.example/1', message: 'pay first' };
  const refuse = (...elicitations: unknown[]): void =>
    rig.upstream.once('tools/call', ({ request, response }) => {
      const error = { code: -32042, message: 'go there first', data: { elicitations } };
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id: request.message.id, error }));
    });
  const call = (more: object = {}): Promise<HttpAnswer> =>
    agent.send('tools/call', { name: 'echo', arguments: { text: 'x' }, ...more }, { capabilities: url });

  test('is heard as a question, judged; the call is made again as it was once the person was there', async () => {
    refuse(place);
    const { result } = (await call()).json;
    const [[key, request] = ['', {}]] = Object.entries(result.inputRequests as object);
    assert.deepEqual(request, { method: 'elicitation/create', params: place });
    const again = await call({ requestState: result.requestState, inputResponses: { [key]: { action: 'accept' } } });
    assert.equal(again.json.result.content[0].text, '{"text":"x"}');
    assert.deepEqual(
      Object.keys(rig.upstream.calls('tools/call').at(-1)?.message.params).sort(),
      ['_meta', 'arguments', 'name'].filter((one) => one in rig.upstream.calls('tools/call').at(-1)?.message.params),
    );
  });

  test('a person who does not want to: the call is not made again', async () => {
    refuse(place);
    const { result } = (await call()).json;
    const sent = rig.upstream.calls('tools/call').length;
    const again = await call({
      requestState: result.requestState,
      inputResponses: { [Object.keys(result.inputRequests)[0] ?? '']: { action: 'decline' } },
    });
    assert.equal(again.json.result.isError, true);
    assert.equal(rig.upstream.calls('tools/call').length, sent);
  });

  test('a place that policy forbids is not shown', async () => {
    refuse({ ...place, message: 'forbidden' });
    const { json, text } = await call();
    assert.equal(json.result.isError, true);
    assert.ok(!text.includes('pay.example'));
  });
});
