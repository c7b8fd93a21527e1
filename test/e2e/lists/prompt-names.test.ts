import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { answer, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { combining } from '../policy/support.ts';

const policy = combining({
  'test/prompts.rego': `package rules.test.prompts

allow contains "fine" if {
	input.phase != "result"
	input.target.kind != "prompt"
}

allow contains "the wiki's greeting" if {
	input.target.kind == "prompt"
	input.target.server == "wiki"
	input.target.name == "greet"
}
`,
});

let servers: RecordingUpstream[];
let fixture: GatewayFixture;
before(async () => {
  servers = await Promise.all([startRecordingUpstream(), startRecordingUpstream()]);
  for (const server of servers) {
    server.capabilities = { prompts: {} };
    server.always('prompts/list', ({ request, response }) => answer(response, request.message.id, { prompts: [{ name: 'greet' }] }));
    server.always('prompts/get', ({ request, response }) => answer(response, request.message.id, { messages: [] }));
  }
  fixture = await startGatewayFixture({
    upstreams: `  wiki: { http: { url: "${servers[0]?.url ?? ''}" } }\n  desk: { http: { url: "${servers[1]?.url ?? ''}" } }`,
    endpoints: '  main: { upstreams: [{ name: wiki }, { name: desk }] }',
    policy,
  });
});
after(async () => {
  await fixture.close();
  await Promise.all(servers.map((server) => server.close()));
});

test('a prompt that two servers have is listed and got by the same rule, which goes by its name at its server', async () => {
  const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
  const { prompts } = (await agent.request('prompts/list')).result as { prompts: { name: string }[] };
  assert.deepEqual(
    prompts.map(({ name }) => name),
    ['wiki_greet'],
  );
  assert.ok((await agent.request('prompts/get', { name: 'wiki_greet' })).result.messages);
  assert.match((await agent.request('prompts/get', { name: 'desk_greet' })).error.message as string, /denied/);
  assert.deepEqual(servers[1]?.calls('prompts/get'), []);
});
