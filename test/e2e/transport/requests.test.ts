import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { RawAgent } from '../../support/gateway.ts';
import { badBodies } from './bad-bodies.ts';
import { badRequests } from './bad-requests.ts';
import { assertServes, echoCall, startRig, type Rig } from './rig.ts';

let rig: Rig;
let agent: RawAgent;

before(async () => {
  rig = await startRig({
    listen: 'allowed_origins: ["https://console.example"]',
    extra: 'limits: { body_bytes: 4096, json_depth: 16 }',
  });
  agent = await rig.agent();
  await assertServes(agent);
});
after(() => rig.close());

describe('requests', { concurrency: false }, () => {
  test('each bad request ends in its documented error, once in the audit, and nowhere upstream', async (t) => {
    for (const [title, expected, make] of [...badBodies, ...badRequests]) {
      await t.test(title, async () => {
        await rig.refused(title, expected, (canary) => rig.http(agent, make(canary, agent)));
        await assertServes(agent, title);
      });
    }
  });

  test('arguments whose names look alike are refused in words that a model can read', async () => {
    for (const given of [
      { text: 'x', Text: 'CANARY' },
      { 'te\u0301xt': 'CANARY' },
      { ＴＥＸＴ: 'CANARY' },
      { other: 'x', OTHER: 'CANARY' },
    ]) {
      const answer = await rig.refused(JSON.stringify(given), { status: 200, code: 'rpc.params' }, (canary) =>
        rig.http(agent, { body: JSON.stringify({ ...echoCall(canary), params: { name: 'echo', arguments: given } }) }),
      );
      assert.equal(answer.json.result.isError, true);
      assert.match(answer.json.result.content[0].text, /can be taken for another argument/);
      assert.ok(!rig.upstream.bytes().includes('CANARY'));
    }
    const free = await agent.call('echo', { text: 'x', other: 1, Another: 2 });
    assert.deepEqual(JSON.parse(free.result.content[0].text), { text: 'x', other: 1, Another: 2 });
  });

  test('a method that is not used here is told which are', async () => {
    const { headers } = await rig.http(agent, { method: 'PUT', body: '{}' });
    assert.equal(headers.allow, 'POST, GET, DELETE');
  });

  test('an Accept header that is missing or names anything gets JSON', async () => {
    for (const accept of [undefined, '*/*', 'application/*']) {
      const answer = await rig.http(agent, { body: JSON.stringify(echoCall('plain')), headers: { accept } });
      assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'application/json'], accept);
    }
  });

  test('an endpoint is served, and its refusals told, however its path is spelt', async () => {
    for (const path of ['/mcp/main', '/mcp/main/', '/MCP/main', '/mcp/m%61in', '/mcp/main?a=1']) {
      const answer = await rig.http(agent, { path, body: JSON.stringify(echoCall('spelt')) });
      assert.deepEqual([answer.status, answer.json.result?.isError], [200, undefined], path);
      await rig.refused(path, { status: 401, code: 'auth.required' }, (canary) =>
        rig.http(agent, { path, body: JSON.stringify(echoCall(canary)), headers: { authorization: undefined } }),
      );
      await rig.refused(path, { status: 403, code: 'http.host' }, (canary) =>
        rig.http(agent, { path, body: JSON.stringify(echoCall(canary)), headers: { host: 'evil.example' } }),
      );
    }
  });

  test('a listed origin is told that it may read the answer, and its preflight passes without a token', async () => {
    const origin = 'https://console.example';
    const answer = await rig.http(agent, { body: JSON.stringify(echoCall('cors')), headers: { origin } });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], origin);
    assert.match(String(answer.headers['access-control-expose-headers']), /mcp-session-id.*www-authenticate/);
    const preflight = await rig.http(agent, {
      method: 'OPTIONS',
      headers: { origin, authorization: undefined, 'access-control-request-method': 'POST' },
    });
    assert.equal(preflight.status, 204);
    assert.match(
      String(preflight.headers['access-control-allow-headers']),
      /authorization.*mcp-session-id.*mcp-protocol-version.*last-event-id/,
    );
    const stranger = await rig.refused('a preflight of a stranger', { status: 403, code: 'http.origin' }, () =>
      rig.http(agent, { method: 'OPTIONS', headers: { origin: 'https://evil.example', authorization: undefined } }),
    );
    assert.equal(stranger.headers['access-control-allow-origin'], undefined);
  });
});
