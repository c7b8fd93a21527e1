import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { flatPolicy, type RawAgent } from '../../support/gateway.ts';
import { frame, stream } from '../../support/recording-upstream.ts';
import { startRig, until, type Rig } from './rig.ts';
import { madeUp, notifications, requests, specMethods } from '../surfaces/spec-methods.ts';
import { Listening } from './listening.ts';

/** Everything is denied but the opening of a session, without which nothing could be asked. */
const denyAll = Object.fromEntries(
  Object.entries(flatPolicy('deny')).map(([path, text]) => [
    path,
    text.replace(/^call := (.*)$/m, (_all, decision: string) => {
      const opens = 'input.request.method in {"initialize", "notifications/initialized"}';
      return `default call := ${decision}\n\ncall := ${decision.replaceAll('"deny"', '"allow"')} if ${opens}`;
    }),
  ]),
);

describe('every method under a policy that denies', { concurrency: false }, () => {
  let rig: Rig;
  let agent: RawAgent;

  before(async () => {
    rig = await startRig({ policy: denyAll });
    agent = await rig.agent({ capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } });
  });
  after(() => rig.close());

  /** Sends one message and gives how its one record says it was taken. */
  async function taken(message: object): Promise<string> {
    const seq = await rig.lastSeq();
    const sent = rig.upstream.requests.length;
    const answer = await agent.post({ jsonrpc: '2.0', ...message });
    if ('id' in message) {
      assert.equal(answer.status, 200, answer.text);
      const isRefused = answer.json.error !== undefined || answer.json.result?.isError === true || isEmptyList(answer.json.result);
      assert.ok(isRefused, answer.text);
    } else assert.equal(answer.status, 202);
    const records = await rig.recordsAfter(seq);
    assert.equal(records.length, 1, JSON.stringify(records));
    assert.deepEqual(rig.upstream.requests.slice(sent), [], JSON.stringify(message));
    assert.equal(records[0]?.what?.method ?? records[0]?.event?.detail?.['method'], (message as { method: string }).method);
    return records[0]?.decision?.effect ?? records[0]?.event?.code ?? '';
  }

  const isEmptyList = (result: Record<string, unknown> | undefined): boolean =>
    Object.values(result ?? {}).some((value) => Array.isArray(value) && value.length === 0);

  test('are all that the schemas of the specification name', () => {
    const tested = [...Object.keys(requests), ...Object.keys(notifications), 'initialize'];
    assert.deepEqual(tested.sort(), specMethods.all);
    assert.ok(specMethods.session.length > 25);
  });

  test('no request of MCP gets through, and each is recorded once', async () => {
    const allowed = ['deny', 'rpc.method_unknown', 'target.unknown', 'resource.unknown'];
    for (const [method, params] of Object.entries({ ...requests, ...notifications })) {
      const how = await taken({ id: 7, method, ...(params === undefined ? {} : { params }) });
      const isList = method.endsWith('/list') && method in requests && !['tasks/list', 'roots/list'].includes(method);
      assert.ok(isList ? how === 'allow' : allowed.includes(how), `${method}: ${how}`);
    }
  });

  test('no notification of MCP gets through, and each is recorded once', async () => {
    for (const [method, params] of Object.entries({ ...notifications, ...requests })) {
      const expected = method === 'notifications/initialized' ? 'allow' : 'deny';
      assert.equal(await taken({ method, ...(params === undefined ? {} : { params }) }), expected, method);
    }
  });

  test('no method that somebody made up gets through', async () => {
    assert.ok(madeUp.length >= 50);
    for (const method of madeUp) {
      const params = { name: 'echo', arguments: { text: 'canary' } };
      assert.equal(await taken({ id: 7, method, params }), 'deny', method);
      assert.equal(await taken({ method, params }), 'deny', method);
    }
  });

  test('no byte of them reached the upstream', () => {
    assert.ok(!rig.upstream.bytes().includes('canary'));
    assert.deepEqual(rig.upstream.calls('tools/call'), []);
  });
});

describe('every message of an upstream under a policy that denies messages', { concurrency: false }, () => {
  let rig: Rig;

  before(async () => {
    const text = Object.values(flatPolicy('allow')).join('');
    const denied = /^message := .*$/m.exec(Object.values(flatPolicy('deny')).join(''))?.[0] ?? '';
    rig = await startRig({ policy: { 'gateway/gateway.rego': text.replace(/^message := .*$/m, denied) } });
  });
  after(() => rig.close());

  test('none reaches the agent, each is recorded once, and each question is refused under its own id', async () => {
    const agent = await rig.agent({ capabilities: { sampling: {}, elicitation: {}, roots: {} } });
    const listening = await Listening.open(agent);
    await agent.call('echo');
    const strange = madeUp.map((method) => [method, { text: 'canary' }] as const);
    const asked = [...Object.entries(requests).filter(([method]) => method !== 'ping'), ...strange];
    const told = [...Object.entries(notifications).filter(([method]) => !/list_changed|cancelled|progress/.test(method)), ...strange];
    const seq = await rig.lastSeq();
    rig.upstream.once('tools/call', ({ request, response }) => {
      stream(response);
      for (const [at, [method, params]] of asked.entries())
        response.write(frame({ jsonrpc: '2.0', id: `u${String(at)}`, method, ...(params === undefined ? {} : { params }) }));
      for (const [method, params] of told) response.write(frame({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) }));
      const token = request.message.params._meta.progressToken;
      response.write(frame({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: token, progress: 1 } }));
      response.end(frame({ jsonrpc: '2.0', id: request.message.id, result: { content: [{ type: 'text', text: 'done' }] } }));
    });
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: {}, _meta: { progressToken: 'p' } } };
    const answer = await agent.post(body);
    assert.equal(answer.json.result.content[0].text, 'done');
    assert.ok(!answer.text.includes('canary') && !answer.text.includes('notifications/'), answer.text);
    const replies = (): typeof rig.upstream.requests =>
      rig.upstream.requests.filter(({ message }) => message.method === undefined && message.id !== undefined);
    await until(() => replies().length === asked.length, 'a refusal of each question');
    assert.deepEqual(new Set(replies().map(({ message }) => message.id)), new Set(asked.map((_one, at) => `u${String(at)}`)));
    for (const { message } of replies()) assert.equal(message.error?.code, 4030, JSON.stringify(message));
    const records = await rig.recordsAfter(seq, 500);
    const messages = records.filter((record) => record.what?.phase === 'message');
    assert.deepEqual(
      messages.map((record) => [record.what?.method, record.decision?.effect]).sort(),
      [...asked, ...told, ['notifications/progress']].map(([method]) => [method, 'deny']).sort(),
    );
    assert.deepEqual(listening.messages, []);
    listening.close();
  });
});
