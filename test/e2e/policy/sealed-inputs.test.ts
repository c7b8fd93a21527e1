import assert from 'node:assert/strict';
import { existsSync, rmSync, statSync, writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { application } from '../../../src/app.ts';
import { openInputKeys } from '../../../src/app/input-keys.ts';
import { withRecorded } from '../../../src/app/recorded.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { Secret } from '../../../src/config/secret.ts';
import type { Db } from '../../../src/model/ports.ts';
import type { RecordedDecision } from '../../../src/model/recorded.ts';
import { flatPolicy, RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { endAll, until } from './support.ts';

describe('the inputs of a running gateway', { timeout: 120_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  const keyFile = (): string => join(fixture.folder, 'castellan.db.key');
  const recorded = (): Promise<RecordedDecision[]> =>
    withRecorded(loadConfig(fixture.configPath, process.env).config, async (decisions) => {
      const all: RecordedDecision[] = [];
      for await (const one of decisions.read({ tenant: 'default' })) all.push(one);
      return all;
    });
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: flatPolicy('allow'),
      extra: 'audit: { inputs: { max_bytes: 4096 } }',
    });
  });
  after(() =>
    endAll(
      () => fixture.close(),
      () => upstream.close(),
    ),
  );

  it('are kept whole with what each decision was made on: list, call and result', async () => {
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    await agent.request('tools/list');
    await agent.call('echo', { text: 'kept to the letter: żółć' });
    await fixture.records();
    const found = await recorded();
    assert.ok(found.every(({ input }) => input.state === 'kept'));
    const inputs = found.map(({ entry, record, input }) => ({
      entry,
      method: record.what?.method,
      json: input.state === 'kept' ? (JSON.parse(input.json) as Record<string, any>) : {}, // eslint-disable-line @typescript-eslint/no-explicit-any
    }));
    const list = inputs.find(({ entry }) => entry === 'gateway/list');
    assert.equal(list?.json['tools'][0].name, 'echo');
    const call = inputs.find(({ method }) => method === 'tools/call');
    assert.deepEqual(call?.json['arguments'], { text: 'kept to the letter: żółć' });
    assert.deepEqual([call.json['identity'].subject, call.json['tool'].name, call.json['request'].endpoint], ['alice', 'echo', 'main']);
    const result = inputs.find(({ entry }) => entry === 'gateway/result');
    assert.equal(result?.json['request'].id, call.json['request'].id);
    assert.ok(JSON.stringify(result?.json['result']).includes('żółć'));
  });

  it('stand beside records that say who, what, how it was decided and how it ended', async () => {
    const records = (await fixture.records()).map(({ record }) => record);
    const decided = records.find(({ kind, what }) => kind === 'decided' && what?.method === 'tools/call');
    const finished = records.find(({ kind, call }) => kind === 'finished' && call === decided?.call);
    const list = records.find(({ kind, what }) => kind === 'decided' && what?.method === 'tools/list');
    const signIns = records.filter(({ event }) => event?.code === 'admin.signed_in');
    assert.equal(list?.what?.phase, 'list');
    assert.match(String(decided?.what?.arguments_digest), /^hmac-sha256:[0-9a-f]{64}$/);
    assert.match(String(decided?.decision?.input_digest), /^sha256:[0-9a-f]{64}$/);
    assert.equal(finished?.outcome?.status, 'ok');
    assert.ok(Number.isInteger(finished.outcome.upstream_request_id) && finished.outcome.bytes > 0);
    assert.ok(signIns.length >= 1);
    assert.deepEqual(
      [signIns[0]?.who?.subject, signIns[0]?.event?.detail],
      ['sofia', { method: 'oidc', roles: 'approver auditor operator' }],
    );
  });

  it('stand nowhere as they are: not in the database, nor in the log beside it', async () => {
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    await agent.call('echo', { text: 'canary-7f3a91' });
    await fixture.records();
    for (const file of ['castellan.db', 'castellan.db-wal'])
      if (existsSync(join(fixture.folder, file)))
        assert.equal(readFileSync(join(fixture.folder, file)).includes('canary-7f3a91'), false, file);
    assert.equal(statSync(keyFile()).mode & 0o777, 0o600);
  });

  it('are not kept beyond the size that is configured, and the record says so', async () => {
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    await agent.call('echo', { text: 'x'.repeat(5_000) });
    await fixture.records();
    const large = (await recorded()).filter(({ input }) => input.state === 'absent');
    assert.deepEqual(
      large.map(({ record, input }) => [record.kind, record.decision?.input, input]),
      [
        ['decided', 'too_large', { state: 'absent', why: 'too_large' }],
        ['finished', 'too_large', { state: 'absent', why: 'too_large' }],
      ],
    );
  });

  it('do not open with another key: the gateway does not start, and says why', async () => {
    await fixture.gateway.close();
    const own = readFileSync(keyFile(), 'utf8');
    const start = () => application.startGateway({ configPath: fixture.configPath, env: process.env });
    writeFileSync(keyFile(), `${'ab'.repeat(32)}\n`);
    await assert.rejects(start(), { code: 'config.invalid', message: /does not open the inputs on record/ });
    rmSync(keyFile());
    await assert.rejects(start(), { code: 'config.invalid', message: /key file .* is missing/ });
    writeFileSync(keyFile(), own, { mode: 0o644 });
    await assert.rejects(start(), { code: 'config.invalid', message: /can be read by others/ });
    rmSync(keyFile());
    writeFileSync(keyFile(), own, { mode: 0o400 });
    await fixture.restart();
    await until('a call after the restart', async () => (await recorded()).length > 0);
  });

  it('need a key of the configuration where the database is PostgreSQL', async () => {
    const { config } = loadConfig(fixture.configPath, {});
    const elsewhere = { ...config, store: { postgres: { url: new Secret('postgres://x', 'a test'), connections: 1 } } };
    const db = { query: () => Promise.reject(new Error('not asked')) } as unknown as Db;
    await assert.rejects(openInputKeys(elsewhere, db), { code: 'config.invalid', message: /with PostgreSQL their key must be configured/ });
    const off = { ...elsewhere, audit: { ...config.audit, inputs: { ...config.audit.inputs, enabled: false } } };
    assert.equal(await openInputKeys(off, db), undefined);
  });
});
