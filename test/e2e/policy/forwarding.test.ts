import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, afterEach, before, describe, it } from 'node:test';
import { sampleSecret } from '../../../src/demo/demo-setup.ts';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import {
  answer,
  echoTool,
  frame,
  startRecordingUpstream,
  stream,
  textResult,
  type RecordingUpstream,
} from '../../support/recording-upstream.ts';
import { assertInvariant, combining, endAll, recordsOf, told } from './support.ts';

const rules = {
  'test/secrets.rego': `package rules.test.secrets

allow contains "fine" if input.phase != "result"

redact contains {"message": "a secret was taken out", "detector": found.detector} if some found in input.findings
`,
  'test/pointers.rego': `package rules.test.pointers

redact contains {"message": "kept back", "pointer": "/arguments/keep", "as": "drop"} if input.arguments.keep
redact contains {"message": "not there", "pointer": "/arguments/no/such/place", "as": "mask"} if input.arguments.text == "odd"
redact contains {"message": "kept back", "pointer": "/result/structuredContent/rows/*/name"} if input.phase == "result"
`,
};
const open = { name: 'open', description: 'Anything goes.', inputSchema: { type: 'object' } };
const query = {
  name: 'query',
  description: 'Asks a table.',
  inputSchema: {
    type: 'object',
    properties: { table: { type: 'string' }, rows: { type: 'integer' }, mode: { type: 'string' } },
    required: ['table'],
  },
};

