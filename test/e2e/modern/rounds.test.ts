import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { flatPolicy } from '../../support/gateway.ts';
import { frame, stream, textResult, type Scene } from '../../support/recording-upstream.ts';
import { replies } from '../transport/held-call.ts';
import { startRig, until, type HttpAnswer, type Refusal, type Rig } from '../transport/rig.ts';
import { ModernAgent } from './modern-agent.ts';

const all = { sampling: {}, elicitation: {}, roots: {} };
const notValid: Refusal = { status: 200, rpc: -32602, code: 'state.invalid' };
const form = { message: 'name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };
const said = { action: 'accept', content: { name: 'ada' } };

/** Answers containing `withheld` are denied, questions containing `forbidden`, and the second of two equal calls with `twice`. */
const policy = Object.fromEntries(
  Object.entries(flatPolicy('allow')).map(([path, text]) => [
    path,
    text.replace(/^(call|message) := (.*)$/gm, (_all, entry: string, decision: string) => {
      const word = entry === 'call' ? 'withheld' : 'forbidden';
      const denied = decision.replaceAll('"allow"', '"deny"').replaceAll('flat allow', `not ${word}`);
      const again =
        entry === 'call'
          ? `\n\ncall := ${denied} if {\n\tobject.get(input, ["arguments", "text"], "") == "twice"\n\tinput.usage.same_call_1m > 0\n}`
          : '';
      return `default ${entry} := ${decision}\n\n${entry} := ${denied} if contains(json.marshal(object.get(input, "arguments", {})), "${word}")${again}`;
    }),
  ]),
);

let rig: Rig;
let agent: ModernAgent;

before(async () => {
  rig = await startRig({ policy, extra: 'limits: { question_timeout_ms: 2500, call_timeout_ms: 20000 }' });
  agent = await ModernAgent.of(rig);
});
after(() => rig.close());

/** A call whose upstream asks `questions` at once, and says `done` with what it was answered once all are. */
function asking(...questions: readonly (readonly [id: string | number, method: string, params: object])[]): {
  readonly scene: Promise<Scene>;
} {
  const before = replies(rig).length;
  const scene = new Promise<Scene>((resolve) => {
    rig.upstream.once('tools/call', (one) => {
      stream(one.response);
      for (const [id, method, params] of questions) one.response.write(frame({ jsonrpc: '2.0', id, method, params }));
      resolve(one);
      void until(() => replies(rig).length >= before + questions.length, 'answers to all questions', 15_000).then(
        () => {
          const got = replies(rig).slice(before);
          one.response.end(
            frame(
              textResult(
                one.request.message.id,
                `done ${JSON.stringify(got.map(({ id, result, error }) => [id, result ?? error?.message]))}`,
              ),
            ),
          );
        },
        () => one.response.end(),
      );
    });
  });
  return { scene };
}

function retry(
  state: string,
  inputResponses: object,
  options: { text?: string; as?: ModernAgent; name?: string } = {},
): Promise<HttpAnswer> {
  const { text = 'x', as = agent, name = 'echo' } = options;
  return as.send('tools/call', { name, arguments: { text }, requestState: state, inputResponses }, { capabilities: all });
}

const first = (text = 'x', as = agent): Promise<HttpAnswer> => as.call('echo', { text }, { capabilities: all });

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
