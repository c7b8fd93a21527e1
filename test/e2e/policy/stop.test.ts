import assert from 'node:assert/strict';
import { it } from 'node:test';
import { flatPolicy, RawAgent, startGatewayFixture } from '../../support/gateway.ts';
import { echoTool, startRecordingUpstream } from '../../support/recording-upstream.ts';
import { startGatewayProcess, type GatewayProcess } from './gateway-process.ts';
import { readyz, told, until } from './support.ts';

const fragile = new URL('./fragile-server.ts', import.meta.url).pathname;

it('SIGTERM loses no accepted call, takes no new one, and leaves no child behind', { timeout: 60_000 }, async () => {
  const upstream = await startRecordingUpstream();
  upstream.tools = [echoTool];
  const started: { process?: GatewayProcess } = {};
  const fixture = await startGatewayFixture({
    upstreams:
      `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }\n` +
      `  child: { stdio: { command: "${process.execPath}", args: ["${fragile}"] }, pinning: first_seen }`,
    endpoints: '  main: { upstreams: [{ name: one }, { name: child }] }',
    policy: flatPolicy('allow'),
    policySettings: 'run_tests: false, deadline_ms: 1000',
    start: async ({ configPath }) => (started.process = await startGatewayProcess(configPath)),
  });
  try {
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    const child = Number(told(await agent.call('pid')).text);
    assert.ok(isAlive(child));
    upstream.always('tools/call', ({ behave }) => void setTimeout(behave, 2_000));
    const calls = Array.from({ length: 50 }, (_, at) => agent.call('echo', { text: `slow ${at}` }));
    await until('all 50 are on their way', () => upstream.calls('tools/call').length === 50);
    started.process?.child.kill('SIGTERM');
    await until('it is not ready any more', async () => (await readyz(fixture.url)).status === 503, 1_000);
    assert.equal((await readyz(fixture.url)).body['stopping'], true);
    const late = await agent.post({
      jsonrpc: '2.0',
      id: 'late',
      method: 'tools/call',
      params: { name: 'echo', arguments: { text: 'late' } },
    });
    assert.deepEqual([late.status, late.json.error.code, late.headers.get('retry-after')], [503, 5033, '1']);
    const answers = await Promise.all(calls);
    assert.deepEqual(
      answers.map((answer) => told(answer).text),
      answers.map((_, at) => JSON.stringify({ text: `slow ${at}` })),
    );
    assert.equal(await started.process?.ended, 0, started.process?.output());
    assert.ok(!upstream.bytes().includes('late'));
    await until('the child is gone', () => !isAlive(child), 1_000);
    await fixture.restart();
    const { body } = await fixture.admin('POST', '/audit/verify');
    assert.equal(body.ok, true, JSON.stringify(body));
    const records = await fixture.records();
    const echoes = new Set(
      records.filter(({ record }) => record.kind === 'decided' && record.what?.name === 'echo').map(({ record }) => record.call),
    );
    const finished = records.filter(({ record }) => record.kind === 'finished' && echoes.has(record.call));
    assert.deepEqual([finished.length, new Set(finished.map(({ record }) => record.outcome?.status))], [50, new Set(['ok'])]);
  } finally {
    await fixture.close();
    await upstream.close();
  }
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // There is no such process.
  }
}
