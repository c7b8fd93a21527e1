import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { freePort } from '../../src/demo/demo-setup.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { decisionEvent } from '../../src/sinks/decision-event.ts';
import { openSink } from '../../src/sinks/open.ts';
import type { SinkRecord } from '../../src/sinks/sink.ts';
import { decided, finished } from '../audit/records.ts';
import { network, product, sinkRecord } from '../sinks/receivers.ts';
import { flatPolicy, RawAgent, startGatewayFixture } from '../support/gateway.ts';
import { buildGo, startProgram, withoutGo, type RunningProgram } from '../support/go-program.ts';
import { startRecordingUpstream } from '../support/recording-upstream.ts';
import { startGatewayProcess, type GatewayProcess } from './policy/gateway-process.ts';

const authorization = 'Bearer of-the-collector';
const limitBytes = 8_192;

/** What the receiver writes of one upload: events as OPA's own type gives them again. */
interface Upload {
  readonly path: string;
  readonly bytes: number;
  readonly events: readonly JsonObject[];
}

describe("a receiver of OPA's decision log, made of OPA's own event type", { skip: withoutGo, timeout: 600_000 }, () => {
  let program: string;
  before(() => void (program = buildGo(new URL('../decision-log-receiver/', import.meta.url).pathname, 'decision-log-receiver')), {
    timeout: 600_000,
  });
  const listening = async (port: number): Promise<RunningProgram> => {
    const running = startProgram(program, [`127.0.0.1:${port}`, authorization, String(limitBytes)]);
    await running.line((line) => line === `127.0.0.1:${port}`);
    return running;
  };
  const sinkTo = (port: number, more: { authorization?: string; uploadSizeLimitBytes?: number } = {}) => {
    const headers = { authorization: more.authorization ?? authorization };
    const uploadSizeLimitBytes = more.uploadSizeLimitBytes ?? limitBytes;
    const where = { kind: 'opa', url: `http://127.0.0.1:${port}`, allowPrivateNetwork: true, partition: undefined } as const;
    const target = { ...where, headers, labels, includeInput: true } as const;
    const kinds = ['decided', 'finished'] as const;
    return openSink(
      { name: 'opa', target: { ...target, uploadSizeLimitBytes }, kinds, from: 'start', batchRecords: 100, gatherMs: 0 },
      product,
      network,
    );
  };

  it('has every event as it was, whatever is in it', async () => {
    const port = await freePort();
    const receiver = await listening(port);
    const sink = await sinkTo(port);
    try {
      const batch = kinds();
      await sink.send(batch);
      await receiver.line((line) => line.startsWith('{'));
      const [upload] = uploads([receiver]);
      assert.equal(upload?.path, '/logs');
      const labelled = { ...labels, id: product.host, version: product.version };
      const sent = batch.map((one) => decisionEvent(one, labelled, true)!);
      assert.deepEqual(upload.events, sent.map(withGoTime));
      assert.deepEqual(upload.events[0]?.['bundles'], { gateway: { revision: 'r1' } });
    } finally {
      await sink.close();
      await receiver.stop();
    }
  });

  it('refuses what OPA could not have sent', async () => {
    const port = await freePort();
    const receiver = await listening(port);
    const [event] = kinds().map((one) => decisionEvent(one, labels, true)!);
    const answer = async (body: unknown, headers: Record<string, string> = {}): Promise<number> => {
      const given = { authorization, 'content-type': 'application/json', 'content-encoding': 'gzip', ...headers };
      return (await fetch(`http://127.0.0.1:${port}/logs`, { method: 'POST', headers: given, body: gzipSync(JSON.stringify(body)) }))
        .status;
    };
    try {
      assert.equal(await answer([event]), 200);
      assert.equal(await answer([{ ...event, request_id: 1 }]), 400);
      assert.equal(await answer([{ ...event, labels: { app: 1 } }]), 400);
      assert.equal(await answer([{ ...event, timestamp: 'yesterday' }]), 400);
      assert.equal(await answer([{ ...event, erased: '/input' }]), 400);
      assert.equal(await answer(event), 400);
      assert.equal(await answer([event], { authorization: 'Bearer other' }), 401);
      const stranger = await sinkTo(port, { authorization: 'Bearer other' });
      await assert.rejects(stranger.send(kinds()), { name: 'SinkFault', message: /status 401/ });
      await stranger.close();
    } finally {
      await receiver.stop();
    }
  });

  it('gets no body over the limit: events are divided, and one that is too large alone goes without its input', async () => {
    const port = await freePort();
    const receiver = await listening(port);
    const [sink, careless] = await Promise.all([sinkTo(port), sinkTo(port, { uploadSizeLimitBytes: 1_000_000 })]);
    try {
      const batch = Array.from({ length: 40 }, (_, index) =>
        withInput(index, { text: randomBytes(index === 20 ? 30_000 : 500).toString('hex') }),
      );
      await assert.rejects(careless.send(batch), { name: 'SinkFault', message: /status 413/, tooLarge: true });
      await sink.send(batch);
      await until('every event', () => uploads([receiver]).flatMap(({ events }) => events).length >= batch.length);
      const taken = uploads([receiver]);
      assert.ok(taken.length > 2 && taken.length < 20, `${taken.length} uploads`);
      for (const { bytes } of taken) assert.ok(bytes <= limitBytes);
      const events = taken.flatMap((upload) => upload.events);
      assert.deepEqual(
        events.map((event) => event['decision_id']),
        batch.map(({ record }) => record.call),
      );
      for (const [index, { input, erased }] of events.entries())
        assert.deepEqual([input === undefined, erased], index === 20 ? [true, ['/input']] : [false, undefined]);
      const huge = sinkRecord(1, decided(1, { session: randomBytes(30_000).toString('hex') }));
      await assert.rejects(sink.send([sinkRecord(2, decided(2)), huge]), { name: 'SinkFault', message: /raise/, tooLarge: true });
      assert.equal(uploads([receiver]).length, taken.length, 'nothing of a batch is sent that cannot be sent whole');
    } finally {
      await Promise.all([sink.close(), careless.close()]);
      await receiver.stop();
    }
  });

  it('gets every decision, though it and the gateway are killed', async () => {
    process.env['TEST_OPA_LOGS_AUTH'] = authorization;
    const port = await freePort();
    const receivers = [await listening(port)];
    const upstream = await startRecordingUpstream();
    const gateways: GatewayProcess[] = [];
    const mask = `mask := {"version": 1, "redactions": [{"rule": "test/mask", "pointer": "/arguments/text", "as": "mask"}]} if input.arguments.text == "secret"

default mask := {"version": 1, "redactions": []}
`;
    const fixture = await startGatewayFixture({
      upstreams: `  files: { http: { url: "${upstream.url}" } }`,
      policy: flatPolicy('allow', mask),
      start: async ({ configPath }) => {
        gateways.push(await startGatewayProcess(configPath));
        return gateways.at(-1)!;
      },
      extra: `audit:
  sinks:
    - name: decisions
      gather_ms: 0
      batch_records: 50
      opa: { url: "http://127.0.0.1:${port}", partition: team a, headers: { authorization: { env: TEST_OPA_LOGS_AUTH } }, labels: { app: castellan }, include_input: true, upload_size_limit_bytes: ${limitBytes} }
`,
    });
    const taken = (): Map<unknown, JsonObject> =>
      new Map(uploads(receivers).flatMap(({ events }) => events.map((event) => [event['decision_id'], event])));
    const calls = async (): Promise<void> => {
      const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
      for (const text of ['plain', 'secret', randomBytes(20_000).toString('hex')]) await agent.call('echo', { text });
    };
    try {
      await calls();
      await until('some decisions', () => taken().size >= 3);
      await receivers[0]!.kill();
      await calls();
      gateways[0]!.child.kill('SIGKILL');
      await fixture.restart();
      await calls();
      receivers.push(await listening(port));
      await until('some more', () => uploads(receivers.slice(1)).length > 0);
      gateways[1]!.child.kill('SIGKILL');
      await fixture.restart();
      await calls();
      const records = (await fixture.records()).filter(({ record }) => record.decision !== undefined);
      const decisions = records.filter(({ record }) => record.kind === 'decided');
      assert.ok(decisions.filter(({ record }) => record.what?.name === 'echo').length === 12);
      await until('every decision', () => decisions.every(({ record }) => taken().has(record.call)));
      for (const { record } of decisions) {
        const event = taken().get(record.call)!;
        const { effect } = event['result'] as JsonObject;
        assert.deepEqual(
          [effect, event['path']],
          [record.decision?.effect, record.what?.phase === 'list' ? 'gateway/list' : 'gateway/call'],
        );
        assert.deepEqual(event['bundles'], { gateway: { revision: record.decision?.release } });
        assert.equal(Date.parse(event['timestamp'] as string), Date.parse(record.at));
        assert.equal((event['labels'] as JsonObject)['app'], 'castellan');
        assert.deepEqual([event['requested_by'], event['trace_id']], [record.ip, record.trace]);
      }
      const kept = [...taken().values()].filter(({ custom }) => JSON.stringify(custom).includes('"name":"echo"'));
      const state = ({ input, erased, masked }: JsonObject): string => JSON.stringify([input !== undefined, erased, masked]);
      const states = new Set(kept.map(state));
      assert.deepEqual([...states].sort(), ['[false,["/input"],null]', '[true,null,["/input/arguments/text"]]', '[true,null,null]']);
      for (const { path, bytes } of uploads(receivers)) assert.ok(path === '/logs/team%20a' && bytes <= limitBytes);
      assert.deepEqual(
        receivers.flatMap(({ lines }) => lines.filter((line) => line.startsWith('refused'))),
        [],
      );
    } finally {
      await fixture.close();
      await upstream.close();
      for (const receiver of receivers) await receiver.stop();
    }
  });
});

