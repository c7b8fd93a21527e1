import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { decisionLogProblems } from '../sinks/decision-log-checker.ts';
import { startHttpReceiver, startSyslogReceiver, type HttpReceiver } from '../sinks/receivers.ts';
import { startGatewayProcess, type GatewayProcess } from './policy/gateway-process.ts';
import { RawAgent, startGatewayFixture } from '../support/gateway.ts';
import { startRecordingUpstream } from '../support/recording-upstream.ts';

const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await done()); tries++) {
    assert.ok(tries < 1_600, `${what} did not come`);
    await new Promise((wake) => setTimeout(wake, 25));
  }
}

test('webhook, OPA collector and syslog get every record, across restarts of either side', async () => {
  process.env['TEST_SINK_SECRET'] = secret;
  const [hook, collector, syslog, upstream] = await Promise.all([
    startHttpReceiver(),
    startHttpReceiver(),
    startSyslogReceiver(),
    startRecordingUpstream(),
  ]);
  const fixture = await startGatewayFixture({
    upstreams: `  files: { http: { url: "${upstream.url}" } }`,
    extra: `audit:
  sinks:
    - { name: hook, gather_ms: 20, webhook: { url: "http://127.0.0.1:${hook.port}/hook", secrets: [{ env: TEST_SINK_SECRET }], allow_private_network: true } }
    - { name: collector, gather_ms: 20, opa: { url: "http://127.0.0.1:${collector.port}", labels: { app: castellan } } }
    - { name: siem, gather_ms: 20, syslog: { host: 127.0.0.1, port: ${syslog.port}, tls: false, format: ocsf } }
`,
  });
  const hooked = (): Set<number> =>
    new Set(
      hook.taken.flatMap(({ text, headers }) => {
        const named = Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, String(value)]));
        return (new Webhook(secret).verify(text, named) as { data: { records: { seq: number }[] } }).data.records.map(({ seq }) => seq);
      }),
    );
  const logged = (): Set<number> => new Set(syslog.messages.map((message) => Number(/ seq="(\d+)"/.exec(message)?.[1])));
  const collected = (receiver: HttpReceiver): Set<string> =>
    new Set(receiver.taken.flatMap(({ text }) => (JSON.parse(text) as { decision_id: string }[]).map((event) => event.decision_id)));
  try {
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    for (let count = 0; count < 10; count++) await agent.request('ping');
    // Syslog has no acknowledgement: what is on its way when its receiver goes away is lost, so nothing is.
    const first = await fixture.records();
    await until('the first records', () => first.every(({ seq }) => hooked().has(seq) && logged().has(seq)));
    await Promise.all([hook.stop(), collector.stop(), syslog.stop()]);
    for (let count = 0; count < 10; count++) await agent.request('ping');
    await fixture.restart();
    const again = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    for (let count = 0; count < 10; count++) await again.request('ping');
    const metrics = async (): Promise<string> => (await fetch(`${fixture.url}/metrics`)).text();
    await until('the lag', async () => /castellan_sink_lag\{sink="hook"\} [1-9]/.test(await metrics()));
    assert.match(await metrics(), /castellan_sink_failures_total\{sink="collector"\} [1-9]/);
    await Promise.all([hook.start(), collector.start(), syslog.start()]);
    const records = await fixture.records();
    const decisions = records.filter(({ record }) => record.decision !== undefined).map(({ record }) => record.call!);
    await until(
      'every record',
      () => records.every(({ seq }) => hooked().has(seq) && logged().has(seq)) && decisions.every((id) => collected(collector).has(id)),
    );
    assert.deepEqual(syslog.faults, []);
    assert.deepEqual(
      collector.taken.flatMap(({ text }) => (JSON.parse(text) as unknown[]).flatMap(decisionLogProblems)),
      [],
    );
    assert.ok(!JSON.stringify(hook.taken).includes(secret) && !hook.taken.some(({ text }) => text.includes('whsec_')));
  } finally {
    await fixture.close();
    await Promise.all([hook.stop(), collector.stop(), syslog.stop(), upstream.close()]);
  }
});

