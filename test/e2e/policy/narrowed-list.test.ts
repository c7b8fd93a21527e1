import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { combining, told, until } from './support.ts';

const rule = `package rules.test.refunds

allow contains "fine" if input.phase != "result"

deny contains "too much" if {
	"support" in input.identity.groups
	input.arguments.amount > 100
}

deny contains sprintf("not %v", [input.arguments.currency]) if not input.arguments.currency in ["EUR", "USD"]
`;
const properties = { amount: { type: 'number' }, currency: { type: 'string' } };

describe('what policy refuses anyhow', { timeout: 120_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [{ name: 'refund', inputSchema: { type: 'object', properties } }];
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: combining({ 'test/refunds.rego': rule }),
      policySettings: 'run_tests: false, deadline_ms: 1000',
    });
  });
  after(async () => {
    await fixture.close();
    await upstream.close();
  });

  it('is not offered, to those who are refused it; and is refused all the same', async () => {
    const [alice, bob] = await Promise.all(
      ['alice', 'bob'].map(async (subject) => new RawAgent(fixture.endpoint(), await fixture.token(subject)).open()),
    );
    assert.ok(alice && bob);
    const listed = async (agent: RawAgent): Promise<typeof properties> => {
      const answer = (await agent.request('tools/list')) as { result: { tools: { inputSchema: { properties: typeof properties } }[] } };
      const [tool] = answer.result.tools;
      assert.ok(tool);
      return tool.inputSchema.properties;
    };
    assert.deepEqual(await listed(bob), properties, 'the first list does not wait');
    await listed(alice);
    await until('narrowed lists', async () => 'enum' in (await listed(bob)).currency && 'enum' in (await listed(alice)).currency);
    const currency = { type: 'string', enum: ['EUR', 'USD'] };
    assert.deepEqual(await listed(bob), { amount: { type: 'number', maximum: 100 }, currency });
    assert.deepEqual(await listed(alice), { amount: { type: 'number' }, currency });
    assert.match(told(await bob.call('refund', { amount: 101, currency: 'EUR' })).text, /too much/);
    assert.match(told(await bob.call('refund', { amount: 1, currency: 'CHF' })).text, /not CHF/);
  });
});
