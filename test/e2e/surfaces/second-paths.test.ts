import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { DemoUser } from '../../../src/demo/identity-provider.ts';
import type { JsonObject } from '../../../src/model/json.ts';
import { flatPolicy, RawAgent } from '../../support/gateway.ts';
import { answer, frame, stream, type Scene } from '../../support/recording-upstream.ts';
import { ModernStream } from '../modern/listening-modern.ts';
import { ModernAgent } from '../modern/modern-agent.ts';
import { startRig, until, type Rig } from '../transport/rig.ts';

const document = (effect: string): string =>
  `{"version": 1, "effect": "${effect}", "reasons": [{"rule": "test/paths", "effect": "${effect}", "message": "said ${effect}"}], "redactions": [], "approval": null, "labels": [], "limits": [], "dry_run": []}`;

/** Nobody is sent to a place that is forbidden, and who left engineering is asked nothing and told of no resource. */
const policy = {
  'gateway/gateway.rego': (flatPolicy('allow')['gateway/gateway.rego'] ?? '')
    .replace(
      /^message := .*$/m,
      `default message := ${document('allow')}\nmessage := ${document('deny')} if {\n\tinput.target.kind == "elicitation"\n\tnot asked\n}\nasked if {\n\tnot contains(object.get(input.arguments, "url", ""), "forbidden")\n\t"engineering" in input.identity.groups\n}`,
    )
    .replace(
      /^call := .*$/m,
      `default call := ${document('allow')}\ncall := ${document('deny')} if {\n\tinput.target.kind == "resource"\n\tnot "engineering" in input.identity.groups\n}`,
    ),
};

