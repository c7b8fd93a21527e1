import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { flatPolicy, RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { endAll } from './support.ts';

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const dayMs = 86_400_000;
const day = (index: number): string => new Date(Date.now() + index * dayMs).toISOString().slice(0, 10);

describe('erasure and holds at the admin API and on the command line', { timeout: 120_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: flatPolicy('allow'),
    });
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    await agent.call('echo', { text: 'something to keep' });
  });
  after(() =>
    endAll(
      () => fixture.close(),
      () => upstream.close(),
    ),
  );

  const castellan = (...args: string[]): { status: number | null; json: unknown; text: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args, '--config', fixture.configPath, '--json'], {
      encoding: 'utf8',
    });
    return { status, json: stdout.trim() === '' ? undefined : JSON.parse(stdout), text: stderr + stdout };
  };
  const events = async (): Promise<string[]> =>
    (await fixture.records()).flatMap(({ record }) => (record.event?.code.startsWith('audit.') === true ? [record.event.code] : []));

  it('refuse the day that is being written, and record what was tried', async () => {
    const answer = await fixture.admin('POST', '/audit/erase', { body: { from: day(0) } });
    assert.deepEqual([answer.status, answer.body.error.code], [400, 'request.invalid']);
    const told = castellan('audit', 'erase', '--window', day(0));
    assert.equal(told.status, 2);
    assert.match(told.text, /is not over yet/);
    assert.deepEqual(await events(), ['audit.erase', 'audit.erase']);
  });

  it('erase days that are over: there is nothing in them', async () => {
    assert.deepEqual((await fixture.admin('POST', '/audit/erase', { body: { from: day(-2), until: day(-1) } })).body, []);
    assert.deepEqual(castellan('audit', 'erase', '--window', day(-1)).json, []);
  });

  it('are not for everybody, and know no word that they do not', async () => {
    assert.equal((await fixture.admin('POST', '/audit/erase', { subject: 'alice', body: { from: day(-1) } })).status, 403);
    assert.equal((await fixture.admin('POST', '/audit/holds', { subject: 'alice', body: { reason: 'x' } })).status, 403);
    const { status, body } = await fixture.admin('POST', '/audit/holds', { body: { reason: 'x', sunject: 'alice' } });
    assert.deepEqual([status, body.error.message], [400, 'a hold has no `sunject`']);
  });

  it('add, list and lift holds', async () => {
    const made = await fixture.admin('POST', '/audit/holds', { body: { reason: 'a court asks', subject: 'alice' } });
    assert.equal(made.status, 200);
    const other = castellan('audit', 'hold', 'add', '--reason', 'an inquiry', '--call', 'call_1', '--since', '2026-11-01');
    assert.equal(other.status, 0, other.text);
    const listed = castellan('audit', 'hold', 'list').json as { id: string; reason: string; madeBy: string }[];
    assert.deepEqual(
      listed.map(({ reason, madeBy }) => [reason, madeBy]),
      [
        ['a court asks', 'sofia'],
        ['an inquiry', 'operator'],
      ],
    );
    assert.equal((await fixture.admin('DELETE', `/audit/holds/${String(made.body.id)}`)).status, 200);
    assert.equal((await fixture.admin('DELETE', `/audit/holds/${String(made.body.id)}`)).status, 404);
    assert.equal(castellan('audit', 'hold', 'remove', listed[1]!.id).status, 0);
    assert.deepEqual((await fixture.admin('GET', '/audit/holds')).body, []);
    assert.deepEqual((await events()).slice(-5), [
      'audit.hold_added',
      'audit.hold_added',
      'audit.hold_removed',
      'audit.hold_removed',
      'audit.hold_removed',
    ]);
  });
});