test('a sink that hangs costs no call anything', async () => {
  const [receiver, upstream] = await Promise.all([startHttpReceiver(), startRecordingUpstream()]);
  receiver.answer = () => ({ status: 503, headers: { 'retry-after': '60' } });
  const fixture = await startGatewayFixture({
    upstreams: `  files: { http: { url: "${upstream.url}" } }`,
    extra: `audit: { sinks: [{ name: away, gather_ms: 0, otlp: { url: "http://127.0.0.1:${receiver.port}" } }] }`,
  });
  try {
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    for (let count = 0; count < 20; count++) assert.deepEqual((await agent.request('ping')).result, {});
    assert.equal(receiver.taken.length, 0);
  } finally {
    await fixture.close();
    await Promise.all([receiver.stop(), upstream.close()]);
  }
});

test('an OPA collector gets the inputs of decisions where that is wanted', async () => {
  const [receiver, upstream] = await Promise.all([startHttpReceiver(), startRecordingUpstream()]);
  const fixture = await startGatewayFixture({
    upstreams: `  files: { http: { url: "${upstream.url}" } }`,
    extra: `audit: { sinks: [{ name: collector, gather_ms: 20, opa: { url: "http://127.0.0.1:${receiver.port}", include_input: true } }] }`,
  });
  try {
    const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    await agent.call('echo', { text: 'an argument' });
    interface Event {
      readonly path: string;
      readonly input?: { readonly tool?: { readonly name: string }; readonly arguments: object };
    }
    const events = (): Event[] => receiver.taken.flatMap(({ text }) => JSON.parse(text) as Event[]);
    await until('the decision', () => events().some(({ path, input }) => path === 'gateway/call' && input?.tool?.name === 'echo'));
    assert.deepEqual(events().find(({ input }) => input?.tool?.name === 'echo')?.input?.arguments, { text: 'an argument' });
    assert.deepEqual(events().flatMap(decisionLogProblems), []);
  } finally {
    await fixture.close();
    await Promise.all([receiver.stop(), upstream.close()]);
  }
});

test('a gateway that is killed goes on where its receivers were', async () => {
  const [receiver, upstream] = await Promise.all([startHttpReceiver(), startRecordingUpstream()]);
  let gateway: GatewayProcess | undefined;
  const fixture = await startGatewayFixture({
    upstreams: `  files: { http: { url: "${upstream.url}" } }`,
    extra: `audit: { sinks: [{ name: collector, gather_ms: 0, batch_records: 20, otlp: { url: "http://127.0.0.1:${receiver.port}" } }] }`,
    start: async ({ configPath }) => (gateway = await startGatewayProcess(configPath)),
  });
  const taken = (): Set<number> =>
    new Set(
      receiver.taken.flatMap(({ text }) =>
        [...text.matchAll(/"castellan\.audit\.seq","value":\{"intValue":"(\d+)"/g)].map(([, seq]) => Number(seq)),
      ),
    );
  try {
    for (let round = 0; round < 3; round++) {
      const agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
      let isOver = false;
      const load = Promise.all(
        Array.from({ length: 4 }, async () => {
          while (!isOver) await agent.request('ping').catch(() => (isOver = true));
        }),
      );
      const before = taken().size;
      await until('some records', () => taken().size > before + 20);
      gateway?.child.kill('SIGKILL');
      await gateway?.ended;
      isOver = true;
      await load;
      await fixture.restart();
    }
    const records = await fixture.records();
    const last = records.at(-1)?.seq ?? 0;
    await until('every record', () => taken().size >= last);
    assert.deepEqual(
      [...taken()].sort((left, right) => left - right).slice(0, last),
      Array.from({ length: last }, (_, index) => index + 1),
    );
  } finally {
    await fixture.close();
    await Promise.all([receiver.stop(), upstream.close()]);
  }
});