describe('what is forwarded', { timeout: 60_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let agent: RawAgent;
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool, open, query];
    upstream.capabilities = { tools: {}, resources: {}, logging: {} };
    upstream.always('resources/list', ({ request, response }) =>
      answer(response, request.message.id, { resources: [{ uri: 'x://note', name: 'note' }] }),
    );
    upstream.always('resources/templates/list', ({ request, response }) => answer(response, request.message.id, { resourceTemplates: [] }));
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      endpoints: `  main:
    upstreams: [{ name: one }]
    variants:
      - { upstream: one, tool: query, as: few_rows, pin: { mode: safe }, narrow: { rows: { maximum: 10 }, table: { enum: [a, b] } } }`,
      policy: combining(rules),
      policySettings: 'run_tests: false, deadline_ms: 1000',
    });
    agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
  });
  afterEach(() => assertInvariant(fixture, upstream));
  after(() =>
    endAll(
      () => fixture.close(),
      () => upstream.close(),
    ),
  );
  const last = () => upstream.calls('tools/call').at(-1)?.message.params;

  it('never holds a secret that policy redacts, wherever it stands in the arguments', async () => {
    const secret = sampleSecret();
    const place = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(secret, `x ${secret} y`, JSON.stringify({ deep: secret }), JSON.stringify([JSON.stringify({ deeper: secret })])),
        fc.string(),
        fc.integer(),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'note', 'token', secret), tie('value'), { maxKeys: 3, noNullPrototype: true }),
      ),
    })).value;
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom('p', 'q', 'r'), place, { maxKeys: 3, noNullPrototype: true }), async (args) => {
        const held = JSON.stringify(args).includes(secret);
        const seen = told(await agent.call('open', args));
        // Either it is sent without, or it is not sent.
        if (held) assert.ok(seen.note['effect'] === 'redact' || seen.isError, JSON.stringify([seen, args]));
        assert.ok(!upstream.bytes().includes(secret), JSON.stringify(args));
      }),
      { numRuns: 60 },
    );
  });

  it('gives no secret back, wherever it stands in a result or in an error', async () => {
    const secret = sampleSecret();
    const text = `the key ${secret} works`;
    const results: [string, object][] = [
      ['content text', { content: [{ type: 'text', text }] }],
      ['JSON in a text', { content: [{ type: 'text', text: JSON.stringify({ a: [{ b: text }] }) }] }],
      ['JSON in JSON in a text', { content: [{ type: 'text', text: JSON.stringify({ a: JSON.stringify({ b: secret }) }) }] }],
      [
        'structured content and its copy',
        { content: [{ type: 'text', text: JSON.stringify({ token: secret }) }], structuredContent: { token: secret } },
      ],
      ['a key', { content: [], structuredContent: { [secret]: 1 } }],
      ['an embedded resource', { content: [{ type: 'resource', resource: { uri: 'x://y', text } }] }],
      ['a resource link', { content: [{ type: 'resource_link', uri: `x://${secret}`, name: 'y', description: text }] }],
      ['an error of the tool', { content: [{ type: 'text', text }], isError: true }],
      ['_meta', { content: [], _meta: { note: text } }],
    ];
    for (const [name, result] of results) {
      upstream.once('tools/call', ({ response, request }) => answer(response, request.message.id, result));
      const got = await agent.call('echo', { text: name });
      assert.ok(!JSON.stringify(got).includes(secret), `${name}: ${JSON.stringify(got)}`);
      assert.equal(
        (await recordsOf(fixture, told(got).note['id'])).at(-1)?.outcome?.redacted !== undefined || told(got).isError,
        true,
        name,
      );
    }
    upstream.once(
      'tools/call',
      ({ response, request }) =>
        void response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id: request.message.id, error: { code: 7, message: text, data: { deep: [text] } } })),
    );
    const { error } = await agent.call('echo', { text: 'a protocol error' });
    assert.equal(error.code, 7);
    assert.ok(!JSON.stringify(error).includes(secret));
    assert.ok(!JSON.stringify(await fixture.records()).includes(secret));
  });

  it('gives no secret back in a resource, or in a message on the way', async () => {
    const secret = sampleSecret();
    upstream.once('resources/read', ({ request, response }) =>
      answer(response, request.message.id, { contents: [{ uri: 'x://note', mimeType: 'text/plain', text: `remember ${secret}` }] }),
    );
    const { result } = await agent.request('resources/read', { uri: 'x://note' });
    assert.match(result.contents[0].text, /^remember \[redacted/);
    upstream.once('tools/call', ({ request, response }) => {
      const params = { level: 'info', data: { line: `using ${secret}` } };
      stream(response).write(frame({ jsonrpc: '2.0', method: 'notifications/message', params }));
      response.end(frame(textResult(request.message.id, 'done')));
    });
    const { text, json } = await agent.post({ jsonrpc: '2.0', id: 'log', method: 'tools/call', params: { name: 'echo', arguments: {} } });
    assert.equal(told(json).text, 'done');
    assert.match(text, /"method":"notifications\/message","params":\{"level":"info","data":\{"line":"using \[redacted/);
    assert.ok(!text.includes(secret) && !JSON.stringify(result).includes(secret));
  });

  it('is what policy left: places are dropped or masked by pointer, on the way out and back', async () => {
    await agent.call('open', { keep: 'canary-kept', other: 1 });
    assert.deepEqual(last()?.arguments, { other: 1 });
    const rows = {
      rows: [
        { name: 'Erin', age: 1 },
        { name: 'Frank', age: 2 },
      ],
    };
    upstream.once('tools/call', ({ response, request }) =>
      answer(response, request.message.id, { content: [{ type: 'text', text: JSON.stringify(rows) }], structuredContent: rows }),
    );
    const { result } = await agent.call('open', {});
    assert.deepEqual(
      result.structuredContent.rows.map((row: { age: number }) => row.age),
      [1, 2],
    );
    assert.ok(!/Erin|Frank/.test(JSON.stringify(result)), JSON.stringify(result));
  });

  it('keeps integers beyond 2^53, and values that no rule touches, exactly', async () => {
    const body =
      '{"jsonrpc":"2.0","id":"big","method":"tools/call","params":{"name":"open","arguments":{"n":12345678901234567890,"t":"żółć\\u0000","list":[1.50,null,{}]}}}';
    await agent.post(body);
    const sent = upstream.calls('tools/call').at(-1)?.body ?? '';
    assert.match(sent, /"n":12345678901234567890/);
    assert.match(sent, /"t":"żółć\\u0000"/);
  });

  it('has no `_meta` of the agent’s but a progress token, and no header or token of the agent’s', async () => {
    const params = {
      name: 'echo',
      arguments: { text: 'meta' },
      _meta: { progressToken: 'mine', canary: 'canary-meta', 'io.x/y': { z: 'canary-meta' } },
    };
    await agent.post(
      { jsonrpc: '2.0', id: 'meta', method: 'tools/call', params },
      { 'x-canary': 'canary-header', cookie: 'canary-header' },
    );
    assert.deepEqual(Object.keys(last()?._meta ?? {}), ['progressToken']);
    const bytes = upstream.bytes();
    for (const word of ['canary-meta', 'canary-header', 'mine', agent.token ?? '', agent.session ?? ''])
      assert.ok(!bytes.includes(word), word);
    const extra = await agent.request('tools/call', { name: 'echo', arguments: {}, more: { ttl: 1 } });
    assert.equal(extra.error.code, -32602);
    const task = await agent.request('tools/call', { name: 'echo', arguments: {}, task: { ttl: 1 } });
    assert.equal(task.error.code, -32601, 'a tool that is not called as a task');
  });

  it('of a variant is pinned and narrowed, whatever the agent sends', async () => {
    const { tools } = (await agent.request('tools/list')).result as { tools: { name: string; inputSchema: { properties: object } }[] };
    const variant = tools.find((tool) => tool.name === 'few_rows');
    assert.deepEqual(Object.keys(variant?.inputSchema.properties ?? {}).sort(), ['rows', 'table']);
    assert.equal(told(await agent.call('few_rows', { table: 'a', rows: 10 })).isError, false);
    assert.deepEqual([last()?.name, last()?.arguments], ['query', { table: 'a', rows: 10, mode: 'safe' }]);
    const before = upstream.calls('tools/call').length;
    for (const args of [
      { table: 'a', mode: 'unsafe' },
      { table: 'a', mode: 'safe' },
      { table: 'a', rows: 11 },
      { table: 'c' },
      { table: ['a'] },
      {},
      { table: 'a', MODE: 'unsafe' },
      { table: 'a', __proto_: { mode: 'unsafe' } },
    ]) {
      const { isError, text } = told(await agent.call('few_rows', args));
      const sent = upstream.calls('tools/call').slice(before);
      // What the schema does not know may go along where the server allows it; what is pinned stays pinned.
      assert.ok(isError || sent.every((call) => call.message.params.arguments.mode === 'safe'), `${JSON.stringify(args)}: ${text}`);
      if ('mode' in args || !('table' in args) || args.table !== 'a' || (args.rows ?? 0) > 10) assert.ok(isError, JSON.stringify(args));
    }
    const doubled = await agent.post(
      '{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"few_rows","arguments":{"table":"a","table":"c"}}}',
    );
    assert.equal(doubled.status, 400);
  });
});
