import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, afterEach, before, describe, it } from 'node:test';
import { storeOptions } from '../../../src/app/stores.ts';
import { readInputKeys } from '../../../src/app/input-keys.ts';
import { keyedDigests, openDigestKey } from '../../../src/audit/digest-key.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { sampleSecret } from '../../../src/demo/demo-setup.ts';
import type { AuditRecord } from '../../../src/model/audit-record.ts';
import { digestJson } from '../../../src/model/digest.ts';
import { openDb } from '../../../src/store/open.ts';
import { flatPolicy, RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, misbehaviours, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { startGatewayProcess, type GatewayProcess } from './gateway-process.ts';
import { assertInvariant, endAll, metric, readyz, recordsOf, told, until } from './support.ts';

/** What is on the disk at this moment, read past the gateway. */
function onDisk(fixture: GatewayFixture): AuditRecord[] {
  const database = new DatabaseSync(join(fixture.folder, 'castellan.db'), { readOnly: true });
  try {
    return database
      .prepare('SELECT record FROM audit_record ORDER BY seq')
      .all()
      .map((row) => JSON.parse(String(row['record'])) as AuditRecord);
  } finally {
    database.close();
  }
}

/** How records of this gateway show the digest of arguments. */
async function digestsOf(fixture: GatewayFixture): Promise<(args: object) => string> {
  const { config } = loadConfig(fixture.configPath, {});
  const db = await openDb(storeOptions(config));
  const keyed = keyedDigests(await openDigestKey(db, 'default', readInputKeys(config)));
  await db.close();
  return (args) => keyed(digestJson(args as never));
}

describe('the audit log of a running gateway', { timeout: 120_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let process: GatewayProcess;
  let agent: RawAgent;
  let digestOf: (args: object) => string;
  const decidedOn = (records: readonly AuditRecord[], args: object): AuditRecord | undefined =>
    records.find(({ kind, what }) => kind === 'decided' && what?.arguments_digest === digestOf(args));
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: flatPolicy('allow'),
      policySettings: 'run_tests: false, deadline_ms: 1000',
      start: async ({ configPath }) => (process = await startGatewayProcess(configPath)),
    });
    agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    digestOf = await digestsOf(fixture);
  });
  afterEach(() => assertInvariant(fixture, upstream));
  after(() =>
    endAll(
      () => fixture.close(),
      () => upstream.close(),
    ),
  );

  it('has each decision on the disk before a byte is sent, and the outcome after', async () => {
    const found: boolean[] = [];
    upstream.always('tools/call', ({ request, behave }) => {
      found.push(decidedOn(onDisk(fixture), request.message.params.arguments) !== undefined);
      behave();
    });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => agent.call('echo', { text: `order ${at}` })));
    upstream.always('tools/call', ({ behave }) => behave());
    assert.deepEqual(
      found,
      answers.map(() => true),
    );
    for (const answer of answers.slice(0, 3)) {
      const records = await recordsOf(fixture, told(answer).note['id']);
      assert.deepEqual(
        records.map((record) => record.kind),
        ['decided', 'finished'],
      );
      const { status, bytes, total_ms: totalMs } = records[1]?.outcome ?? {};
      assert.ok(status === 'ok' && (bytes ?? 0) > 0 && (totalMs ?? -1) >= 0);
    }
  });

  it('marks an outcome as unknown where the upstream broke off after the call was sent', async () => {
    upstream.once('tools/call', misbehaviours.reset);
    const { isError, note, text } = told(await agent.call('echo', { text: 'reset' }));
    assert.deepEqual([isError, note['may_have_run']], [true, true]);
    assert.match(text, /it may have executed this call/);
    const [decided, finished] = await recordsOf(fixture, note['id'] ?? decidedOn(onDisk(fixture), { text: 'reset' })?.call);
    assert.deepEqual([decided?.decision?.effect, finished?.outcome?.status], ['allow', 'unknown']);
  });

  it('has the requests that never got as far as policy, and no value of any', async () => {
    const stranger = new RawAgent(fixture.endpoint(), undefined);
    const canary = 'canary-of-refusals';
    const statuses = [
      (await stranger.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: canary } })).status,
      (await new RawAgent(fixture.endpoint(), `${canary}.x.y`).post({})).status,
      (await agent.post(`{"a":"${canary}"`)).status,
      (await agent.post([{ jsonrpc: '2.0', id: 1, method: 'ping', params: { canary } }])).status,
      (await agent.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { text: 5, canary } } })).status,
      (await agent.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { 'mcp-session-id': canary })).status,
    ];
    assert.deepEqual(statuses, [401, 401, 400, 400, 200, 404]);
    await agent.call('echo', { text: `${canary} ${sampleSecret()}` });
    const records = (await fixture.records()).map((one) => one.record);
    const codes = new Set(records.filter((record) => record.kind === 'refused').map((record) => record.event?.code));
    for (const code of ['auth.required', 'auth.invalid_token', 'json.invalid', 'rpc.batch', 'rpc.params', 'session.unknown'])
      assert.ok(codes.has(code), `${code} of ${[...codes].join()}`);
    const all = JSON.stringify(records);
    for (const word of [canary, sampleSecret(), agent.token ?? '', agent.session ?? '']) assert.ok(!all.includes(word), word);
  });

  const outages: { name: string; begin: () => () => void }[] = [
    {
      name: 'another program holds the database',
      begin: () => {
        const other = new DatabaseSync(join(fixture.folder, 'castellan.db'), { timeout: 2_000 });
        other.exec('BEGIN EXCLUSIVE');
        return () => {
          other.exec('ROLLBACK');
          other.close();
        };
      },
    },
    {
      name: 'the database refuses the record',
      begin: () => {
        const other = new DatabaseSync(join(fixture.folder, 'castellan.db'), { timeout: 2_000 });
        other.exec("CREATE TRIGGER no_more BEFORE INSERT ON audit_record BEGIN SELECT RAISE(ABORT, 'no more'); END");
        return () => {
          other.exec('DROP TRIGGER no_more');
          other.close();
        };
      },
    },
    {
      name: 'no file of the gateway may grow: a full disk',
      begin: () => {
        const limit = (soft: string): void => {
          const { status, stderr } = spawnSync('prlimit', ['--pid', String(process.pid), `--fsize=${soft}:unlimited`]);
          assert.equal(status, 0, String(stderr));
        };
        limit('1024');
        return () => limit('unlimited');
      },
    },
  ];
  for (const { name, begin } of outages) {
    it(`that cannot be written lets nothing through, and goes on by itself: ${name}`, async () => {
      assert.equal(told(await agent.call('echo', { text: `before ${name}` })).isError, false);
      const failuresBefore = await metric(fixture.url, 'castellan_audit_failures_total');
      const end = begin();
      try {
        const startMs = performance.now();
        const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => agent.call('echo', { text: `outage ${at} ${name}` })));
        assert.ok(performance.now() - startMs < 2_500, `${performance.now() - startMs} ms`);
        for (const answer of answers) {
          assert.equal(answer.error?.code, 5030, JSON.stringify(answer));
          assert.match(answer.error.message, /audit/);
          assert.ok(!/sqlite|SQLITE|no more|castellan\.db|EFBIG|disk I\/O/.test(answer.error.message));
        }
        assert.equal((await fetch(`${fixture.url}/healthz`)).status, 200);
        assert.equal((await agent.request('tools/list')).error?.code, 5030);
      } finally {
        end();
      }
      assert.ok(!upstream.bytes().includes('outage'));
      await until('calls go through again', async () => !told(await agent.call('echo', { text: `after ${name}` })).isError, 5_000);
      await until('it is ready again', async () => (await readyz(fixture.url)).status === 200, 5_000);
      assert.ok((await metric(fixture.url, 'castellan_audit_failures_total')) >= failuresBefore + 11);
      assert.ok((await fixture.records()).some(({ record }) => record.event?.code === 'audit.unavailable'));
      assert.ok(!upstream.bytes().includes('outage'));
    });
  }

  it('has every call that the upstream saw after the process was killed under load, three times over', async () => {
    for (let round = 0; round < 3; round++) {
      const sent = `kill ${round}`;
      let isOver = false;
      const load = Array.from({ length: 16 }, async (_, lane) => {
        for (let turn = 0; !isOver; turn++) await agent.call('echo', { text: `${sent} ${lane} ${turn}` }).catch(() => (isOver = true));
      });
      const of = (): object[] =>
        upstream
          .calls('tools/call')
          .map((call) => call.message.params.arguments as { text: string })
          .filter((args) => args.text.startsWith(sent));
      await until('there is load', () => of().length > 60);
      process.child.kill('SIGKILL');
      await process.ended;
      isOver = true;
      await Promise.all(load);
      const records = onDisk(fixture);
      const decided = new Set(records.filter((record) => record.kind === 'decided').map((record) => record.what?.arguments_digest));
      const missing = of().filter((args) => !decided.has(digestOf(args as never)));
      assert.deepEqual(missing, []);
      const startMs = performance.now();
      await fixture.restart();
      await until('it is ready', async () => (await readyz(fixture.url)).status === 200);
      assert.ok(performance.now() - startMs < 8_000);
      const { body } = await fixture.admin('POST', '/audit/verify');
      assert.equal(body.ok, true, JSON.stringify(body));
      agent.session = undefined;
      await agent.open();
    }
  });
});
