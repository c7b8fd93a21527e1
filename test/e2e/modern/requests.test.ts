import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { metaKey } from '../../../src/call/modern-meta.ts';
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