const labels = { app: 'castellan' };

/** A record for everything that an event can hold. */
function kinds(): SinkRecord[] {
  const { decision, what } = decided(0);
  const json = '{"version":1,"arguments":{"text":"x"}}';
  return [
    { ...sinkRecord(1, decided(1, { trace: '0af7651916cd43dd8448eb211c80319c' })), input: { state: 'kept', json } },
    { ...sinkRecord(2, decided(2)), input: { state: 'masked', json, pointers: ['/arguments/text'] } },
    { ...sinkRecord(3, decided(3)), input: { state: 'absent', why: 'erased' } },
    sinkRecord(4, finished(4, { decision: decision! })),
    sinkRecord(5, decided(5, { what: { ...what!, phase: 'list' } })),
    sinkRecord(6, decided(6, { what: { ...what!, phase: 'message' }, decision: { ...decision!, fault: 'timeout' } })),
  ];
}

function withInput(index: number, args: JsonObject): SinkRecord {
  return { ...sinkRecord(index, decided(index)), input: { state: 'kept', json: JSON.stringify({ version: 1, arguments: args }) } };
}

function uploads(receivers: readonly RunningProgram[]): Upload[] {
  return receivers.flatMap(({ lines }) => lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Upload));
}

/** Go writes a time without the zeros at its end. */
function withGoTime(event: JsonObject): JsonObject {
  return { ...event, timestamp: (event['timestamp'] as string).replace(/\.?0+Z$/, 'Z') };
}

async function until(what: string, done: () => boolean): Promise<void> {
  for (let tries = 0; !done(); tries++) {
    assert.ok(tries < 1_600, `${what} did not come`);
    await new Promise((wake) => setTimeout(wake, 25));
  }
}
