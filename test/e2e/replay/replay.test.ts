import assert from 'node:assert/strict';
import { cp, writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { application } from '../../../src/app.ts';
import type { ReplayRequest } from '../../../src/cli/replay-tools.ts';
import type { ReplayReport } from '../../../src/replay/report.ts';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { combining, endAll } from '../policy/support.ts';

const rules = {
  'test/open.rego': `package rules.test.open

allow contains "fine" if input.phase != "result"

deny contains "not this word" if input.arguments.text == "forbidden"

redact contains {"message": "kept short", "pointer": "/arguments/text", "as": "replace", "with": "short"} if {
	input.phase == "call"
	input.arguments.text == "long"
}

require_approval contains {"message": "a human decides", "groups": ["security"]} if input.arguments.text == "ask"

label contains "seen" if input.arguments.text == "taint"

deny contains "after a taint" if {
	input.phase == "call"
	input.arguments.text == "after"
	"seen" in input.session.labels
}
`,
};

describe('replay of what a gateway recorded', { timeout: 170_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let ids: string[] = [];
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: combining(rules),
      extra: 'approvals: { wait_ms: 0 }',
    });
    for (const who of ['alice', 'bob']) {
      const agent = await new RawAgent(fixture.endpoint(), await fixture.token(who)).open();
      for (const text of ['hello', 'forbidden', 'long', 'ask', 'taint', 'after', 'hello']) await agent.call('echo', { text });
      await agent.request('tools/list', {});
    }
    ids = (await fixture.records()).flatMap(({ record }) =>
      record.kind === 'decided' && record.what?.method === 'tools/call' && record.call !== undefined ? [record.call] : [],
    );
  });
  after(() =>
    endAll(
      () => fixture.close(),
      () => upstream.close(),
    ),
  );

  const replay = (against: string, mode: ReplayRequest['mode'] = 'recorded'): Promise<ReplayReport> =>
    application.replay.replay({ traffic: { configPath: fixture.configPath, env: process.env }, against, mode, workers: 2 });

  it('gives no difference under the release that decided, in either mode', async () => {
    for (const mode of ['recorded', 'faithful'] as const) {
      const report = await replay(fixture.policyFolder, mode);
      assert.deepEqual(report.groups, []);
      assert.deepEqual([report.unknowable, report.moot, report.gateway_decided], [0, 0, 0]);
      assert.ok(report.replayed >= 14 && report.replayed === report.decisions, JSON.stringify(report.not_replayable));
    }
  });

  it('says what another policy would have done, and one example is explained', async () => {
    const other = join(fixture.folder, 'other');
    await cp(fixture.policyFolder, other, { recursive: true });
    const file = join(other, 'rules/test/open.rego');
    const text = await readFile(file, 'utf8');
    await writeFile(file, `${text}\ndeny contains "no taint" if input.arguments.text == "taint"\n`);
    const recorded = await replay(other);
    assert.deepEqual([recorded.kinds.newly_denied, recorded.kinds.newly_allowed], [4, 0]);
    const faithful = await replay(other, 'faithful');
    // Nobody is tainted any more: what came after is allowed, and there is no result of a call that was not sent.
    assert.deepEqual([faithful.kinds.newly_denied, faithful.kinds.newly_allowed, faithful.moot], [2, 2, 2]);
    const example = faithful.groups.find(({ kind }) => kind === 'newly_denied')?.example.call ?? '';
    assert.ok(ids.includes(example));
    const explained = await application.replay.explain({
      traffic: { configPath: fixture.configPath, env: process.env },
      decision: example,
      policy: other,
    });
    assert.deepEqual(
      explained.fired.map(({ set }) => set).filter((set) => set === 'deny'),
      ['deny'],
    );
    const inForce = await application.replay.explain({ traffic: { configPath: fixture.configPath, env: process.env }, decision: example });
    assert.equal(
      inForce.fired.some(({ set }) => set === 'deny'),
      false,
    );
  });

  it('an export without secrets gives no difference either', async () => {
    const output = join(fixture.folder, 'replay.jsonl.gz');
    const exported = await application.replay.exportForReplay({
      traffic: { configPath: fixture.configPath, env: process.env },
      output,
      also: [],
    });
    assert.deepEqual([exported.unserved_rules, exported.without_input], [[], 0]);
    const from = { from: output, env: process.env };
    const report = await application.replay.replay({ traffic: from, against: fixture.policyFolder, mode: 'faithful', workers: 1 });
    assert.deepEqual([report.groups, report.unserved_rules], [[], []]);
    assert.equal(report.replayed, exported.decisions);
  });

  it('a decision that is not on record is told as such', async () => {
    const asked = application.replay.explain({ traffic: { configPath: fixture.configPath, env: process.env }, decision: 'call_nobody' });
    await assert.rejects(asked, /no decision `call_nobody` on record/);
  });
});
