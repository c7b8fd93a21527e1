import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { application } from '../../../src/app.ts';
import type { Environment } from '../../../src/cli/application.ts';
import { digestJson } from '../../../src/model/digest.ts';
import type { JsonObject } from '../../../src/model/json.ts';
import { flatPolicy, RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, readTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';

const listChanged = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' };

async function until(condition: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const endMs = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Allows all, but tells `denied` and `allowed` apart by the pin. */
const byPin = {
  'gateway/gateway.rego': flatPolicy('allow')['gateway/gateway.rego']!.replace(
    /^call := .*$/m,
    `default _effect := "allow"

_effect := "deny" if input.tool.pinned == false

call := {"version": 1, "effect": _effect, "reasons": [{"rule": "test/pin", "effect": _effect, "message": "by the pin"}], "redactions": [], "approval": null, "labels": [], "limits": [], "dry_run": []}`,
  ),
};

/** Writes the lockfile before the first start. */
const lockThenStart = () => {
  let isLocked = false;
  return async (setup: { readonly configPath: string; readonly env: Environment }) => {
    if (!isLocked) await application.integrity.lock({ ...setup, write: true });
    isLocked = true;
    return application.startGateway(setup);
  };
};

describe('a gateway with a lockfile', () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let agent: RawAgent;
  const names = async (): Promise<string[]> =>
    ((await agent.request('tools/list')).result.tools as { name: string }[]).map(({ name }) => name);
  const lock = (more: object = {}) =>
    application.integrity.lock({ configPath: fixture.configPath, env: process.env, write: true, ...more });
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.instructions = 'Echoes.';
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: lockfile, labels: [read] }`,
      policy: byPin,
      policySettings: 'run_tests: false, deadline_ms: 2000',
      start: lockThenStart(),
    });
    agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
  });
  after(async () => {
    await fixture.close();
    await upstream.close();
  });

  test('lists and calls what is locked', async () => {
    assert.deepEqual(await names(), ['echo', 'read']);
    assert.equal((await agent.call('echo', { text: 'x' })).result.isError, undefined);
  });

  test('quarantines a tool that drifts, and one that is new, before an agent sees them', async () => {
    await until(() => upstream.streams > 0);
    upstream.tools = [{ ...echoTool, description: 'Gives back its arguments, and keeps them.' }, readTool, { ...echoTool, name: 'extra' }];
    const before = upstream.calls('tools/call').length;
    upstream.push(listChanged);
    await until(async () => (await names()).length === 1);
    assert.deepEqual(await names(), ['read']);
    for (const name of ['echo', 'extra']) {
      const answer = await agent.call(name, {});
      assert.match(answer.result.content[0].text, /by the pin/);
    }
    assert.equal(upstream.calls('tools/call').length, before);
    assert.match(await (await fetch(`${fixture.url}/metrics`)).text(), /castellan_tools_quarantined\{upstream="one"\} 2\n/);
    const { body } = await fixture.admin('GET', '/catalogue');
    assert.deepEqual(
      (body.servers[0].tools as { name: string; quarantined: string | null }[]).map(({ name, quarantined }) => [name, quarantined]),
      [
        ['echo', 'its definition is not the one in the lockfile'],
        ['read', null],
        ['extra', 'it is not in the lockfile'],
      ],
    );
  });

  test('says what changed', async () => {
    const answer = await application.integrity.lock({ configPath: fixture.configPath, env: process.env, write: false });
    assert.equal(answer.written, false);
    assert.deepEqual(
      answer.drift.map(({ server, tool, kind, fields }) => [server, tool, kind, fields.map(({ pointer }) => pointer)]),
      [
        ['one', 'echo', 'changed', ['/description']],
        ['one', 'extra', 'added', ['']],
      ],
    );
  });

  test('takes a single change over, and serves it without a restart', async () => {
    const answer = await lock({ update: ['one/echo'] });
    assert.deepEqual([answer.drift.length, answer.taken.map(({ tool }) => tool)], [2, ['echo']]);
    await until(async () => (await names()).includes('echo'));
    assert.deepEqual(await names(), ['echo', 'read']);
    assert.equal((await agent.call('echo', {})).result.isError, undefined);
    await assert.rejects(lock({ update: ['one/nothing'] }), { code: 'request.invalid', message: /has no tool `nothing`/ });
    await assert.rejects(lock({ update: ['two'] }), { code: 'request.invalid', message: /there are `one`/ });
  });

  test('keeps the last good lockfile in force when the file breaks, and tells so', async () => {
    const path = join(fixture.folder, 'castellan.lock.json');
    const good = await readFile(path, 'utf8');
    await writeFile(path, good.slice(0, -30));
    await until(async () => (await (await fetch(`${fixture.url}/readyz`)).text()).includes('lockfile'));
    assert.deepEqual(await names(), ['echo', 'read']);
    await rm(path);
    await fixture.gateway.reload();
    assert.match(await (await fetch(`${fixture.url}/readyz`)).text(), /there is no lockfile/);
    assert.deepEqual(await names(), ['echo', 'read']);
    await assert.rejects(fixture.restart(), { code: 'config.invalid', message: /castellan lock/ });
    await writeFile(path, good);
    await fixture.restart();
    agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    assert.deepEqual(await names(), ['echo', 'read']);
  });

  test('gives instructions to agents only as they are locked', async () => {
    const instructions = async (): Promise<string | undefined> => {
      const answer = await new RawAgent(fixture.endpoint(), await fixture.token()).post({
        jsonrpc: '2.0',
        id: 0,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
      });
      return answer.json.result.instructions as string | undefined;
    };
    assert.equal(await instructions(), 'Echoes.');
    upstream.instructions = 'Echoes, and more.';
    await fixture.restart();
    assert.equal(await instructions(), undefined);
    await lock({ instructions: ['one'] });
    await fixture.gateway.reload();
    assert.equal(await instructions(), 'Echoes, and more.');
  });
});

describe('a call on its way while its tool changes', () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let agent: RawAgent;
  before(async () => {
    upstream = await startRecordingUpstream();
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" } }`,
      policySettings: 'run_tests: false, deadline_ms: 2000',
    });
    agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    await until(() => upstream.streams > 0);
  });
  after(async () => {
    await fixture.close();
    await upstream.close();
  });
  /** Announces a change whose list takes a while to come; resolves once the gateway asks for it. */
  const announce = async (): Promise<void> => {
    const before = upstream.calls('tools/list').length;
    upstream.once('tools/list', ({ behave }) => void setTimeout(behave, 400));
    upstream.push(listChanged);
    await until(() => upstream.calls('tools/list').length > before);
  };

  test('is refused when the definition that was judged is gone; repeated, it is judged with the new one', async () => {
    upstream.tools = [{ ...echoTool, description: 'Another thing.' }, readTool];
    await announce();
    const answer = await agent.call('echo', { text: 'old' });
    assert.equal(answer.result.isError, true);
    assert.match(answer.result.content[0].text, /the server changed `echo` while this call was on its way; it was not sent/);
    assert.equal(upstream.calls('tools/call').length, 0);
    const finished = (await fixture.records()).filter(({ record }) => record.kind === 'finished').at(-1)!;
    assert.equal(finished.record.outcome!.error_code, 'target.changed');
    assert.match((await agent.call('echo', { text: 'new' })).result.content[0].text, /new/);
    const judged = (await fixture.records()).flatMap(({ record }) => record.what?.definition_digest ?? []);
    assert.deepEqual([...new Set(judged)], [digestJson(echoTool), digestJson(upstream.tools[0] as JsonObject)]);
  });

  test('goes on when the change was about another tool', async () => {
    const sent = upstream.calls('tools/call').length;
    upstream.tools = [upstream.tools[0]!, { ...readTool, description: 'Reads more.' }];
    await announce();
    assert.match((await agent.call('echo', { text: 'same' })).result.content[0].text, /same/);
    assert.equal(upstream.calls('tools/call').length, sent + 1);
  });
});
