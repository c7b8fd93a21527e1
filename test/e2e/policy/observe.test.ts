import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { combining, endAll, metric, readyz, recordsOf, told } from './support.ts';

const rules = {
  'test/strict.rego': `package rules.test.strict

allow contains "fine" if input.phase != "result"

deny contains "not this word" if {
	input.phase != "list"
	input.arguments.text == "forbidden"
}

redact contains {"message": "kept short", "pointer": "/arguments/text", "as": "replace", "with": "short"} if input.arguments.text == "long"

redact contains {"message": "no results", "pointer": "/result/content/*/text", "as": "drop"} if {
	input.phase == "result"
	input.arguments.text == "result"
}

deny contains "withheld" if {
	input.phase == "result"
	input.arguments.text == "withheld"
}

require_approval contains {"message": "a human decides", "groups": ["security"]} if input.arguments.text == "ask"

deny contains "not listed" if input.phase == "list"

limit contains {"key": "all", "max": 1, "per_s": 3600} if input.arguments.text == "counted"
`,
};

describe('an endpoint that only observes', { timeout: 90_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let observed: RawAgent;
  let enforced: RawAgent;
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      endpoints: '  watched: { upstreams: [{ name: one }], enforcement: observe }\n  strict: { upstreams: [{ name: one }] }',
      policy: combining(rules),
      extra: 'approvals: { wait_ms: 0 }',
    });
    observed = await new RawAgent(fixture.endpoint('watched'), await fixture.token('alice', 'watched')).open();
    enforced = await new RawAgent(fixture.endpoint('strict'), await fixture.token('bob', 'strict')).open();
  });
  after(() =>
    endAll(
      () => fixture.close(),
      () => upstream.close(),
    ),
  );

  const sentTexts = (): unknown[] => upstream.calls('tools/call').map(({ message }) => message.params.arguments.text);

  for (const [text, effect] of [
    ['forbidden', 'deny'],
    ['long', 'redact'],
    ['ask', 'require_approval'],
    ['hello', 'allow'],
  ] as const) {
    it(`sends \`${text}\` as it came, and records that it would have met ${effect}`, async () => {
      const answer = await observed.call('echo', { text });
      assert.equal(told(answer).isError, false);
      assert.equal(sentTexts().at(-1), text);
      const [decided] = await recordsOf(fixture, told(answer).note['id']);
      assert.deepEqual([decided?.decision?.effect, decided?.decision?.enforced], [effect, false]);
    });
  }

  it('gives results as they came, and records what would have become of them', async () => {
    for (const [text, effect] of [
      ['result', 'redact'],
      ['withheld', 'deny'],
    ] as const) {
      const answer = await observed.call('echo', { text });
      assert.equal(told(answer).isError, false);
      assert.match(told(answer).text, new RegExp(text));
      const finished = (await recordsOf(fixture, told(answer).note['id'])).find(({ kind }) => kind === 'finished');
      assert.deepEqual([finished?.decision?.effect, finished?.decision?.enforced, finished?.outcome?.status], [effect, false, 'ok']);
    }
  });

  it('counts limits and lets everything pass them', async () => {
    for (const effect of ['allow', 'deny']) {
      const answer = await observed.call('echo', { text: 'counted' });
      assert.equal(told(answer).isError, false);
      const [decided] = await recordsOf(fixture, told(answer).note['id']);
      assert.equal(decided?.decision?.effect, effect);
    }
  });

  it('lists what policy would hide', async () => {
    const names = async (agent: RawAgent): Promise<string[]> =>
      ((await agent.request('tools/list', {})) as { result: { tools: { name: string }[] } }).result.tools.map(({ name }) => name);
    assert.deepEqual(await names(observed), ['echo']);
    assert.deepEqual(await names(enforced), []);
  });

  it('leaves another endpoint enforced', async () => {
    const before = sentTexts().length;
    const answer = await enforced.call('echo', { text: 'forbidden' });
    assert.equal(told(answer).isError, true);
    assert.equal(sentTexts().length, before);
    const [decided] = await recordsOf(fixture, told(answer).note['id']);
    assert.deepEqual([decided?.decision?.effect, decided?.decision?.enforced], ['deny', undefined]);
  });

  it('still refuses what the gateway itself cannot take: no token, an unknown tool', async () => {
    const nobody = await fetch(fixture.endpoint('watched'), {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(nobody.status, 401);
    const unknown = (await observed.request('tools/call', { name: 'no_such_tool', arguments: {} })) as { error?: unknown };
    assert.ok(unknown.error !== undefined);
  });

  it('is told in readiness and metrics', async () => {
    assert.deepEqual((await readyz(fixture.url)).body['observed'], ['watched']);
    assert.ok((await metric(fixture.url, 'castellan_observed_decisions_total{effect="deny"}')) >= 1);
  });
});
