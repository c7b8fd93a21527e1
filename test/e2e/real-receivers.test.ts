import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { describe, it, before } from 'node:test';
import { AwsClient } from 'aws4fetch';
import { freePort } from '../../src/demo/demo-setup.ts';
import { buildGo, installGo, startProgram, withoutGo, type RunningProgram } from '../support/go-program.ts';
import { RawAgent, startGatewayFixture } from '../support/gateway.ts';
import { startRecordingUpstream } from '../support/recording-upstream.ts';
import { combining } from './policy/support.ts';
import { spansIn, type Span } from './otlp-spans.ts';

// The first time both are compiled.
const buildTime = { timeout: 600_000 };

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await done()); tries++) {
    assert.ok(tries < 400, `${what} did not come`);
    await new Promise((wake) => setTimeout(wake, 25));
  }
}

describe('real receivers', { skip: withoutGo, timeout: 600_000 }, () => {
  let receiverPath: string;
  let storePath: string;
  before(() => {
    receiverPath = buildGo(new URL('../otlp-receiver/', import.meta.url).pathname, 'otlp-receiver');
    storePath = installGo('github.com/johannesboyne/gofakes3/cmd/gofakes3', 'v1.2.0');
  }, buildTime);

  it("the OpenTelemetry Collector's receiver gets every record as a log, across restarts of either side", async () => {
    const port = await freePort();
    const listening = async (): Promise<RunningProgram> => {
      const program = startProgram(receiverPath, [`127.0.0.1:${port}`]);
      await program.line((line) => line === `127.0.0.1:${port}`);
      return program;
    };
    const upstream = await startRecordingUpstream();
    const programs = [await listening()];
    const fixture = await startGatewayFixture({
      upstreams: `  files: { http: { url: "${upstream.url}" } }`,
      extra: `audit: { sinks: [{ name: collector, gather_ms: 20, otlp: { url: "http://127.0.0.1:${port}" } }] }`,
    });
    const taken = (): Map<number, LogRecord> =>
      new Map(programs.flatMap(({ lines }) => lines.flatMap(logRecords)).map((one) => [attribute(one, 'castellan.audit.seq'), one]));
    try {
      const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
      for (let count = 0; count < 10; count++) await agent.request('ping');
      await until('the first records', () => taken().size > 10);
      await programs[0]!.stop();
      for (let count = 0; count < 10; count++) await agent.request('ping');
      await fixture.restart();
      programs.push(await listening());
      const records = await fixture.records();
      await until('every record', () => records.every(({ seq }) => taken().has(seq)));
      for (const { seq, record } of records) {
        const one = taken().get(seq)!;
        assert.deepEqual(JSON.parse(one.body.stringValue), record);
        assert.equal(one.timeUnixNano, `${Date.parse(record.at)}000000`);
      }
    } finally {
      await fixture.close();
      await upstream.close();
      for (const program of programs) await program.stop();
    }
  });

  it("the OpenTelemetry Collector's receiver takes traces, metrics and the log", async () => {
    const port = await freePort();
    const program = startProgram(receiverPath, [`127.0.0.1:${port}`]);
    await program.line((line) => line === `127.0.0.1:${port}`);
    const upstream = await startRecordingUpstream();
    const fixture = await startGatewayFixture({
      upstreams: `  files: { http: { url: "${upstream.url}" } }`,
      logLevel: 'info',
      extra: `telemetry: { otlp: { endpoint: "http://127.0.0.1:${port}", logs: true, metrics_interval_ms: 1000 } }`,
    });
    try {
      const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
      await agent.call('echo', { text: 'hello' });
      const span = await program.line((line) => line.startsWith('{"resourceSpans"') && line.includes('"tools/call echo"'));
      for (const stage of ['authenticate', 'decide', 'record-decision']) assert.ok(span.includes(`"name":"${stage}"`), stage);
      const metrics = await program.line((line) => line.startsWith('{"resourceMetrics"') && line.includes('castellan_call_seconds'));
      assert.match(metrics, /"name":"castellan_call_seconds"[^}]*"unit":"s","histogram":/);
      await program.line((line) => line.startsWith('{"resourceLogs"') && line.includes('gateway.started'));
    } finally {
      await fixture.close();
      await upstream.close();
      await program.stop();
    }
  });

  it("a held call's trace shows the hold, the wait and the spending, and a plain call's has none of it", async () => {
    const port = await freePort();
    const program = startProgram(receiverPath, [`127.0.0.1:${port}`]);
    await program.line((line) => line === `127.0.0.1:${port}`);
    const upstream = await startRecordingUpstream();
    const rule = `package rules.test.held

allow contains "fine"
require_approval contains {"message": "a human decides", "groups": ["security"]} if input.arguments.text == "hold"
redact contains {"message": "cut", "pointer": "/arguments/text", "as": "mask"} if input.arguments.text == "hold"
`;
    const fixture = await startGatewayFixture({
      upstreams: `  files: { http: { url: "${upstream.url}" } }`,
      policy: combining({ 'test/held.rego': rule }),
      extra: `approvals: { wait_ms: 20000 }
telemetry: { otlp: { endpoint: "http://127.0.0.1:${port}", metrics: false } }
`,
    });
    const spans = (): Span[] => program.lines.flatMap(spansOf);
    const traceOf = async (effect: string): Promise<Span[]> => {
      const root = (): Span | undefined =>
        spans().find((span) => span.name === 'tools/call echo' && span.kind === 2 && text(span, 'castellan.decision.effect') === effect);
      await until(`the ${effect} trace`, () => root() !== undefined);
      return spans().filter(({ traceId }) => traceId === root()!.traceId);
    };
    try {
      const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
      await agent.call('echo', { text: 'plain' });
      const held = agent.call('echo', { text: 'hold' });
      const waitMs = 300;
      const pending = async (): Promise<{ id: string }[]> => (await fixture.admin('GET', '/approvals')).body as { id: string }[];
      await until('the approval', async () => (await pending()).length === 1);
      await new Promise((wake) => setTimeout(wake, waitMs));
      const [{ id } = { id: '' }] = await pending();
      assert.equal((await fixture.admin('POST', `/approvals/${id}/approve`)).status, 200);
      assert.equal((await held).result.isError, undefined);
      const plain = await traceOf('allow');
      assert.deepEqual(
        plain.filter((span) => text(span, 'castellan.stage') === 'act'),
        [],
      );
      const trace = await traceOf('redact');
      const acts = trace.filter((span) => text(span, 'castellan.stage') === 'act');
      assert.deepEqual(
        acts.map(({ name }) => name),
        ['redact', 'hold', 'wait', 'redact', 'spend'],
      );
      const root = trace.find(({ kind }) => kind === 2)!;
      assert.deepEqual([text(root, 'castellan.approval.id'), text(root, 'castellan.approval.state')], [id, 'spent']);
      for (const span of acts) assert.equal(span.parentSpanId, root.spanId);
      const wait = acts.find(({ name }) => name === 'wait')!;
      assert.ok(lengthMs(wait) >= waitMs && lengthMs(wait) <= lengthMs(root), `${lengthMs(wait)} ms`);
      const again = trace.filter(({ name }) => name === 'decide');
      assert.equal(again.length, 2, 'policy is asked again when people have approved');
      assert.ok(again[1]!.startTimeUnixNano >= wait.endTimeUnixNano);
    } finally {
      await fixture.close();
      await upstream.close();
      await program.stop();
    }
  });

  it('an S3-compatible store has every record in objects named by time and number', async () => {
    const port = await freePort();
    const endpoint = `http://127.0.0.1:${port}`;
    process.env['TEST_S3_ID'] = 'id';
    process.env['TEST_S3_KEY'] = 'key';
    const store = startProgram(storePath, ['-backend', 'memory', '-initialbucket', 'audit', '-host', `127.0.0.1:${port}`]);
    const client = new AwsClient({ accessKeyId: 'id', secretAccessKey: 'key', service: 's3', region: 'eu-central-1' });
    const get = async (path: string): Promise<Buffer> => Buffer.from(await (await client.fetch(`${endpoint}/audit${path}`)).arrayBuffer());
    await until('the store', () =>
      fetch(endpoint).then(
        () => true,
        () => false,
      ),
    );
    const upstream = await startRecordingUpstream();
    const fixture = await startGatewayFixture({
      upstreams: `  files: { http: { url: "${upstream.url}" } }`,
      extra: `audit:
  sinks:
    - name: archive
      gather_ms: 50
      s3: { endpoint: "${endpoint}", bucket: audit, region: eu-central-1, prefix: logs/main, access_key_id: { env: TEST_S3_ID }, secret_access_key: { env: TEST_S3_KEY } }
`,
    });
    try {
      const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
      for (let count = 0; count < 10; count++) await agent.request('ping');
      const records = await fixture.records();
      const kept = async (): Promise<Map<number, unknown>> => {
        const listing = (await get('/?list-type=2&prefix=logs%2Fmain%2F')).toString('utf8');
        const keys = [...listing.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key = '']) => key);
        for (const key of keys) assert.match(key, /^logs\/main\/\d{4}\/\d\d\/\d\d\/\d\d\/\d{12}-\d{12}\.jsonl\.gz$/);
        const objects = await Promise.all(keys.map(async (key) => gunzipSync(await get(`/${key}`)).toString('utf8')));
        const lines = objects
          .flatMap((text) => text.trimEnd().split('\n'))
          .map((line) => JSON.parse(line) as { seq: number; record: unknown });
        return new Map(lines.map(({ seq, record }) => [seq, record]));
      };
      await until('every record', async () => {
        const found = await kept();
        return records.every(({ seq }) => found.has(seq));
      });
      const found = await kept();
      for (const { seq, record } of records) assert.deepEqual(found.get(seq), record);
    } finally {
      await fixture.close();
      await upstream.close();
      await store.stop();
    }
  });
});

function spansOf(line: string): Span[] {
  return line.startsWith('{"resourceSpans"') ? spansIn(line) : [];
}

function text({ attributes }: Span, key: string): string | undefined {
  return attributes.find((one) => one.key === key)?.value.stringValue;
}

function lengthMs({ startTimeUnixNano, endTimeUnixNano }: Span): number {
  return Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6;
}

interface LogRecord {
  readonly timeUnixNano: string;
  readonly body: { readonly stringValue: string };
  readonly attributes: readonly { readonly key: string; readonly value: { readonly intValue?: string } }[];
}

function logRecords(line: string): LogRecord[] {
  if (!line.startsWith('{"resourceLogs"')) return [];
  const { resourceLogs } = JSON.parse(line) as { resourceLogs: { scopeLogs: { logRecords: LogRecord[] }[] }[] };
  return resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap((scope) => scope.logRecords));
}

function attribute({ attributes }: LogRecord, key: string): number {
  return Number(attributes.find((one) => one.key === key)?.value.intValue);
}
