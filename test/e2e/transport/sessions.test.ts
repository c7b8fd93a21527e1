import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RawAgent } from '../../support/gateway.ts';
import { answer } from '../../support/recording-upstream.ts';
import { Listening } from './listening.ts';
import { assertServes, echoCall, startRig, until, type Rig } from './rig.ts';

let rig: Rig;
/** Not used until the last test. */
let idle: RawAgent;
let listens: RawAgent;
let open: Listening;
let idleFromMs: number;

before(async () => {
  const upstreams = ['main', 'other'].map((name) => `  ${name}: { upstreams: [{ name: rec }] }`).join('\n');
  rig = await startRig({ endpoints: upstreams, extra: 'limits: { sessions_per_identity: 205, session_idle_s: 10 }' });
  [idle, listens] = await Promise.all([rig.agent(), rig.agent()]);
  open = await Listening.open(listens);
  idleFromMs = Date.now();
});
after(() => rig.close());

const opening = (version: string): object => ({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: version, capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
});

describe('sessions', { concurrency: false }, () => {
  test('a session belongs to an identity: issuer, subject and client, at one endpoint', async (t) => {
    const { gateway } = rig;
    const alice = await rig.agent();
    const unknown = { status: 404, code: 'session.unknown', rpc: -32600 };
    const resource = gateway.endpoint('main');
    const thieves: readonly (readonly [string, string, string])[] = [
      ['another subject', gateway.endpoint('main'), await gateway.token('bob')],
      [
        'the same subject with another client',
        gateway.endpoint('main'),
        await gateway.provider.tokenFor('alice', { resource, clientId: 'demo-agent' }),
      ],
      ['the same identity at another endpoint', gateway.endpoint('other'), await gateway.token('alice', 'other')],
    ];
    for (const [title, url, token] of thieves) {
      await t.test(`${title} does not find it`, async () => {
        const thief = new RawAgent(url, token);
        thief.session = alice.session;
        await rig.refused('POST', unknown, (canary) => rig.http(thief, { body: JSON.stringify(echoCall(canary)) }));
        await rig.refused('a notification', unknown, () =>
          rig.http(thief, { body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }) }),
        );
        await rig.refused('GET', { ...unknown }, () => rig.http(thief, { method: 'GET' }));
        await rig.refused('resume', { ...unknown }, () => rig.http(thief, { method: 'GET', headers: { 'last-event-id': 's0_0' } }));
        await rig.refused('DELETE', { ...unknown }, () => rig.http(thief, { method: 'DELETE' }));
        await assertServes(alice);
      });
    }
    await t.test('a refreshed token finds it', async () => {
      const refreshed = new RawAgent(alice.url, await gateway.token('alice'));
      refreshed.session = alice.session;
      assert.notEqual(refreshed.token, alice.token);
      await assertServes(refreshed);
    });
    await t.test('an id is not guessed: 128 bits, fresh each time', async () => {
      const others = await Promise.all(Array.from({ length: 5 }, () => rig.agent()));
      assert.equal(new Set(others.map((agent) => agent.session)).size, 5);
      for (const { session } of others) assert.match(session ?? '', /^[A-Za-z0-9_-]{22}$/);
    });
  });

  test('DELETE ends a session here and at the upstream, and its streams', async () => {
    const agent = await rig.agent();
    await assertServes(agent);
    const open = await Listening.open(agent);
    const atUpstream = rig.upstream.requests.filter(({ httpMethod }) => httpMethod === 'DELETE').length;
    assert.equal((await rig.http(agent, { method: 'DELETE' })).status, 204);
    await open.done;
    await until(() => rig.upstream.requests.filter(({ httpMethod }) => httpMethod === 'DELETE').length === atUpstream + 1);
    await rig.refused('after DELETE', { status: 404, code: 'session.unknown' }, (canary) =>
      rig.http(agent, { body: JSON.stringify(echoCall(canary)) }),
    );
    await rig.refused('a second DELETE', { status: 404, code: 'session.unknown' }, () => rig.http(agent, { method: 'DELETE' }));
  });

  test('DELETE cancels the calls in flight', async () => {
    const agent = await rig.agent();
    rig.upstream.once('tools/call', () => undefined);
    const calls = rig.upstream.calls('tools/call').length;
    const pending = agent.call('echo');
    await until(() => rig.upstream.calls('tools/call').length === calls + 1);
    const sent = rig.upstream.calls('tools/call').at(-1)?.message.id;
    await rig.http(agent, { method: 'DELETE' });
    await until(() => rig.upstream.calls('notifications/cancelled').some(({ message }) => message.params.requestId === sent));
    assert.match((await pending).result.content[0].text, /cancelled/);
  });

  for (const [asked, agreed] of [
    ['2025-03-26', '2025-03-26'],
    ['2025-06-18', '2025-06-18'],
    ['2025-11-25', '2025-11-25'],
    ['2024-11-05', '2025-11-25'],
    ['2026-07-28', '2025-11-25'],
    ['nonsense', '2025-11-25'],
  ] as const) {
    test(`a client that asks for ${asked} gets ${agreed}, and calls with and without the header`, async () => {
      const agent = new RawAgent(rig.gateway.endpoint(), await rig.gateway.token());
      const opened = await agent.post(opening(asked));
      assert.equal(opened.json.result.protocolVersion, agreed);
      agent.session = opened.headers.get('mcp-session-id') ?? undefined;
      for (const headers of [{}, { 'mcp-protocol-version': agreed }]) {
        const said = await agent.post(echoCall('v'), headers);
        assert.equal(said.json.result.content[0].text, '{"text":"v"}');
      }
      for (const method of ['POST', 'GET', 'DELETE']) {
        await rig.refused(`${method} with another version`, { status: 400, code: 'protocol.version', rpc: -32600 }, (canary) =>
          rig.http(agent, {
            method,
            headers: { 'mcp-protocol-version': '2024-11-05' },
            ...(method === 'POST' ? { body: JSON.stringify(echoCall(canary)) } : {}),
          }),
        );
      }
      assert.equal(rig.upstream.calls('initialize').at(-1)?.message.params.protocolVersion, agreed);
    });
  }

  test('of two requests with one id in flight the second is refused, and the first is answered', async () => {
    const agent = await rig.agent();
    let release: () => void = () => undefined;
    rig.upstream.once('tools/call', (scene) => void (release = () => scene.behave()));
    const calls = rig.upstream.calls('tools/call').length;
    const first = agent.post(echoCall('first', 5));
    await until(() => rig.upstream.calls('tools/call').length === calls + 1);
    const second = await rig.refused('the same id', { status: 200, code: 'rpc.invalid', rpc: -32600 }, (canary) =>
      rig.http(agent, { body: JSON.stringify(echoCall(canary, 5)) }),
    );
    assert.equal(second.json.id, 5);
    const text = await agent.post(echoCall('text', '5'));
    assert.deepEqual([text.json.id, text.json.result.content[0].text], ['5', '{"text":"text"}']);
    release();
    assert.equal((await first).json.result.content[0].text, '{"text":"first"}');
    assert.equal((await agent.post(echoCall('again', 5))).json.result.content[0].text, '{"text":"again"}');
  });

  test('200 sessions that all use id 0 at once each get their own answer', async () => {
    const token = await rig.gateway.token('bob');
    const agents = await Promise.all(Array.from({ length: 200 }, () => new RawAgent(rig.gateway.endpoint(), token).open()));
    assert.equal(new Set(agents.map((agent) => agent.session)).size, 200);
    const waiting: (() => void)[] = [];
    // Answered a hundred at a time and in an order of the upstream's own, so that a mix-up would show.
    rig.upstream.always('tools/call', ({ request, response }) => {
      const { id, params } = request.message;
      waiting.push(() => answer(response, id, { content: [{ type: 'text', text: params.arguments.text }] }));
      if (waiting.length < 100) return;
      for (const give of waiting.splice(0).toSorted(() => Math.random() - 0.5)) give();
    });
    const said = await Promise.all(agents.map((agent, at) => agent.post(echoCall(`canary ${String(at)}`, 0))));
    rig.upstream.always('tools/call', (scene) => scene.behave());
    for (const [at, { json }] of said.entries()) assert.deepEqual([json.id, json.result.content[0].text], [0, `canary ${String(at)}`]);
  });

  test('sessions of one identity are bounded, also when they are opened all at once', async () => {
    const token = await rig.gateway.token('sofia');
    const opened = await Promise.all(
      Array.from({ length: 230 }, () => new RawAgent(rig.gateway.endpoint(), token).post(opening('2025-11-25'))),
    );
    assert.equal(opened.filter(({ status }) => status === 200).length, 205);
    const refused = opened.filter(({ status }) => status === 503);
    assert.equal(refused.length, 25);
    assert.equal(refused[0]?.headers.get('retry-after'), '1');
    assert.match(String(refused[0].json.error.message), /DELETE/);
    await assertServes(await rig.agent());
  });

  test('an idle session ends; one that listens does not', async () => {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, idleFromMs + 10_200 - Date.now())));
    await rig.refused('idle', { status: 404, code: 'session.unknown' }, (canary) =>
      rig.http(idle, { body: JSON.stringify(echoCall(canary)) }),
    );
    await assertServes(listens);
    open.close();
  });
});
