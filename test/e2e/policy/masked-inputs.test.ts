import assert from 'node:assert/strict';
import { writeFileSync, rmSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { withRecorded } from '../../../src/app/recorded.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { RecordedDecision } from '../../../src/model/recorded.ts';
import { sampleSecret } from '../../../src/demo/demo-setup.ts';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { combining, endAll, until } from './support.ts';

/** One rule beside the shipped entrypoints, of which `gateway/mask` is one. */
const grants = `package rules.local.everything

allow contains "in this test" if input.phase in {"call", "list", "message"}
`;

describe('the mask over what is kept of inputs', { timeout: 180_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let agent: RawAgent;
  /** The decisions of the call whose arguments the upstream got last. */
  const decisionsOf = async (text: string): Promise<RecordedDecision[]> => {
    const answer = await agent.call('echo', { text, other: 'beside' });
    const call = String(answer.result._meta['castellan/decision'].id);
    await fixture.records();
    return await withRecorded(loadConfig(fixture.configPath, {}).config, (recorded) =>
      recorded.ofCall('default', call).then((all) => [...all]),
    );
  };
  const put = async (path: string, text: string | undefined): Promise<void> => {
    const { body: before } = await fixture.admin('GET', '/status');
    const file = join(fixture.policyFolder, path);
    mkdirSync(join(file, '..'), { recursive: true });
    if (text === undefined) rmSync(file);
    else writeFileSync(file, text);
    await fixture.admin('POST', '/reload');
    await until('the new release', async () => {
      const { body } = await fixture.admin('GET', '/status');
      return JSON.stringify(body) !== JSON.stringify(before);
    });
  };
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [{ ...echoTool, inputSchema: { type: 'object' } }];
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: combining({ 'local/everything.rego': grants }, { audit: { mask_pointers: [], mask_detectors: ['secret.'] } }),
      // The machine that tests run on may be busy with a compiler.
      policySettings: 'run_tests: false, deadline_ms: 2000',
    });
    agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
  });
  after(() =>
    endAll(
      () => fixture.close(),
      () => upstream.close(),
    ),
  );

  it('leaves what holds nothing to hide as it is', async () => {
    const [decided] = await decisionsOf('plain');
    assert.equal(decided?.input.state, 'kept');
  });

  it('takes a secret out of what is kept, wherever it stands, and says where', async () => {
    const [decided] = await decisionsOf(`key ${sampleSecret()}`);
    assert.equal(decided?.input.state, 'masked');
    assert.equal(decided.record.decision?.input, 'masked');
    const { json, pointers } = decided.input;
    assert.equal(json.includes(sampleSecret()), false);
    assert.deepEqual(pointers, ['/arguments/text']);
    assert.equal((JSON.parse(json) as { arguments: { other: string } }).arguments.other, 'beside');
  });

  it('obeys the masks of system.log: erase, upsert, and a whole member', async () => {
    await put(
      'system/log.rego',
      'package system.log\n\nmask contains "/input/arguments/text"\n\nmask contains {"op": "upsert", "path": "/input/request/user_agent", "value": "nobody"}\n\nmask contains {"op": "remove", "path": "/input/identity/claims"} if input.path == "gateway/call"\n',
    );
    const [decided] = await decisionsOf('hide me');
    assert.equal(decided?.input.state, 'masked', JSON.stringify(decided?.record));
    const kept = JSON.parse(decided.input.json) as { arguments: object; request: { user_agent: string } };
    assert.deepEqual([kept.arguments, kept.request.user_agent], [{ other: 'beside' }, 'nobody']);
  });

  it('obeys system.log.drop: nothing of the input is kept, and the decision is recorded all the same', async () => {
    await put('system/log.rego', 'package system.log\n\ndrop if input.input.arguments.text == "drop me"\n');
    const [dropped] = await decisionsOf('drop me');
    assert.deepEqual(dropped?.input, { state: 'absent', why: 'not_kept' });
    assert.equal(dropped.record.decision?.input, 'dropped');
    assert.equal(dropped.record.kind, 'decided');
    const [kept] = await decisionsOf('keep me');
    assert.equal(kept?.input.state, 'kept');
  });

  it('keeps nothing where the mask fails', async () => {
    await put('system/log.rego', undefined);
    await put(
      'gateway/mask.rego',
      'package gateway\n\nmask := {"version": 1, "redactions": [{"rule": "x", "pointer": "/arguments/text", "as": "unknown"}]} if input.arguments.text == "fail"\n\nelse := {"version": 1, "redactions": []}\n',
    );
    const [failed] = await decisionsOf('fail');
    assert.deepEqual([failed?.record.decision?.input, failed?.input.state], ['dropped', 'absent']);
  });

  it('takes everything away where the pointer names everything', async () => {
    await put(
      'gateway/mask.rego',
      'package gateway\n\nmask := {"version": 1, "redactions": [{"rule": "x", "pointer": "/*", "as": "drop"}]}\n',
    );
    const [decided] = await decisionsOf('all of it');
    assert.notEqual(decided?.record.decision?.input, undefined);
    assert.ok(!JSON.stringify(decided?.input).includes('all of it'));
  });
});
