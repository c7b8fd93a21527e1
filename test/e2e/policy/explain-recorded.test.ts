import assert from 'node:assert/strict';
import { execFile as execFileLater } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { combining, endAll, until } from './support.ts';

const execFile = promisify(execFileLater);
const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const rule = (limit: number): string => `package rules.local.limit

# METADATA
# title: Short texts only
deny contains "too long" if {
	input.target.name == "echo"
	count(input.arguments.text) > ${limit}
}
`;

interface Told {
  readonly fired: readonly { readonly rule: string; readonly set: string }[];
  readonly silent: readonly { readonly rule: string }[];
}

describe('a recorded decision, explained', { timeout: 180_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let call: string;
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: combining({ 'test/open.rego': 'package rules.test.open\n\nallow contains "fine"\n' }),
    });
    const put = async (limit: number): Promise<void> => {
      const { body: before } = await fixture.admin('GET', '/status');
      writeFileSync(join(fixture.policyFolder, 'rules/limit.rego'), rule(limit));
      await fixture.admin('POST', '/reload');
      await until('the release', async () => JSON.stringify((await fixture.admin('GET', '/status')).body) !== JSON.stringify(before));
    };
    await put(3);
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    const answer = await agent.call('echo', { text: 'seven77' });
    call = String(answer.result._meta['castellan/decision'].id);
    // What is in force now would say nothing on this call.
    await put(100);
    rmSync(join(fixture.policyFolder, 'rules/limit.rego'));
    await fixture.admin('POST', '/reload');
  });
  after(() =>
    endAll(
      () => fixture.close(),
      () => upstream.close(),
    ),
  );

  const firedRules = ({ fired }: Told): string[] => fired.filter(({ set }) => set === 'deny').map((one) => one.rule);

  it('is explained by the release that made it, whatever is in force: at the admin API, and it is recorded who looked', async () => {
    const { status, body } = await fixture.admin('GET', `/audit/explain/${call}`);
    assert.equal(status, 200, JSON.stringify(body));
    assert.ok(firedRules(body as Told).includes('local/limit'));
    const looked = (await fixture.records()).map(({ record }) => record).find(({ event }) => event?.code === 'audit.explain');
    assert.deepEqual([looked?.who?.subject, looked?.event?.detail], ['sofia', { call }]);
    assert.equal((await fixture.admin('GET', `/audit/explain/${call}`, { subject: 'alice' })).status, 403);
    assert.equal((await fixture.admin('GET', '/audit/explain/call_nobody')).status, 404);
  });

  const explained = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Told> => {
    const { stdout } = await execFile(process.execPath, [main, 'policy', 'explain', call, ...args, '--json'], {
      env: { ...process.env, ...env },
    });
    return JSON.parse(stdout) as Told;
  };

  it('is explained on the command line from the database, also by another policy', async () => {
    assert.ok(firedRules(await explained(['--config', fixture.configPath])).includes('local/limit'));
    const other = await explained(['--config', fixture.configPath, '--policy', fixture.policyFolder]);
    assert.equal(firedRules(other).includes('local/limit'), false);
  });

  it('is explained by the gateway for who is signed in', async () => {
    const token = await fixture.provider.tokenFor('sofia', { resource: fixture.adminAudience });
    assert.ok(firedRules(await explained([], { CASTELLAN_SERVER: fixture.url, CASTELLAN_TOKEN: token })).includes('local/limit'));
  });
});