const users: (DemoUser & { groups: string[] })[] = [
  { subject: 'alice', groups: ['engineering'], name: 'Alice' },
  { subject: 'sofia', groups: ['security'], name: 'Sofia' },
];
const groups = users[0]?.groups ?? [];
const form = { message: 'name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };

describe('what could be a second way past policy', { concurrency: false, timeout: 60_000 }, () => {
  let rig: Rig;
  /** A call that waits for its agent's answer, since its upstream asked. */
  const parked = async (agent: ModernAgent, capabilities: JsonObject): Promise<{ scene: Scene; key: string; requestState: string }> => {
    let scene: Scene | undefined;
    rig.upstream.once('tools/call', (one) => {
      scene = one;
      stream(one.response).write(frame({ jsonrpc: '2.0', id: 'q1', method: 'elicitation/create', params: form }));
    });
    const { result } = (await agent.call('echo', { text: 'x' }, { capabilities })).json;
    const [key = ''] = Object.keys(result.inputRequests as object);
    assert.ok(scene !== undefined, 'the call came to the upstream');
    return { scene, key, requestState: result.requestState as string };
  };
  before(async () => {
    rig = await startRig({
      policy,
      users,
      extra: 'limits: { question_timeout_ms: 20000, call_timeout_ms: 20000 }',
      prepare: (upstream) => {
        upstream.capabilities = { tools: {}, prompts: {}, resources: { subscribe: true } };
        upstream.always('prompts/list', ({ request, response }) => answer(response, request.message.id, { prompts: [{ name: 'greet' }] }));
        upstream.always('resources/list', ({ request, response }) =>
          answer(response, request.message.id, { resources: [{ uri: 'demo://a', name: 'a' }] }),
        );
        upstream.always('resources/templates/list', ({ request, response }) =>
          answer(response, request.message.id, { resourceTemplates: [] }),
        );
      },
    });
  });
  after(() => rig.close());

  const refuse = (method: string, ...elicitations: unknown[]): void =>
    rig.upstream.once(method, ({ request, response }) => {
      const error = { code: -32042, message: 'go there first', data: { elicitations } };
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id: request.message.id, error }));
    });
  const place = { mode: 'url', elicitationId: 'e1', url: 'https://pay.example/1', message: 'pay first' };

  test('a place that policy forbids is not shown to a session by an error either', async () => {
    const agent = await rig.agent({ capabilities: { elicitation: { form: {}, url: {} } } });
    refuse('tools/call', { ...place, url: 'https://forbidden.example/1' });
    const denied = await agent.call('echo', { text: 'x' });
    assert.equal(denied.result?.isError, true, JSON.stringify(denied));
    assert.ok(!JSON.stringify(denied).includes('forbidden.example'));
    refuse('prompts/get', place, { ...place, url: 'https://forbidden.example/2' });
    const second = await agent.request('prompts/get', { name: 'greet' });
    assert.ok(!JSON.stringify(second).includes('example'), JSON.stringify(second));

    const seq = await rig.lastSeq();
    refuse('tools/call', place);
    const shown = await agent.call('echo', { text: 'x' });
    assert.equal(shown.error.code, -32042);
    assert.deepEqual(shown.error.data.elicitations, [place]);
    const kinds = (await rig.recordsAfter(seq)).map(({ what }) => `${what?.phase ?? ''} ${what?.method ?? ''}`);
    assert.deepEqual(kinds, ['call tools/call', 'message elicitation/create']);
  });

  test('a session does not bring answers to what it was not asked', async () => {
    const agent = await rig.agent();
    for (const [method, params] of [
      ['prompts/get', { name: 'greet' }],
      ['resources/read', { uri: 'demo://a' }],
    ] as const)
      for (const more of [{ inputResponses: { q: { action: 'accept', content: {} } } }, { requestState: 's' }])
        await rig.refused(method, { status: 200, rpc: -32602, code: 'rpc.params' }, async (canary) => {
          const body = { jsonrpc: '2.0', id: 5, method, params: { ...params, ...more, canary } };
          const { status, headers, text, json } = await agent.post(body);
          return { status, headers: Object.fromEntries(headers), text, json: json as unknown };
        });
  });

  test('a second page of a list that has one is refused, and recorded', async () => {
    const agent = await rig.agent();
    for (const method of ['tools/list', 'tasks/list'])
      await rig.refused(method, { status: 200, rpc: -32602, code: 'rpc.params' }, async () => {
        const { status, headers, text, json } = await agent.post({ jsonrpc: '2.0', id: 6, method, params: { cursor: 'x' } });
        return { status, headers: Object.fromEntries(headers), text, json: json as unknown };
      });
  });

  test('what a parked call is asked after its agent came back with other groups is judged by those', async () => {
    const agent = await ModernAgent.of(rig);
    const capabilities = { elicitation: {} };
    const { scene, key, requestState } = await parked(agent, capabilities);
    groups[0] = 'sales';
    const refreshed = await ModernAgent.of(rig);
    rig.upstream.once('reply', ({ behave }) => {
      behave();
      scene.response.write(frame({ jsonrpc: '2.0', id: 'q2', method: 'elicitation/create', params: { ...form, message: 'second?' } }));
    });
    rig.upstream.once('reply', ({ behave, request }) => {
      behave();
      const text = JSON.stringify(request.message.error ?? request.message.result);
      scene.response.end(frame({ jsonrpc: '2.0', id: scene.request.message.id, result: { content: [{ type: 'text', text }] } }));
    });
    const params = { name: 'echo', arguments: { text: 'x' }, requestState };
    const again = await refreshed.send(
      'tools/call',
      { ...params, inputResponses: { [key]: { action: 'accept', content: {} } } },
      { capabilities },
    );
    groups[0] = 'engineering';
    assert.equal(again.json.result.resultType, 'complete', again.text);
    assert.match(again.json.result.content[0].text, /denied by policy/);
  });

  test('what a parked call asks by its end is judged as a question too', async () => {
    const capabilities = { elicitation: { form: {}, url: {} } };
    const agent = await ModernAgent.of(rig);
    const inputRequests = { q: { method: 'elicitation/create', params: { ...place, url: 'https://forbidden.example/3' } } };
    for (const end of [
      { result: { resultType: 'input_required', inputRequests, requestState: 'of-the-upstream' } },
      { error: { code: -32042, message: 'go', data: { elicitations: [inputRequests.q.params] } } },
    ]) {
      const { scene, key, requestState } = await parked(agent, capabilities);
      rig.upstream.once('reply', ({ behave }) => {
        behave();
        scene.response.end(frame({ jsonrpc: '2.0', id: scene.request.message.id, ...end }));
      });
      const params = { name: 'echo', arguments: { text: 'x' }, requestState };
      const inputResponses = { [key]: { action: 'accept', content: {} } };
      const again = await agent.send('tools/call', { ...params, inputResponses }, { capabilities });
      assert.ok(!again.text.includes('forbidden.example'), again.text);
      assert.ok(!again.text.includes('of-the-upstream'), again.text);
    }
  });

  test('a result of a kind that the agent did not offer to take is no answer', async () => {
    const agent = await ModernAgent.of(rig);
    for (const resultType of ['task', 'other', 7]) {
      rig.upstream.once('tools/call', ({ request, response }) =>
        answer(response, request.message.id, { resultType, taskId: 'of-the-upstream', status: 'working' }),
      );
      const { json, text } = await agent.call('echo', { text: 'x' });
      assert.equal(json.result.isError, true, text);
      assert.ok(!text.includes('of-the-upstream'), text);
    }
  });

  test('questions of one call are bounded', async () => {
    const agent = await ModernAgent.of(rig);
    const before = rig.upstream.requests.length;
    const refused = (): unknown[] => rig.upstream.requests.slice(before).filter(({ message }) => message.error !== undefined);
    let scene: Scene | undefined;
    rig.upstream.once('tools/call', (one) => {
      scene = one;
      stream(one.response);
      for (let at = 0; at < 40; at++)
        one.response.write(frame({ jsonrpc: '2.0', id: `m${String(at)}`, method: 'elicitation/create', params: form }));
      void until(() => refused().length === 8, 'refusals of what is too much').then(
        () => one.response.end(frame({ jsonrpc: '2.0', id: one.request.message.id, result: { content: [] } })),
        () => one.response.end(),
      );
    });
    const { result } = (await agent.call('echo', { text: 'x' }, { capabilities: { elicitation: {} } })).json;
    assert.ok(result.resultType === 'complete' || Object.keys(result.inputRequests as object).length <= 32);
    await until(() => refused().length === 8, 'refusals of what is too much');
    scene?.response.end();
  });

  test('a second stream that listens to a resource is judged for itself', async () => {
    const agent = await ModernAgent.of(rig);
    const listen = { notifications: { resourceSubscriptions: ['demo://a'] } };
    const first = await ModernStream.post(agent, 'subscriptions/listen', listen, { id: 1 });
    await until(() => first.messages.length === 1);
    assert.deepEqual(first.messages[0]?.params?.notifications, { resourceSubscriptions: ['demo://a'] });
    groups[0] = 'sales';
    const second = await ModernStream.post(await ModernAgent.of(rig), 'subscriptions/listen', listen, { id: 2 });
    await until(() => second.messages.length > 0);
    groups[0] = 'engineering';
    assert.deepEqual(second.messages[0]?.params?.notifications, {});
    for (const one of [first, second]) one.leave();
  });

  test('a notification says no more of its client than a request may', async () => {
    const raw = new RawAgent(rig.gateway.endpoint(), await rig.gateway.token());
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'x'.repeat(10_000), version: '1' },
    };
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'notifications/cancelled' };
    const body = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1, _meta: meta } };
    const refused = await raw.post(body, headers);
    assert.equal(refused.status, 400, refused.text);
  });
});
