import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RawAgent } from '../../support/gateway.ts';
import { envelope } from '../modern/modern-agent.ts';
import { Listening } from './listening.ts';
import { startRig, until, type Rig } from './rig.ts';

let rig: Rig;
before(async () => {
  rig = await startRig({ prepare: (upstream) => (upstream.capabilities = { tools: { listChanged: true } }) });
});
after(() => rig.close());

const agentFor = async (expiresInS: number): Promise<RawAgent> => {
  const url = rig.gateway.endpoint();
  return new RawAgent(url, await rig.gateway.provider.tokenFor('alice', { resource: url, expiresInS }));
};

describe('a stream ends with the token that opened it', { concurrency: false }, () => {
  test('that of a session, which goes on under a fresh token', async () => {
    const agent = await (await agentFor(3)).open();
    const listening = await Listening.open(agent);
    assert.equal(listening.ended, false);
    await until(() => listening.ended);
    const fresh = await agentFor(600);
    fresh.session = agent.session;
    const again = await Listening.open(fresh);
    assert.equal(again.response.status, 200);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(again.ended, false);
    again.close();
  });

  test('that of `subscriptions/listen`', async () => {
    const listening = await Listening.post(
      await agentFor(3),
      {
        jsonrpc: '2.0',
        id: 1,
        method: 'subscriptions/listen',
        params: { notifications: { toolsListChanged: true }, _meta: envelope() },
      },
      { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
    );
    await until(() => listening.messages.length === 1);
    assert.equal(listening.ended, false);
    await until(() => listening.ended);
  });
});
