import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, readTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { writePolicy } from '../../support/gateway.ts';
import { assertInvariant, endAll, metric, readyz, recordsOf, told, until } from './support.ts';

const good = {
  version: 1,
  effect: 'allow',
  reasons: [{ rule: 'test/good', effect: 'allow', message: 'good' }],
  redactions: [],
  approval: null,
  labels: [],
  limits: [],
  dry_run: [],
};
const reason = { rule: 'a/b', effect: 'deny', message: 'no' };
const term = { rule: 'a/b', groups: ['security'], quorum: 1, expires_s: 60, allow_self: false };
const approval = { groups: ['security'], quorum: 1, expires_s: 60, allow_self: false, rules: ['a/b'], terms: [term] };
const held = { ...good, effect: 'require_approval', reasons: [{ ...reason, effect: 'require_approval' }], approval };

/** Answers that are no decision; each must end as a denial. */
const nonsense: Record<string, unknown> = {
  null: null,
  true: true,
  number: 42,
  text: 'allow',
  list: [good],
  'empty object': {},
  'effect alone': { effect: 'allow' },
  'another version': { ...good, version: 2 },
  'unknown effect': { ...good, effect: 'maybe' },
  'effect in capitals': { ...good, effect: 'ALLOW' },
  'unknown field': { ...good, obligations: ['log'] },
  'reasons that are text': { ...good, reasons: 'because' },
  'allow with a redaction': { ...good, redactions: [{ rule: 'a/b', pointer: '/arguments/x', as: 'mask' }] },
  'redact of nothing': { ...good, effect: 'redact' },
  'redaction of an unknown kind': { ...good, effect: 'redact', redactions: [{ rule: 'a/b', pointer: '/arguments/x', as: 'blur' }] },
  'redaction of two things': { ...good, effect: 'redact', redactions: [{ rule: 'a/b', pointer: '/x', detector: 'y', as: 'mask' }] },
  'deny without a reason': { ...good, effect: 'deny', reasons: [] },
  'approval without terms': { ...held, approval: null },
  'approval by nobody': { ...held, approval: { ...approval, terms: [{ ...term, groups: [] }] } },
  'terms without approval': { ...good, approval },
  'limit that is text': { ...good, limits: [{ rule: 'a/b', key: 'k', max: 'many', per_s: 60 }] },
};

// Neither allocates what the other is about: the first goes round without end in sight, the second doubles a text.
const burn = 'some a in data.numbers; some b in data.numbers; some c in data.numbers; a == b; b == c; c != a';
const devour = `t0 := concat("", data.texts); ${Array.from({ length: 7 }, (_, at) => `t${at + 1} := concat("", [${Array.from({ length: 10 }, () => `t${at}`).join(', ')}])`).join('; ')}; t7 != ""`;

const policy = {
  'data.json': JSON.stringify({ good, nonsense, numbers: Array.from({ length: 1000 }, (_, at) => at), texts: ['0123456789'] }),
  'gateway/gateway.rego': `package gateway

message := data.good
list := {"version": 1, "visible": [tool.exposed_name | some tool in object.get(input, "tools", [])]}

_case := object.get(object.get(input, "arguments", {}), "case", "good")
call := data.good if not startswith(_case, "bad ")
call := data.nonsense[substring(_case, 12, -1)] if startswith(_case, "bad nonsense")
call := data.good if { _case == "bad conflict"; input.request.method == "tools/call" }
call := object.union(data.good, {"labels": ["other"]}) if { _case == "bad conflict"; input.request.method == "tools/call" }
call := data.good if { _case == "bad loop"; ${burn} }
call := data.good if { _case == "bad memory"; ${devour} }

_answer := object.get(object.get(object.get(input, "result", {}), "structuredContent", {}), "case", "good")
result := data.good if not startswith(_answer, "bad ")
result := data.nonsense[substring(_answer, 12, -1)] if startswith(_answer, "bad nonsense")
result := data.good if { _answer == "bad loop"; ${burn} }
result := {} if { _answer == "bad conflict"; input.phase == "result" }
result := [] if { _answer == "bad conflict"; input.phase == "result" }
`,
};

const words: Record<string, string> = {
  undefined: 'policy gave no answer',
  malformed: 'policy gave an answer that is not a decision',
  error: 'policy failed',
  timeout: 'policy took too long',
  memory: 'policy needed too much memory',
};

