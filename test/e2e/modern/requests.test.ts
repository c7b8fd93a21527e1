import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { metaKey } from '../../../src/call/modern-meta.ts';
import { flatPolicy } from '../../support/gateway.ts';
import { answer } from '../../support/recording-upstream.ts';
import { startRig, type Rig } from '../transport/rig.ts';
import { ModernAgent } from './modern-agent.ts';

let rig: Rig;
let agent: ModernAgent;

before(async () => {
  rig = await startRig();
  agent = await ModernAgent.of(rig);
});
after(() => rig.close());

describe('a request that stands for itself', { concurrency: false }, () => {
  test('is answered without a session, says who answers, and must not be kept', async () => {
    const found = await agent.send('server/discover');
    assert.equal(found.status, 200, found.text);
    assert.deepEqual(found.json.result.supportedVersions, ['2026-07-28']);
    assert.ok(found.json.result.capabilities.tools !== undefined);
    assert.equal(found.headers['mcp-session-id'], undefined);
    const listed = await agent.send('tools/list');
    assert.deepEqual(
      listed.json.result.tools.map((tool: { name: string }) => tool.name),
      ['echo', 'read'],
    );
    for (const { json } of [found, listed]) {
      assert.equal(json.result.resultType, 'complete');
      assert.deepEqual([json.result.ttlMs, json.result.cacheScope], [0, 'private']);
      assert.equal(json.result._meta[metaKey.serverInfo].name, 'castellan');
    }
    const called = await agent.call('echo', { text: 'hello' });
    assert.equal(called.json.result.content[0].text, '{"text":"hello"}');
    assert.equal(called.json.result.resultType, 'complete');
  });

  test('shares the upstream’s session with other requests of the same client and identity, and with nobody else’s', async () => {
    const sessions = rig.upstream.sessions.size;
    await agent.call('echo');
    await agent.call('echo');
    assert.equal(rig.upstream.sessions.size, sessions);
    const bob = await ModernAgent.of(rig, 'bob');
    await bob.call('echo');
    assert.equal(rig.upstream.sessions.size, sessions + 1);
  });
});

describe('a refusal of policy', { concurrency: false }, () => {
  let strict: Rig;
  let refused: ModernAgent;
  before(async () => {
    const terms = '"groups": ["security"], "quorum": 1, "expires_s": 60, "allow_self": false';
    const asks = Object.fromEntries(
      Object.entries(flatPolicy('deny')).map(([path, text]) => [
        path,
        text.replace(/^call := (.*)$/m, (_all, decision: string) => {
          const held = decision
            .replaceAll('"deny"', '"require_approval"')
            .replace('"approval": null', `"approval": {${terms}, "rules": ["test/flat"], "terms": [{"rule": "test/flat", ${terms}}]}`);
          return `default call := ${decision}\n\ncall := ${held} if input.target.name == "read"`;
        }),
      ]),
    );
    strict = await startRig({
      policy: asks,
      prepare: (upstream) => {
        upstream.capabilities = { tools: {}, prompts: {} };
        upstream.always('prompts/list', ({ request, response }) => answer(response, request.message.id, { prompts: [{ name: 'greet' }] }));
      },
    });
    refused = await ModernAgent.of(strict);
  });
  after(() => strict.close());

  test('of a call is a tool result that says so, of another method an error of our own; each is recorded once and sent nowhere', async () => {
    for (const [method, params] of [
      ['tools/call', { name: 'echo', arguments: {} }],
      ['prompts/get', { name: 'greet' }],
      ['server/discover', {}],
      ['subscriptions/listen', { notifications: { toolsListChanged: true } }],
    ] as const) {
      const { status, json } = await strict.refused(method, { status: 200 }, () => refused.send(method, params));
      assert.equal(status, 200);
      if (method !== 'tools/call') {
        assert.equal(json.error.code, 4030, method);
        continue;
      }
      assert.deepEqual([json.result.isError, json.result.resultType], [true, 'complete']);
      assert.equal(json.result._meta['castellan/decision'].effect, 'deny');
    }
  });

  test('for now, until people agree, names the approval', async () => {
    const { json } = await strict.refused('held', { status: 200, code: 'require_approval' }, () => refused.call('read'));
    assert.deepEqual([json.result.isError, json.result.resultType], [true, 'complete']);
    assert.match(json.result._meta['castellan/decision'].approval.id, /^apr_/);
  });
});
