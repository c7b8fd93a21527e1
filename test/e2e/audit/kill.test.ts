import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { readInputKeys } from '../../../src/app/input-keys.ts';
import { keyedDigests, openDigestKey } from '../../../src/audit/digest-key.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { AuditRecord } from '../../../src/model/audit-record.ts';
import { digestJson } from '../../../src/model/digest.ts';
import { openDb } from '../../../src/store/open.ts';
import { flatPolicy, RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { startGatewayProcess, type GatewayProcess } from '../policy/gateway-process.ts';
import { endAll, readyz, until } from '../policy/support.ts';

/** CI runs this file once more with a hundred. */
const kills = Number(process.env['CASTELLAN_KILLS'] ?? 5);
const lanes = 16;

interface Stored {
  readonly seq: number;
  readonly record: AuditRecord;
}

describe('a gateway that is killed under load', { timeout: 1_200_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let gateway: GatewayProcess;
  /** How records show the digest of arguments. */
  let digestOf: (args: object) => string;
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    // Some answers take their time, so that there is always a call that was sent and not answered.
    upstream.always('tools/call', ({ behave }) => void setTimeout(behave, Math.random() < 0.3 ? 40 : 0));
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: flatPolicy('allow'),
      extra: 'audit: { checkpoints: { records: 50, interval_s: 1 } }',
      start: async ({ configPath }) => (gateway = await startGatewayProcess(configPath)),
    });
    const { config } = loadConfig(fixture.configPath, process.env);
    const db = await openDb({ kind: 'sqlite', path: join(fixture.folder, 'castellan.db') });
    const keyed = keyedDigests(await openDigestKey(db, 'default', readInputKeys(config)));
    digestOf = (args) => keyed(digestJson(args as never));
    await db.close();
  });
  after(() =>
    endAll(
      () => fixture.close(),
      () => upstream.close(),
    ),
  );

  /** The log as it lies on the disk, after `afterSeq`. */
  const onDisk = (afterSeq: number): Stored[] => {
    const database = new DatabaseSync(join(fixture.folder, 'castellan.db'), { readOnly: true });
    try {
      const rows = database.prepare('SELECT seq, record FROM audit_record WHERE seq > ? ORDER BY seq').all(afterSeq);
      return rows.map((row) => ({ seq: Number(row['seq']), record: JSON.parse(String(row['record'])) as AuditRecord }));
    } finally {
      database.close();
    }
  };

  it(
    `has each call that the upstream saw, a whole tree, and a marked end for what broke off, ${kills} times`,
    { timeout: 1_200_000 },
    async () => {
      let seen = 0;
      let marked = 0;
      let checkedSeq = 0;
      for (let round = 0; round < kills; round++) {
        const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
        const first = upstream.calls('tools/call').length;
        let isOver = false;
        const load = Array.from({ length: lanes }, async (_, lane) => {
          for (let turn = 0; !isOver; turn++) await agent.call('echo', { text: `${round} ${lane} ${turn}` }).catch(() => (isOver = true));
        });
        await until('there is load', () => upstream.calls('tools/call').length > first + lanes);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 250));
        gateway.child.kill('SIGKILL');
        await gateway.ended;
        isOver = true;
        await Promise.all(load);

        const before = onDisk(checkedSeq).map(({ record }) => record);
        const decided = before.filter((record) => record.kind === 'decided' && record.what?.method === 'tools/call');
        const digests = new Set(decided.map((record) => record.what?.arguments_digest));
        const sent = upstream.calls('tools/call').slice(first);
        assert.deepEqual(
          sent.map((call) => call.message.params.arguments as object).filter((args) => !digests.has(digestOf(args))),
          [],
          `round ${round}: the upstream saw calls that are not on record`,
        );
        seen += sent.length;
        const finished = new Set(before.filter((record) => record.kind === 'finished').map((record) => record.call));
        const open = decided.filter((record) => !finished.has(record.call)).map((record) => record.call);

        const startMs = performance.now();
        await fixture.restart();
        await until('it is ready', async () => (await readyz(fixture.url)).status === 200);
        const readyMs = performance.now() - startMs;
        assert.ok(readyMs < 10_000, `${readyMs} ms`);
        const after = onDisk(checkedSeq);
        const ends = after.filter(({ record }) => record.kind === 'finished').map(({ record }) => record);
        for (const call of open) {
          const of = ends.filter((record) => record.call === call);
          assert.deepEqual(
            of.map((record) => [record.outcome?.status, record.event?.code]),
            [['unknown', 'call.interrupted']],
            `round ${round}: the end of ${call ?? ''}`,
          );
        }
        assert.equal(new Set(ends.map((record) => record.call)).size, ends.length, 'a call has two ends');
        marked += open.length;
        const { body } = await fixture.admin('POST', '/audit/verify');
        assert.equal(body.ok, true, JSON.stringify(body));
        checkedSeq = after.at(-1)?.seq ?? checkedSeq;
      }
      assert.ok(seen > kills * lanes && marked > 0, `${seen} calls, ${marked} marked`);
    },
  );
});