describe('a policy that fails', { timeout: 60_000 }, () => {
  let upstream: RecordingUpstream;
  let other: RecordingUpstream;
  let fixture: GatewayFixture;
  let agent: RawAgent;
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    other = await startRecordingUpstream();
    other.tools = [readTool];
    upstream.always('tools/call', ({ request, response }) => {
      const { id, params } = request.message;
      const result = { content: [{ type: 'text', text: 'canary-result' }], structuredContent: { case: params.arguments.answer ?? 'good' } };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }\n  two: { http: { url: "${other.url}" }, pinning: first_seen }`,
      endpoints: '  main: { upstreams: [{ name: one }, { name: two }] }',
      policy,
      policySettings: 'run_tests: false, deadline_ms: 100',
    });
    agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
  });
  after(() =>
    endAll(
      () => assertInvariant(fixture, upstream, other),
      () => fixture.close(),
      () => upstream.close(),
      () => other.close(),
    ),
  );

  const cases: { name: string; argument: string; fault: string }[] = [
    { name: 'is undefined', argument: 'bad undefined', fault: 'undefined' },
    { name: 'contradicts itself', argument: 'bad conflict', fault: 'error' },
    { name: 'loops', argument: 'bad loop', fault: 'timeout' },
    { name: 'takes all memory', argument: 'bad memory', fault: 'memory' },
    { name: 'knows no such nonsense', argument: 'bad nonsense of no kind', fault: 'undefined' },
    ...Object.keys(nonsense).map((kind) => ({ name: `answers nonsense: ${kind}`, argument: `bad nonsense${kind}`, fault: 'malformed' })),
  ];
  for (const { name, argument, fault } of cases) {
    it(`denies, records and counts where it ${name}`, async () => {
      const series = `castellan_policy_faults_total{fault="${fault}"}`;
      const countedBefore = await metric(fixture.url, series);
      const text = `canary ${name}`;
      const [answer, ...fine] = await Promise.all([
        agent.call('echo', { text, case: argument }),
        ...Array.from({ length: 5 }, () => agent.call('read', { text: 'fine' })),
      ]);
      const { text: said, isError, note } = told(answer);
      assert.deepEqual([said, isError], [`denied by policy: ${words[fault]}`, true]);
      assert.deepEqual(note, { id: note['id'], effect: 'deny', reasons: [{ rule: `gateway/${fault}`, message: words[fault] }] });
      for (const one of fine) assert.equal(told(one).isError, false, told(one).text);
      assert.ok(!upstream.bytes().includes(text));
      assert.equal(await metric(fixture.url, series), countedBefore + 1);
      const [decided, finished, ...more] = await recordsOf(fixture, note['id']);
      assert.deepEqual(more, []);
      assert.deepEqual([decided?.kind, decided?.decision?.effect, decided?.decision?.fault], ['decided', 'deny', fault]);
      assert.deepEqual([finished?.kind, finished?.outcome?.status], ['finished', 'denied']);
      assert.ok(!JSON.stringify([decided, finished]).includes('canary'));
    });
  }

  for (const [argument, fault] of [
    ['bad undefined', 'undefined'],
    ['bad conflict', 'error'],
    ['bad loop', 'timeout'],
    ['bad nonsenseunknown effect', 'malformed'],
  ] as const) {
    it(`withholds the result where judging it ends in ${fault}`, async () => {
      const series = `castellan_policy_faults_total{fault="${fault}"}`;
      const countedBefore = await metric(fixture.url, series);
      const answer = await agent.call('echo', { text: 'x', answer: argument });
      const { text, isError, note } = told(answer);
      assert.deepEqual([text, isError], [`the result was withheld by policy: ${words[fault]}`, true]);
      assert.ok(!JSON.stringify(answer).includes('canary-result'));
      assert.equal(await metric(fixture.url, series), countedBefore + 1);
      const finished = (await recordsOf(fixture, note['id'])).at(-1);
      assert.deepEqual([finished?.outcome?.status, finished?.decision?.fault], ['withheld', fault]);
    });
  }

  it('leaves the gateway fit for the next call', async () => {
    assert.equal((await readyz(fixture.url)).status, 200);
    assert.equal(told(await agent.call('echo', { text: 'after all that' })).isError, false);
  });

  it('does not come into force where an entrypoint is missing or fails on its first question', async () => {
    const before = (await readyz(fixture.url)).body['release'];
    for (const [text, why] of [
      [policy['gateway/gateway.rego'].replaceAll(/^result := .*$/gm, ''), /result/],
      [
        policy['gateway/gateway.rego'].replace('list := {', 'list := [1] if input.nothing.here\nunused := {'),
        /`gateway\/list` gives no answer/,
      ],
    ] as const) {
      await writePolicy(fixture.policyFolder, { 'gateway/gateway.rego': text });
      const candidate = await until('the edit is refused', async () => {
        const found = (await readyz(fixture.url)).body['candidate'] as { error: string } | undefined;
        return found !== undefined && why.test(found.error) ? found : undefined;
      });
      assert.match(candidate.error, why);
      assert.deepEqual((await readyz(fixture.url)).body['release'], before);
      assert.equal(told(await agent.call('read', { text: String(why) })).isError, false);
    }
  });
});

describe('a gateway without policy', { timeout: 60_000 }, () => {
  it('starts, denies everything, says why on /readyz, and serves as soon as the policy is mended', async () => {
    const upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    const fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: { 'gateway/gateway.rego': 'package gateway\n\ncall := {"version": 1\n' },
      // Of its own: there must be no last good release to resume.
      cacheDir: 'cache',
    });
    try {
      const ready = await readyz(fixture.url);
      assert.equal(ready.status, 503);
      assert.equal(ready.body['release'], null);
      assert.match((ready.body['candidate'] as { error: string }).error, /gateway\/gateway\.rego:\d+/);
      assert.equal((await fetch(`${fixture.url}/healthz`)).status, 200);
      const agent = new RawAgent(fixture.endpoint(), await fixture.token());
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'canary', version: '1' } };
      const opened = await agent.post({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
      assert.deepEqual([opened.status, opened.json.error.code], [200, 4033]);
      assert.equal(opened.json.error.message, 'denied by policy: no policy is in force');
      assert.equal(opened.headers.get('mcp-session-id'), null);
      const [decided] = await recordsOf(fixture, told(opened.json).note['id']);
      assert.deepEqual([decided?.decision?.fault, decided?.decision?.release], ['no_release', 'none']);
      assert.ok(!upstream.bytes().includes('canary'));
      assert.equal(await metric(fixture.url, 'castellan_policy_faults_total{fault="no_release"}'), 1);
      assert.ok((await metric(fixture.url, 'castellan_release_load_failures_total')) >= 1);

      await writePolicy(fixture.policyFolder, policy);
      await until('the mended policy is in force', async () => (await readyz(fixture.url)).status === 200);
      await agent.open();
      assert.equal(told(await agent.call('echo', { text: 'now' })).isError, false);
      await assertInvariant(fixture, upstream);
    } finally {
      await fixture.close();
      await upstream.close();
    }
  });
});
