import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { flatPolicy, RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { startModernServer, type ModernServer } from '../../support/modern-server.ts';
import { Listening, type Message } from './listening.ts';
import { until } from './rig.ts';

const all = { sampling: {}, elicitation: {}, roots: {} };
const document = (effect: string, more = ''): string =>
  `{"version": 1, "effect": "${effect}", "reasons": [{"rule": "test/questions", "effect": "${effect}", "message": "said ${effect}"}], "redactions": [${more}], "approval": null, "labels": [], "limits": [], "dry_run": []}`;

/** Everything is allowed, but the questions and answers that mention a word. */
const wary = {
  'gateway/gateway.rego': (flatPolicy('allow')['gateway/gateway.rego'] ?? '')
    .replace(
      /^message := .*$/m,
      `default message := ${document('allow')}\nmessage := ${document('deny')} if input.arguments.message == "Who are you?"`,
    )
    .replace(
      /^call := .*$/m,
      `default call := ${document('allow')}\ncall := ${document('deny')} if input.arguments.content.text == "canary"`,
    ),
};

describe('questions that a server of 2026-07-28 asks by its result', { concurrency: false }, () => {
  let server: ModernServer;
  let open: GatewayFixture;
  let strict: GatewayFixture;
  before(async () => {
    server = await startModernServer();
    const upstreams = `  modern: { http: { url: "${server.url}" } }`;
    [open, strict] = await Promise.all([
      startGatewayFixture({ upstreams, extra: 'limits: { question_timeout_ms: 1000 }' }),
      startGatewayFixture({ upstreams, policy: wary }),
    ]);
  });
  after(async () => {
    await Promise.all([open.close(), strict.close()]);
    await server.close();
  });

  const agent = async (gateway: GatewayFixture, capabilities: object = all): Promise<RawAgent> =>
    new RawAgent(gateway.endpoint(), await gateway.token()).open('2025-11-25', capabilities);
  const call = (name: string, id: number | string = 1): object => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name, arguments: {} },
  });
  const calls = (): string[] => server.requests.filter(({ headers }) => headers['mcp-method'] === 'tools/call').map(({ body }) => body);
  const asked = async (heard: Listening, count: number): Promise<Message[]> => {
    await until(() => heard.messages.filter(({ id, method }) => id !== undefined && method !== undefined).length === count);
    return heard.messages.filter(({ id, method }) => id !== undefined && method !== undefined);
  };
  const answerOf = (heard: Listening): Message | undefined => heard.messages.find(({ method }) => method === undefined);
  const named = { action: 'accept', content: { name: 'Ada' } };
  const sampled = (text: string): object => ({ role: 'assistant', model: 'm', content: { type: 'text', text } });

  test('each reaches the agent under an id of the session, and the answers go back together, once', async () => {
    const one = await agent(open);
    const before = calls().length;
    const heard = await Listening.post(one, call('ask'));
    const questions = await asked(heard, 2);
    assert.deepEqual(questions.map(({ method }) => method).sort(), ['elicitation/create', 'sampling/createMessage']);
    for (const { id, method } of questions) {
      const result = method === 'elicitation/create' ? named : sampled('a rose');
      assert.equal((await one.post({ jsonrpc: '2.0', id, result })).status, 202);
      assert.equal((await one.post({ jsonrpc: '2.0', id, result })).status, 400);
    }
    await heard.done;
    assert.equal(answerOf(heard)?.result.content[0].text, 'Ada: a rose (asked-once)');
    assert.equal(answerOf(heard)?.result.resultType, undefined);
    assert.equal(calls().length - before, 2);
  });

  test('another session cannot answer them', async () => {
    const [one, other] = [await agent(open), await agent(open)];
    const heard = await Listening.post(one, call('ask'));
    const [question] = await asked(heard, 2);
    const stolen = await other.post({ jsonrpc: '2.0', id: question?.id, result: sampled('stolen') });
    assert.equal(stolen.status, 400);
    await heard.done;
    assert.ok(!calls().some((body) => body.includes('stolen')));
  });

  test('an agent that does not answer in time ends the call in words, and its other question is withdrawn', async () => {
    const one = await agent(open);
    const before = calls().length;
    const heard = await Listening.post(one, call('ask'));
    await heard.done;
    assert.equal(answerOf(heard)?.result.isError, true);
    assert.match(answerOf(heard)?.result.content[0].text, /which was refused: .*did not answer in time/);
    assert.equal(calls().length - before, 1);
  });

  test('an agent that leaves out a capability is not asked: the server says what it needs, and the agent is told so', async () => {
    const one = await agent(open, {});
    const answer = (await one.post(call('sample'))).json as Message;
    assert.match(JSON.stringify(answer), /needs a client that offers `sampling`/);
    assert.doesNotMatch(JSON.stringify(answer), /-3202/);
  });

  test('a call that is cancelled withdraws its questions, and the server is not called again', async () => {
    const one = await agent(open);
    const before = calls().length;
    const heard = await Listening.post(one, call('ask', 'mine'));
    const questions = await asked(heard, 2);
    await one.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'mine' } });
    await heard.done;
    const withdrawn = heard.messages
      .filter(({ method }) => method === 'notifications/cancelled')
      .map(({ params }) => params.requestId as string);
    assert.deepEqual(withdrawn.sort(), questions.map(({ id }) => id).sort());
    for (const { id } of questions) assert.equal((await one.post({ jsonrpc: '2.0', id, result: named })).status, 400);
    assert.equal(calls().length - before, 1);
  });

  test('one that policy denies is not asked, and the server hears nothing more', async () => {
    const one = await agent(strict);
    const before = calls().length;
    const heard = await Listening.post(one, call('ask'));
    await heard.done;
    assert.ok(!heard.messages.some(({ method }) => method === 'elicitation/create'), JSON.stringify(heard.messages));
    assert.match(answerOf(heard)?.result.content[0].text, /`elicitation\/create`, which was refused: denied by policy: said deny/);
    assert.equal(calls().length - before, 1);
    const denied = (await strict.records()).filter(
      ({ record }) => record.what?.method === 'elicitation/create' && record.decision?.effect === 'deny',
    );
    assert.equal(denied.length, 1);
    assert.equal(denied[0]?.record.what?.phase, 'message');
  });

  test('an answer that policy denies does not reach the server', async () => {
    const one = await agent(strict);
    const heard = await Listening.post(one, call('sample'));
    const [question] = await asked(heard, 1);
    await one.post({ jsonrpc: '2.0', id: question?.id, result: sampled('canary') });
    await heard.done;
    assert.match(answerOf(heard)?.result.content[0].text, /refused/);
    assert.ok(!calls().some((body) => body.includes('canary')));
  });
});
