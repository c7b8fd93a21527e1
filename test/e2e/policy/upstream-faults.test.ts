import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { freePort } from '../../../src/demo/demo-setup.ts';
import {
  answer,
  echoTool,
  frame,
  misbehaviours,
  readTool,
  startRecordingUpstream,
  stream,
  textResult,
  type RecordingUpstream,
  type Script,
} from '../../support/recording-upstream.ts';
import { assertInvariant, endAll, metric, readyz, recordsOf, told, until } from './support.ts';

const fragile = new URL('./fragile-server.ts', import.meta.url).pathname;
const twice: Script = ({ response, request }) => {
  const { id } = request.message;
  stream(response).write(frame(textResult(id, 'first')));
  response.end(frame(textResult(id, 'second')));
};

describe('an upstream that fails', { timeout: 60_000 }, () => {
  let bad: RecordingUpstream;
  let good: RecordingUpstream;
  let fixture: GatewayFixture;
  let agent: RawAgent;
  let downPort: number;
  before(async () => {
    bad = await startRecordingUpstream();
    bad.tools = [echoTool];
    good = await startRecordingUpstream();
    good.tools = [readTool];
    downPort = await freePort();
    const http = (name: string, url: string, more = ''): string => `  ${name}: { http: { url: "${url}" }, pinning: first_seen${more} }`;
    fixture = await startGatewayFixture({
      upstreams: [
        http('bad', bad.url, ', timeout_ms: 600, max_response_bytes: 100000'),
        http('good', good.url),
        http('down', `http://127.0.0.1:${downPort}/mcp`),
        `  child: { stdio: { command: "${process.execPath}", args: ["${fragile}"] }, pinning: first_seen }`,
      ].join('\n'),
      endpoints: '  main: { upstreams: [{ name: bad }, { name: good }, { name: down }, { name: child }] }',
      policySettings: 'run_tests: false, deadline_ms: 500',
      extra: 'limits: { call_timeout_ms: 600 }',
    });
    agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
  });
  afterEach(() => assertInvariant(fixture, bad, good));
  after(() =>
    endAll(
      () => fixture.close(),
      () => bad.close(),
      () => good.close(),
    ),
  );

  const rows: { name: string; script: Script; status: string; code: string; says: RegExp }[] = [
    { name: 'hangs', script: misbehaviours.hang, status: 'unknown', code: 'upstream.timeout', says: /did not answer/ },
    { name: 'drips', script: misbehaviours.drip, status: 'unknown', code: 'upstream.timeout', says: /did not answer/ },
    {
      name: 'resets the connection',
      script: misbehaviours.reset,
      status: 'unknown',
      code: 'upstream.unreachable',
      says: /cannot be reached.*may have executed/,
    },
    { name: 'floods', script: misbehaviours.flood, status: 'unknown', code: 'upstream.too_large', says: /too|large|limit/ },
    { name: 'floods events', script: misbehaviours.floodOneEvent, status: 'unknown', code: 'upstream.too_large', says: /too|large|limit/ },
    { name: 'answers no JSON', script: misbehaviours.nonJson, status: 'unknown', code: 'upstream.protocol', says: /./ },
    { name: 'answers no UTF-8', script: misbehaviours.nonUtf8, status: 'unknown', code: 'upstream.protocol', says: /./ },
    { name: 'answers under a wrong id', script: misbehaviours.wrongId, status: 'unknown', code: 'upstream.protocol', says: /./ },
    { name: 'cuts its stream off', script: misbehaviours.truncated, status: 'unknown', code: 'upstream.unreachable', says: /./ },
    { name: 'redirects', script: misbehaviours.redirect, status: 'upstream_error', code: 'upstream.protocol', says: /./ },
    { name: 'answers 500 with a stack', script: misbehaviours.serverError, status: 'unknown', code: 'upstream.unreachable', says: /./ },
    {
      name: 'wants another credential',
      script: misbehaviours.unauthorized,
      status: 'upstream_error',
      code: 'upstream.credential',
      says: /./,
    },
  ];
  for (const { name, script, status, code, says } of rows) {
    it(`and ${name} ends in ${code}, in generic words, and disturbs nobody else`, async () => {
      bad.once('tools/call', script);
      const startMs = performance.now();
      const [failed, ...others] = await Promise.all([
        agent.call('echo', { text: `canary ${name}` }),
        ...Array.from({ length: 5 }, () => agent.call('read', { text: 'fine' })),
      ]);
      assert.ok(performance.now() - startMs < 5000);
      const { text, isError, note } = told(failed);
      assert.equal(isError, true);
      const finished = (await recordsOf(fixture, note['id'])).at(-1);
      assert.deepEqual([note['error'], finished?.outcome?.status, finished?.outcome?.error_code], [code, status, code], text);
      assert.match(text, says);
      assert.ok(!/https?:|127\.0\.0\.1|169\.254|at .*\(|com\.example|html|\.ts\b/.test(JSON.stringify(failed)), text);
      for (const one of others) assert.equal(told(one).isError, false, told(one).text);
      assert.equal(told(await agent.call('echo', { text: 'and then' })).isError, false);
    });
  }

  it('and answers with an error of its own passes that error on, judged like a result', async () => {
    bad.once('tools/call', misbehaviours.errorInBody);
    const { error } = await agent.call('echo', { text: 'x' });
    assert.deepEqual([error.code, error.message], [42, 'no']);
  });

  it('and answers twice is heard once', async () => {
    bad.once('tools/call', twice);
    assert.equal(told(await agent.call('echo', { text: 'x' })).text, 'first');
    assert.equal(told(await agent.call('echo', { text: 'next' })).text, '{"text":"next"}');
  });

  it('and was down at the start is served once it is up', async () => {
    const { body } = await readyz(fixture.url);
    assert.equal((body['upstreams'] as Record<string, unknown>)['good'], 'ready');
    assert.notEqual((body['upstreams'] as Record<string, unknown>)['down'], 'ready');
    assert.equal(await metric(fixture.url, 'castellan_upstream_up{upstream="down"}'), 0);
    const late = await startRecordingUpstream({ port: downPort });
    late.tools = [{ ...echoTool, name: 'late' }];
    try {
      await until('the late one is up', async () => (await metric(fixture.url, 'castellan_upstream_up{upstream="down"}')) === 1, 40_000);
      assert.equal(told(await agent.call('late', { text: 'x' })).text, '{"text":"x"}');
    } finally {
      await late.close();
    }
  });

  it('and is a child that crashes is started again; the call that it crashed on is not repeated', async () => {
    const pid = told(await agent.call('pid')).text;
    const { text, isError, note } = told(await agent.call('crash'));
    assert.equal(isError, true);
    assert.match(text, /^the upstream `child` [^;]+; /);
    assert.ok(!text.includes('secret.internal'));
    assert.equal((await recordsOf(fixture, note['id'])).at(-1)?.outcome?.status, 'unknown');
    const after = await until('the child is back', async () => {
      const again = told(await agent.call('pid'));
      return again.isError ? undefined : again.text;
    });
    assert.notEqual(after, pid);
  });

  it('answers in time although its answer is large', async () => {
    bad.once('tools/call', ({ response, request }) =>
      answer(response, request.message.id, { content: [{ type: 'text', text: 'y'.repeat(90_000) }] }),
    );
    assert.equal(told(await agent.call('echo', { text: 'x' })).text.length, 90_000);
  });
});
