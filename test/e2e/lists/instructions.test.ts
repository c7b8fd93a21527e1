import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { flatPolicy, RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { answer, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { envelope } from '../modern/modern-agent.ts';

/** Engineering sees the tools of `wiki`, support the prompts of `desk`, security nothing. */
const policy = {
  'gateway/gateway.rego': (flatPolicy('allow')['gateway/gateway.rego'] ?? '').replace(
    /^list := .*$/m,
    `list := {"version": 1, "visible": sort(tools | items)}
tools contains tool.exposed_name if {
	some tool in input.tools
	tool.server == "wiki"
	"engineering" in input.identity.groups
}
items contains item.name if {
	some item in input.items
	item.server == "desk"
	"support" in input.identity.groups
}`,
  ),
};

describe('instructions of servers', { concurrency: false, timeout: 60_000 }, () => {
  let wiki: RecordingUpstream;
  let desk: RecordingUpstream;
  let fixture: GatewayFixture;
  before(async () => {
    [wiki, desk] = await Promise.all([startRecordingUpstream(), startRecordingUpstream()]);
    wiki.instructions = 'Search before you write.';
    desk.instructions = 'The desk closes at five.';
    desk.capabilities = { prompts: {} };
    desk.always('prompts/list', ({ request, response }) => answer(response, request.message.id, { prompts: [{ name: 'greet' }] }));
    fixture = await startGatewayFixture({
      upstreams: `  wiki: { http: { url: "${wiki.url}" } }\n  desk: { http: { url: "${desk.url}" } }`,
      endpoints: `  main: { upstreams: [{ name: wiki }, { name: desk }] }\n  own: { upstreams: [{ name: wiki }, { name: desk }], instructions: "Ours." }\n  open: { upstreams: [{ name: wiki }, { name: desk }], enforcement: observe }`,
      policy,
    });
  });
  after(async () => {
    await fixture.close();
    await Promise.all([wiki.close(), desk.close()]);
  });

  const opened = async (subject: string, endpoint = 'main'): Promise<string | undefined> => {
    const agent = new RawAgent(fixture.endpoint(endpoint), await fixture.token(subject, endpoint));
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    return (await agent.request('initialize', params)).result.instructions as string | undefined;
  };

  test('reach those who see something of the server, and nobody else', async () => {
    assert.equal(await opened('alice'), 'Search before you write.');
    assert.equal(await opened('bob'), 'The desk closes at five.');
    assert.equal(await opened('sofia'), undefined);
  });

  test('the same without a session', async () => {
    for (const [subject, text] of [
      ['alice', 'Search before you write.'],
      ['bob', 'The desk closes at five.'],
      ['sofia', undefined],
    ] as const) {
      const agent = new RawAgent(fixture.endpoint(), await fixture.token(subject));
      const body = { jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: envelope() } };
      const { json } = await agent.post(body, { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' });
      assert.equal(json.result.instructions, text, subject);
    }
  });

  test('each look at a list is a decision on record, and none is made where the configuration speaks for itself', async () => {
    const before = (await fixture.records()).at(-1)?.seq ?? 0;
    await opened('sofia');
    const since = (seq: number) => fixture.records().then((all) => all.filter((one) => one.seq > seq).map(({ record }) => record));
    const records = await since(before);
    const decided = records.filter(({ kind }) => kind === 'decided').map(({ what }) => `${what?.phase ?? ''} ${what?.method ?? ''}`);
    assert.deepEqual(decided, ['call initialize', 'list initialize', 'list initialize']);
    assert.equal(new Set(records.map(({ call }) => call)).size, 3);
    assert.equal(records.filter(({ kind }) => kind === 'finished').length, 3);

    const later = (await fixture.records()).at(-1)?.seq ?? 0;
    assert.equal(await opened('sofia', 'own'), 'Ours.');
    assert.equal((await since(later)).filter(({ kind }) => kind === 'decided').length, 1);
  });

  test('an endpoint that only observes gives them all', async () => {
    assert.equal(await opened('sofia', 'open'), 'wiki: Search before you write.\n\ndesk: The desk closes at five.');
  });
});
