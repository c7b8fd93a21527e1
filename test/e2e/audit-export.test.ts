import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { RawAgent, startGatewayFixture } from '../support/gateway.ts';
import { startRecordingUpstream } from '../support/recording-upstream.ts';

const main = new URL('../../src/main.ts', import.meta.url).pathname;
const run = promisify(execFile);

test('audit export writes files that verify offline, through the gateway and without it', async () => {
  const upstream = await startRecordingUpstream();
  const fixture = await startGatewayFixture({ upstreams: `  files: { http: { url: "${upstream.url}" } }` });
  const castellan = async (...args: string[]): Promise<string> => {
    const token = await fixture.provider.tokenFor('sofia', { resource: fixture.adminAudience });
    const env = { ...process.env, CASTELLAN_SERVER: fixture.url, CASTELLAN_TOKEN: token };
    return (await run(process.execPath, [main, ...args], { env, maxBuffer: 100_000_000 })).stdout;
  };
  try {
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    for (let count = 0; count < 5; count++) await agent.call('echo', { text: `call ${count}` });
    const key = (await castellan('audit', 'checkpoint', '--public-key', '--config', fixture.configPath)).trim();
    const path = (name: string): string => join(fixture.folder, name);
    await castellan('audit', 'export', '--output', path('all.jsonl'));
    const found = JSON.parse(await castellan('audit', 'verify', path('all.jsonl'), '--key', key, '--json')) as {
      ok: boolean;
      unsigned: number;
    };
    assert.deepEqual([found.ok, found.unsigned], [true, 0]);
    await castellan(
      'audit',
      'export',
      '--config',
      fixture.configPath,
      '--identity',
      'alice',
      '--tool',
      'echo',
      '--output',
      path('some.jsonl'),
    );
    const some = JSON.parse(await castellan('audit', 'verify', path('some.jsonl'), '--key', key, '--json')) as Record<string, unknown>;
    assert.deepEqual([some['ok'], some['selection'], some['records']], [true, true, 5]);
    const text = await readFile(path('some.jsonl'), 'utf8');
    await writeFile(path('forged.jsonl'), text.replace('"effect":"allow"', '"effect":"deny"'));
    await assert.rejects(castellan('audit', 'verify', path('forged.jsonl'), '--key', key), { code: 1 });
    const csv = await castellan('audit', 'export', '--format', 'csv', '--tool', 'echo', '--since', '1h');
    assert.equal(csv.trimEnd().split('\r\n').length, 6);
    await castellan('audit', 'export', '--format', 'parquet', '--output', path('all.parquet'));
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path('all.parquet')) });
    const records = await fixture.records();
    assert.deepEqual(
      rows.map((row) => Number(row['seq'])),
      records.map(({ seq }) => seq).slice(0, rows.length),
    );
    assert.ok(records.some(({ record }) => record.event?.code === 'audit.export' && record.event.detail?.['format'] === 'csv'));
    assert.equal((await fixture.admin('GET', '/audit/export', { subject: 'alice' })).status, 403);
    assert.equal((await fixture.admin('GET', '/audit/export?format=xml')).status, 400);
  } finally {
    await fixture.close();
    await upstream.close();
  }
});
