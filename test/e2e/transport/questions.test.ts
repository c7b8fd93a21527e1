import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { RawAgent } from '../../support/gateway.ts';
import { frame, stream } from '../../support/recording-upstream.ts';
import { answerOf, call, done, held, replies } from './held-call.ts';
import { startRig, until, type Rig } from './rig.ts';

let rig: Rig;
const all = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

before(async () => {
  rig = await startRig({ extra: 'limits: { question_timeout_ms: 1000 }' });
});
after(() => rig.close());

describe('questions of an upstream', { concurrency: false }, () => {
  const questions: readonly (readonly [string, object, object])[] = [
    [
      'sampling/createMessage',
      { messages: [{ role: 'user', content: { type: 'text', text: 'hi' } }], maxTokens: 5 },
      { role: 'assistant', model: 'm', content: { type: 'text', text: 'ho' } },
    ],
    [
      'elicitation/create',
      { message: 'name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } },
      { action: 'accept', content: { name: 'ada' } },
    ],
    ['roots/list', {}, { roots: [{ uri: 'file:///srv' }] }],
  ];
  for (const [method, params, result] of questions) {
    test(`${method} reaches the agent, and its answer the upstream under the upstream’s own id`, async () => {
      const agent = await rig.agent({ capabilities: all });
      for (const [upstreamId, reply] of [
        [0, { result }],
        ['s-1', { error: { code: -1, message: 'the user said no' } }],
      ] as const) {
        const { listening, scene } = await held(rig, agent);
        scene.response.write(frame({ jsonrpc: '2.0', id: upstreamId, method, params }));
        const heard = await listening;
        await until(() => heard.messages.length === 1);
        const [question] = heard.messages;
        assert.deepEqual([question?.method, question?.params], [method, params]);
        assert.notEqual(question?.id, upstreamId);
        const before = replies(rig).length;
        assert.equal((await agent.post({ jsonrpc: '2.0', id: question?.id, ...reply })).status, 202);
        await until(() => replies(rig).length === before + 1);
        assert.deepEqual(replies(rig).at(-1), { jsonrpc: '2.0', id: upstreamId, ...reply });
        // An answer is taken once.
        assert.equal((await agent.post({ jsonrpc: '2.0', id: question?.id, ...reply })).status, 400);
        scene.response.end(done(scene));
        await heard.done;
        assert.equal(answerOf(heard)?.result.content[0].text, 'done');
      }
    });

    test(`${method} is refused where the agent cannot be asked`, async () => {
      const refused = async (agent: RawAgent, headers: Record<string, string>, words: RegExp): Promise<void> => {
        rig.upstream.once('tools/call', (scene) => {
          stream(scene.response).write(frame({ jsonrpc: '2.0', id: 'ask', method, params }));
          const before = replies(rig).length;
          void until(() => replies(rig).length > before).then(() => scene.response.end(done(scene)));
        });
        const answer = await agent.post(call(1), headers);
        assert.equal(answer.json.result.content[0].text, 'done');
        assert.equal(replies(rig).at(-1)?.id, 'ask');
        assert.match(replies(rig).at(-1)?.error.message, words);
      };
      await refused(await rig.agent(), {}, /does not offer/);
      await refused(await rig.agent({ capabilities: all }), { accept: 'application/json' }, /cannot be asked/);
      await refused(await rig.agent({ capabilities: all }), {}, /did not answer in time/);
    });
  }

  test('one session cannot answer the question of another', async () => {
    const [asked, other] = [await rig.agent({ capabilities: all }), await rig.agent({ subject: 'bob', capabilities: all })];
    const { listening, scene } = await held(rig, asked);
    scene.response.write(frame({ jsonrpc: '2.0', id: 1, method: 'roots/list' }));
    const heard = await listening;
    await until(() => heard.messages.length === 1);
    const stolen = { jsonrpc: '2.0', id: heard.messages[0]?.id, result: { roots: [{ uri: 'file:///stolen' }] } };
    await rig.refused('stolen', { status: 400, code: 'rpc.invalid' }, () => rig.http(other, { body: JSON.stringify(stolen) }));
    assert.ok(!rig.upstream.bytes().includes('file:///stolen'));
    scene.response.end(done(scene));
    await heard.done;
  });

  test('a question that the upstream withdraws is withdrawn at the agent under the id that it has there', async () => {
    const agent = await rig.agent({ capabilities: all });
    const { listening, scene } = await held(rig, agent);
    scene.response.write(frame({ jsonrpc: '2.0', id: 0, method: 'roots/list' }));
    const heard = await listening;
    await until(() => heard.messages.length === 1);
    scene.response.write(frame({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 0, reason: 'changed my mind' } }));
    await until(() => heard.messages.length === 2);
    assert.deepEqual(
      [heard.messages[1]?.method, heard.messages[1]?.params],
      ['notifications/cancelled', { requestId: heard.messages[0]?.id, reason: 'changed my mind' }],
    );
    assert.equal((await agent.post({ jsonrpc: '2.0', id: heard.messages[0]?.id, result: { roots: [] } })).status, 400);
    scene.response.end(done(scene));
    await heard.done;
  });

  test('that an agent’s roots changed is told to the servers that it used, and to no other', async () => {
    const agent = await rig.agent({ capabilities: all });
    const changed = (): Promise<unknown> => agent.post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });
    const before = rig.upstream.requests.length;
    await changed();
    await agent.request('ping');
    assert.deepEqual(rig.upstream.requests.slice(before), []);
    await agent.call('echo', { text: 'x' });
    await changed();
    await until(() => rig.upstream.calls('notifications/roots/list_changed').length === 1);
  });
});
