import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { RawAgent, startGatewayFixture } from '../support/gateway.ts';
import { startRecordingUpstream } from '../support/recording-upstream.ts';

const main = new URL('../../src/main.ts', import.meta.url).pathname;
const run = promisify(execFile);

test('audit query finds records through the gateway and without it, with a cursor', async () => {
  const upstream = await startRecordingUpstream();
  const fixture = await startGatewayFixture({ upstreams: `  files: { http: { url: "${upstream.url}" } }` });
  try {
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    for (let count = 0; count < 3; count++) await agent.call('echo', { text: `call ${count}` });
    const found = await fixture.admin('GET', '/audit/search?identity=alice&method=tools/call&rule=test/flat&limit=2');
    assert.equal(found.status, 200);
    assert.equal(found.body.records.length, 2);
    const rest = await fixture.admin('GET', `/audit/search?identity=alice&method=tools/call&rule=test/flat&cursor=${found.body.next}`);
    assert.equal(rest.body.records.length, 1);
    assert.equal(rest.body.next, null);
    assert.equal((await fixture.admin('GET', '/audit/search', { subject: 'alice' })).status, 403);
    assert.equal((await fixture.admin('GET', '/audit/search?effect=maybe')).status, 400);
    const options = ['audit', 'query', '--config', fixture.configPath, '--tool', 'echo', '--since', '1h', '--kind', 'decided', '--json'];
    const { stdout } = await run(process.execPath, [main, ...options], { env: process.env });
    const offline = JSON.parse(stdout) as { records: { seq: number; record: { call: string } }[]; next: string | null };
    assert.deepEqual(
      offline.records.map(({ seq }) => seq),
      [...found.body.records, ...rest.body.records].map(({ seq }: { seq: number }) => seq),
    );
    const table = await run(process.execPath, [main, ...options.slice(0, -1), '--text', 'echo'], { env: process.env });
    assert.match(table.stdout, /alice .*tools\/call files\/echo .*test\/flat: flat allow/);
  } finally {
    await fixture.close();
    await upstream.close();
  }
});
