import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { flatPolicy } from '../../support/gateway.ts';
import { answer, frame, stream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { ModernAgent } from '../modern/modern-agent.ts';
import { startRig, type Rig } from '../transport/rig.ts';
import { madeUp, notifications, requests, specMethods } from './spec-methods.ts';

const extension = 'io.modelcontextprotocol/tasks';
const capabilities = { sampling: {}, elicitation: { form: {}, url: {} }, roots: {}, extensions: { [extension]: {} } };
const initialize = { protocolVersion: '2026-07-28', capabilities: {}, clientInfo: { name: 'canary', version: '1' } };

describe('every method without a session under a policy that denies', { concurrency: false }, () => {
  let rig: Rig;
  let agent: ModernAgent;
  before(async () => {
    rig = await startRig({ policy: flatPolicy('deny') });
    agent = await ModernAgent.of(rig);
  });
  after(() => rig.close());

  /** Sends one message and gives how its one record says it was taken. */
  async function taken(method: string, params: Record<string, unknown> | undefined, isNotification: boolean): Promise<string> {
    const seq = await rig.lastSeq();
    const sent = rig.upstream.requests.length;
    const request = agent.request(method, params ?? {}, { capabilities, headers: method in requests ? nameHeader(params) : {} });
    const { id, ...message } = JSON.parse(request.body) as Record<string, unknown>;
    const got = await rig.http(agent.raw, { ...request, body: JSON.stringify(isNotification ? message : { ...message, id }) });
    const text = got.text;
    if (isNotification) assert.ok(got.status === 202 || got.status === 400, `${method}: ${String(got.status)} ${text}`);
    else {
      const [only] = text.startsWith('{')
        ? [JSON.parse(text)]
        : [...text.matchAll(/^data: (.+)$/gm)].map((line) => JSON.parse(line[1] ?? ''));
      const isRefused = only?.error !== undefined || only?.result?.isError === true || isEmptyList(only?.result);
      assert.ok(isRefused, `${method}: ${text}`);
    }
    const records = await rig.recordsAfter(seq);
    assert.equal(records.length, 1, `${method}: ${JSON.stringify(records)}`);
    assert.deepEqual(rig.upstream.requests.slice(sent), [], method);
    return records[0]?.decision?.effect ?? records[0]?.event?.code ?? '';
  }

  const isEmptyList = (result: Record<string, unknown> | undefined): boolean =>
    Object.values(result ?? {}).some((value) => Array.isArray(value) && value.length === 0);
  /** Where a header repeats a part of the body it must be there, or the message is refused before policy is asked. */
  const nameHeader = (params: Record<string, unknown> | undefined): Record<string, string> => {
    const name = params?.['name'] ?? params?.['uri'] ?? params?.['taskId'];
    return typeof name === 'string' ? { 'mcp-name': name } : {};
  };

  test('no request gets through, and each is recorded once', async () => {
    const all = { initialize, ...requests, ...notifications };
    assert.deepEqual(Object.keys(all).sort(), specMethods.all);
    const refused = ['deny', 'rpc.method_unknown', 'target.unknown', 'resource.unknown'];
    for (const [method, params] of Object.entries(all)) {
      const how = await taken(method, params, false);
      const isList = /^(tools|prompts|resources|resources\/templates)\/list$/.test(method);
      assert.ok(isList ? how === 'allow' : refused.includes(how), `${method}: ${how}`);
    }
  });

  test('no notification gets through, and each is recorded once', async () => {
    for (const [method, params] of Object.entries({ initialize, ...requests, ...notifications }))
      assert.equal(await taken(method, params, true), 'deny', method);
  });

  test('no method that somebody made up gets through', async () => {
    // A header cannot carry each of them as it is; the others are refused for that.
    for (const method of madeUp.filter((one) => /^[\x21-\x7e]+$/.test(one))) {
      const params = { name: 'echo', arguments: { text: 'canary' } };
      assert.equal(await taken(method, params, false), 'deny', method);
      assert.equal(await taken(method, params, true), 'deny', method);
    }
  });

  test('no byte of them reached the upstream', () => {
    assert.ok(!rig.upstream.bytes().includes('canary'));
    assert.deepEqual(rig.upstream.calls('tools/call'), []);
  });
});

/** Makes the recording upstream one of 2026-07-28. */
function speakModern(upstream: RecordingUpstream): void {
  const kept = { resultType: 'complete', ttlMs: 60_000, cacheScope: 'private' };
  upstream.always('server/discover', ({ request, response }) =>
    answer(response, request.message.id, { ...kept, supportedVersions: ['2026-07-28'], capabilities: { tools: {}, logging: {} } }),
  );
  upstream.always('tools/list', ({ request, response }) => answer(response, request.message.id, { ...kept, tools: upstream.tools }));
  upstream.always('tools/call', ({ request, response }) =>
    answer(response, request.message.id, { resultType: 'complete', content: [{ type: 'text', text: 'done' }] }),
  );
}

describe('every message of an upstream without sessions under a policy that denies messages', { concurrency: false }, () => {
  let rig: Rig;
  before(async () => {
    const text = Object.values(flatPolicy('allow')).join('');
    const denied = /^message := .*$/m.exec(Object.values(flatPolicy('deny')).join(''))?.[0] ?? '';
    rig = await startRig({ policy: { 'gateway/gateway.rego': text.replace(/^message := .*$/m, denied) }, prepare: speakModern });
  });
  after(() => rig.close());

  for (const era of ['session', 'stateless'] as const) {
    test(`none reaches an agent (${era}); what that era knows is recorded once, requests, of which it knows none, are refused`, async () => {
      const raw = era === 'session' ? await rig.agent({ capabilities: { sampling: {}, elicitation: {}, roots: {} } }) : undefined;
      const modern = raw === undefined ? await ModernAgent.of(rig) : undefined;
      const told = [
        ...Object.entries(notifications).filter(([method]) => !/list_changed|cancelled|progress|acknowledged/.test(method)),
        ...madeUp.map((method) => [method, { text: 'canary' }] as const),
      ];
      const seq = await rig.lastSeq();
      const before = rig.upstream.requests.length;
      rig.upstream.once('tools/call', ({ request, response }) => {
        stream(response);
        for (const [at, [method, params]] of Object.entries(requests).entries())
          response.write(frame({ jsonrpc: '2.0', id: `u${String(at)}`, method, ...(params === undefined ? {} : { params }) }));
        for (const [method, params] of told) response.write(frame({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) }));
        const result = { resultType: 'complete', content: [{ type: 'text', text: 'done' }] };
        response.end(frame({ jsonrpc: '2.0', id: request.message.id, result }));
      });
      const text =
        raw === undefined
          ? (await modern?.call('echo', {}, { capabilities, meta: { 'io.modelcontextprotocol/logLevel': 'debug' } }))?.text
          : (await raw.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: {} } })).text;
      assert.ok(text?.includes('done') === true && !text.includes('canary') && !text.includes('notifications/'), text);
      const records = (await rig.recordsAfter(seq, 500)).filter(({ kind, what }) => kind === 'decided' && what?.phase === 'message');
      assert.deepEqual(
        records.map((record) => [record.what?.method, record.decision?.effect]).sort(),
        told.map(([method]) => [method, 'deny']).sort(),
      );
      const unplaced = (await rig.recordsAfter(seq, 500)).filter(({ event }) => event?.code === 'message.unplaced');
      assert.deepEqual(unplaced.map(({ what }) => what?.method).sort(), Object.keys(requests).sort());
      const sent = rig.upstream.requests.slice(before).map(({ message }) => message.method);
      assert.deepEqual(
        sent.filter((method) => method === undefined),
        [],
        'no request of an upstream is answered in this era',
      );
    });
  }

  test('no question in a result reaches an agent, and each is recorded', async () => {
    const agent = await ModernAgent.of(rig);
    for (const method of ['sampling/createMessage', 'elicitation/create', 'roots/list']) {
      const seq = await rig.lastSeq();
      rig.upstream.once('tools/call', ({ request, response }) =>
        answer(response, request.message.id, { resultType: 'input_required', inputRequests: { a: { method, params: requests[method] } } }),
      );
      const got = await agent.call('echo', {}, { capabilities });
      assert.ok(!got.text.includes('canary') && got.text.includes('flat deny'), got.text);
      const records = (await rig.recordsAfter(seq)).filter((record) => record.what?.phase === 'message');
      assert.deepEqual(
        records.map((record) => [record.what?.method, record.decision?.effect]),
        [[method, 'deny']],
      );
    }
  });
});
