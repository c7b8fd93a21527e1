import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { flatPolicy } from '../../support/gateway.ts';
import { answer } from '../../support/recording-upstream.ts';
import { startRig, type HttpAnswer, type Refusal, type Rig } from '../transport/rig.ts';
import { ModernAgent } from './modern-agent.ts';

const all = { sampling: {}, elicitation: { form: {}, url: {} }, roots: {} };
const notValid: Refusal = { status: 200, rpc: -32602, code: 'state.invalid' };
const form = { message: 'name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };
const said = { action: 'accept', content: { name: 'ada' } };
const upstreamState = 'the state that the upstream wants back';

/** Answers with `withheld` in them are denied, questions with `forbidden`; in questions `hunter2` is masked. */
const policy = Object.fromEntries(
  Object.entries(flatPolicy('allow')).map(([path, text]) => [
    path,
    text.replace(/^(call|message) := (.*)$/gm, (_all, entry: string, decision: string) => {
      const word = entry === 'call' ? 'withheld' : 'forbidden';
      const denied = decision.replaceAll('"allow"', '"deny"');
      const masked = decision
        .replaceAll('"allow"', '"redact"')
        .replace('"redactions": []', '"redactions": [{"rule": "test/mask", "pointer": "/arguments/message", "as": "mask"}]');
      const has = (what: string): string => `contains(json.marshal(object.get(input, "arguments", {})), "${what}")`;
      const mask = entry === 'message' ? `\n\n${entry} := ${masked} if ${has('hunter2')}` : '';
      return `default ${entry} := ${decision}\n\n${entry} := ${denied} if ${has(word)}${mask}`;
    }),
  ]),
);

let rig: Rig;
let agent: ModernAgent;

before(async () => {
  rig = await startRig({
    policy,
    prepare: (upstream) => {
      const kept = { resultType: 'complete', ttlMs: 60_000, cacheScope: 'private' };
      const discovered = { ...kept, supportedVersions: ['2026-07-28'], capabilities: { tools: {} } };
      upstream.always('server/discover', ({ request, response }) => answer(response, request.message.id, discovered));
      upstream.always('tools/list', ({ request, response }) => answer(response, request.message.id, { ...kept, tools: upstream.tools }));
    },
  });
  agent = await ModernAgent.of(rig);
});
after(() => rig.close());

/** The next call is answered with `inputRequests`, the one after it with what it brought. */
function asking(inputRequests: object | undefined, requestState: string | undefined = upstreamState): void {
  const result = {
    resultType: 'input_required',
    ...(inputRequests === undefined ? {} : { inputRequests }),
    ...(requestState === '' ? {} : { requestState }),
  };
  rig.upstream.once('tools/call', ({ request, response }) => answer(response, request.message.id, result));
  rig.upstream.once('tools/call', ({ request, response }) => {
    const { inputResponses, requestState: state } = request.message.params;
    answer(response, request.message.id, {
      resultType: 'complete',
      content: [{ type: 'text', text: JSON.stringify([inputResponses, state]) }],
    });
  });
}
/** Lets the second answer of {@link asking} be used up, so that it does not answer the next test. */
const drain = (): Promise<HttpAnswer> => agent.call('echo', { text: 'drain' });

const first = (as = agent): Promise<HttpAnswer> => as.call('echo', { text: 'x' }, { capabilities: all });
const retry = (
  requestState: string | undefined,
  inputResponses: unknown,
  more: { as?: ModernAgent; name?: string; text?: string; capabilities?: object } = {},
): Promise<HttpAnswer> =>
  (more.as ?? agent).send(
    'tools/call',
    {
      name: more.name ?? 'echo',
      arguments: { text: more.text ?? 'x' },
      inputResponses,
      ...(requestState === undefined ? {} : { requestState }),
    },
    { capabilities: more.capabilities ?? all },
  );

describe('an upstream without sessions that asks in a result', { concurrency: false }, () => {
  test('gets the answers and its own state back, which no agent ever sees', async () => {
    asking({ who: { method: 'elicitation/create', params: form } });
    const { text, json } = await first();
    assert.deepEqual(json.result.inputRequests, { who: { method: 'elicitation/create', params: form } });
    assert.ok(!text.includes(upstreamState) && !text.includes(Buffer.from(upstreamState).toString('base64url').slice(0, 20)));
    const again = await retry(json.result.requestState, { who: said, other: said });
    assert.equal(again.json.result.content[0].text, JSON.stringify([{ who: said }, upstreamState]));
  });

  test('may want nothing but to be asked again', async () => {
    asking(undefined);
    const { json } = await first();
    assert.equal(json.result.resultType, 'input_required');
    assert.equal(json.result.inputRequests, undefined);
    assert.equal((await retry(json.result.requestState, undefined)).json.result.content[0].text, JSON.stringify([{}, upstreamState]));
  });

  test('its questions are judged: one that is denied ends the call, another is masked', async () => {
    asking({ who: { method: 'elicitation/create', params: { ...form, message: 'forbidden' } } });
    const { json } = await first();
    assert.equal(json.result.isError, true);
    assert.equal(json.result._meta['castellan/decision'].effect, 'deny');
    await drain();
    asking({ who: { method: 'elicitation/create', params: { ...form, message: 'is it hunter2?' } } });
    const masked = await first();
    assert.ok(!masked.text.includes('hunter2'), masked.text);
    await drain();
  });

  test('an answer that is denied ends the call, and nothing is sent', async () => {
    asking({ who: { method: 'elicitation/create', params: form } });
    const { requestState } = (await first()).json.result;
    const sent = rig.upstream.requests.length;
    const again = await retry(requestState, { who: { action: 'accept', content: { name: 'withheld' } } });
    assert.equal(again.json.result.isError, true);
    assert.equal(rig.upstream.requests.length, sent);
    await rig.refused('spent', notValid, () => retry(requestState, { who: said }));
    await drain();
  });

  test('a client that does not offer what is asked is told what is missing, with 400', async () => {
    for (const [params, required] of [
      [form, { elicitation: {} }],
      [{ mode: 'url', url: 'https://x.example', elicitationId: 'e', message: 'go' }, { elicitation: { url: {} } }],
    ] as const) {
      asking({ who: { method: 'elicitation/create', params } });
      const capabilities = 'mode' in params ? { elicitation: {} } : {};
      const { status, json } = await agent.call('echo', { text: 'x' }, { capabilities });
      assert.deepEqual([status, json.error.code, json.error.data.requiredCapabilities], [400, -32021, required]);
      await drain();
    }
  });

  test('answers that come before they are asked for are judged as what they answer, and used where all are there', async () => {
    asking({ who: { method: 'elicitation/create', params: form } });
    const seq = await rig.lastSeq();
    const { json } = await retry(undefined, { who: said, extra: { action: 'accept' } });
    assert.equal(json.result.content[0].text, JSON.stringify([{ who: said }, upstreamState]));
    assert.deepEqual(
      (await rig.recordsAfter(seq)).map((record) => `${record.what?.phase ?? ''} ${record.what?.method ?? ''}`),
      ['call tools/call', 'message elicitation/create', 'call elicitation/create'],
    );
    asking({ who: { method: 'elicitation/create', params: form } });
    const sent = rig.upstream.calls('tools/call').length;
    assert.equal((await retry(undefined, { wrong: said })).json.result.resultType, 'input_required');
    assert.deepEqual(
      rig.upstream
        .calls('tools/call')
        .slice(sent)
        .map(({ message }) => message.params.inputResponses),
      [undefined],
    );
    await drain();
  });

  test('what is not a question that a client answers is a fault of the upstream', async () => {
    for (const inputRequests of [
      { who: { method: 'tools/call', params: { name: 'echo' } } },
      { who: 'elicitation/create' },
      { who: { method: 'elicitation/create', params: [] } },
      [],
      Object.fromEntries(Array.from({ length: 33 }, (_one, at) => [`q${String(at)}`, { method: 'roots/list' }])),
    ]) {
      asking(inputRequests);
      const { json } = await first();
      assert.match(json.result.content[0].text, /broke the protocol/, JSON.stringify(inputRequests));
      await drain();
    }
    asking(undefined, '');
    assert.match((await first()).json.result.content[0].text, /broke the protocol/);
    await drain();
  });
});

describe('the state of such an upstream', { concurrency: false }, () => {
  test('is of one identity, tool and arguments, unaltered, and good for one use', async () => {
    asking({ who: { method: 'elicitation/create', params: form } });
    const { requestState } = (await first()).json.result;
    const bob = await ModernAgent.of(rig, 'bob');
    await rig.refused('somebody else', notValid, () => retry(requestState, { who: said }, { as: bob }));
    await rig.refused('another tool', notValid, () => retry(requestState, { who: said }, { name: 'read' }));
    await rig.refused('other arguments', notValid, () => retry(requestState, { who: said }, { text: 'y' }));
    await rig.refused('altered', notValid, () => retry(`${requestState.slice(0, -2)}AA`, { who: said }));
    await rig.refused('the upstream’s own', notValid, () => retry(upstreamState, { who: said }));
    assert.equal((await retry(requestState, { who: said })).json.result.content[0].text, JSON.stringify([{ who: said }, upstreamState]));
    await rig.refused('once more', notValid, () => retry(requestState, { who: said }));
  });
});
