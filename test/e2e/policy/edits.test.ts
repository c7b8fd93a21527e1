import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { RawAgent, startGatewayFixture, writePolicy, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { startGatewayProcess } from './gateway-process.ts';
import { assertInvariant, combining, edit, endAll, metric, readyz, recordsOf, releaseOf, told, until } from './support.ts';

const words = `package rules.test.words

allow contains "fine" if input.phase != "result"

deny contains "the word is not allowed" if input.arguments.text in data.words
`;
const tests = `package rules.test.words_test

import data.rules.test.words

test_plain_words_pass if count(words.deny) == 0 with input as {"phase": "call", "arguments": {"text": "plain"}} with data.words as ["forbidden"]

test_forbidden_words_do_not if count(words.deny) == 1 with input as {"phase": "call", "arguments": {"text": "forbidden"}} with data.words as ["forbidden"]
`;
const file = 'rules/test/words.rego';

describe('an edit of policy or configuration', { timeout: 120_000 }, () => {
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let agent: RawAgent;
  let output: () => string;
  before(async () => {
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: combining({ 'test/words.rego': words }, { words: ['forbidden'] }),
      // The machine that tests run on may be busy with a compiler.
      policySettings: 'run_tests: true, deadline_ms: 1000',
      logLevel: 'info',
      start: async (options) => {
        await writePolicy(join(options.configPath, '..', 'policy-tests'), { 'rules/test/words_test.rego': tests });
        const started = await startGatewayProcess(options.configPath);
        output = started.output;
        return started;
      },
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

  const call = async (text: string) => {
    const seen = told(await agent.call('echo', { text }));
    const [decided] = await recordsOf(fixture, seen.note['id']);
    return { isError: seen.isError, text: seen.text, release: decided?.decision?.release };
  };
  const candidate = async (): Promise<string> =>
    ((await readyz(fixture.url)).body['candidate'] as { error: string } | undefined)?.error ?? '';
  const logged = (event: string): Promise<string> =>
    until(`\`${event}\` in the log`, () =>
      output()
        .split('\n')
        .findLast((line) => line.includes(`"event":"${event}"`)),
    );

  it('changes the next decision without a restart, in the same session, and each decision names its release', async () => {
    const before = await releaseOf(fixture.url);
    assert.deepEqual(await call('new word'), { isError: false, text: '{"text":"new word"}', release: before });
    const after = await edit(fixture, 'data.json', (text) => text.replace('"forbidden"', '"forbidden","new word"'));
    assert.deepEqual(await call('new word'), { isError: true, text: 'denied by policy: the word is not allowed', release: after });
    assert.notEqual(after, before);
    const text = await (await fetch(`${fixture.url}/metrics`)).text();
    assert.match(text, new RegExp(`castellan_release_info\\{release="${after}",digest="sha256:[0-9a-f]{64}"\\} 1`));
  });

  for (const { name, path, change, error } of [
    {
      name: 'that does not parse',
      path: file,
      change: (text: string) => `${text}\ndeny contains if`,
      error: /rules\/test\/words\.rego:\d+: rego_parse_error/,
    },
    {
      name: 'that does not compile',
      path: file,
      change: (text: string) => text.replace('input.arguments.text in data.words', 'nothing.like.this'),
      error: /rego_(unsafe_var|type|compile)_error/,
    },
    {
      name: 'that fails its tests',
      path: file,
      change: (text: string) => text.replace('"fine" if', '"fine" if false\n\ndeny contains "no" if'),
      error: /tests fail; fix them or the rules: [\s\S]*test_plain_words_pass/,
    },
    {
      name: 'whose test ends otherwise in the engine than in OPA',
      path: file,
      // OPA walks this literal as it is written, which is a fault of its interpreter; the engine walks it in order.
      change: (text: string) => `${text}\ndeny contains "order" if [one | some one in {"z", input.arguments.text}] == ["plain", "z"]\n`,
      error: /test `[^`]*test_plain_words_pass` of `[^`]*` is true in OPA and not true in the engine/,
    },
    { name: 'of data that is no JSON', path: 'data.json', change: (text: string) => text.slice(0, -1), error: /data\.json/ },
  ]) {
    it(`${name} leaves the last good release in force, and is told on /readyz, in a metric and in the log`, async () => {
      const before = await releaseOf(fixture.url);
      const failuresBefore = await metric(fixture.url, 'castellan_release_load_failures_total');
      const original = readFileSync(join(fixture.policyFolder, path), 'utf8');
      writeFileSync(join(fixture.policyFolder, path), change(original));
      assert.match(await until('the edit is refused', async () => (await candidate()) || undefined), error);
      assert.equal((await readyz(fixture.url)).status, 200);
      assert.ok((await metric(fixture.url, 'castellan_release_load_failures_total')) > failuresBefore);
      assert.match(await logged('release.refused'), /"level":"error"/);
      assert.deepEqual(await call('forbidden'), { isError: true, text: 'denied by policy: the word is not allowed', release: before });
      assert.deepEqual(await call(`fine ${name}`), { isError: false, text: `{"text":"fine ${name}"}`, release: before });
      writeFileSync(join(fixture.policyFolder, path), original);
      await until('the candidate is gone', async () => (await candidate()) === '');
      assert.equal(await releaseOf(fixture.url), before);
    });
  }

  it('of the configuration is taken when the file changes or on SIGHUP, and a bad one leaves the old in force', async () => {
    const good = readFileSync(fixture.configPath, 'utf8');
    const configOf = async (): Promise<unknown> => (await readyz(fixture.url)).body['config'];
    const set = (text: string): void => writeFileSync(fixture.configPath, text);
    set(`${good}\nlimits: { body_bytes: 2048 }\n`);
    const long = 'x'.repeat(3000);
    await until(
      'the limit is in force',
      async () => (await agent.post({ jsonrpc: '2.0', id: 'l', method: 'ping', params: { long } })).status === 413,
    );
    assert.equal((await call('still the same session')).isError, false);
    await logged('config.reloaded');

    for (const [bad, why] of [
      [`${good}\nlimitz: {}\n`, /castellan\.yaml:\d+.*limitz/],
      [good.replace('host: 127.0.0.1', 'host: 127.0.0.2'), /`listen` cannot change while the gateway runs; restart/],
      [`${good}\n\t- {`, /castellan\.yaml:\d+/],
    ] as const) {
      const failuresBefore = await metric(fixture.url, 'castellan_config_reload_failures_total');
      set(bad);
      const problem = await until('the file is refused', async () => {
        const found = (await configOf()) as { problem?: string };
        return found.problem !== undefined && why.test(found.problem) ? found.problem : undefined;
      });
      assert.match(problem, why);
      assert.equal((await readyz(fixture.url)).status, 200);
      assert.ok((await metric(fixture.url, 'castellan_config_reload_failures_total')) > failuresBefore);
      assert.match(await logged('config.refused'), /"level":"error"/);
      assert.equal((await call(`under the old one ${String(why)}`)).isError, false);
      assert.equal((await agent.post({ jsonrpc: '2.0', id: 'l', method: 'ping', params: { long } })).status, 413);
    }
    set(good);
    spawnSync('kill', ['-HUP', String((fixture.gateway as unknown as { pid: number }).pid)]);
    await until('the good file is in force again', async () => (await configOf()) === 'ok');
    await until(
      'the limit is gone',
      async () => (await agent.post({ jsonrpc: '2.0', id: 'l', method: 'ping', params: { long } })).status === 200,
    );
    assert.equal((await call('the same session')).isError, false);
  });

  it('on the way while calls run fails none of them, and each call has one whole release', async () => {
    const releases = new Set<string | undefined>([await releaseOf(fixture.url)]);
    let isOver = false;
    const seen: { text: string; isError: boolean; id: unknown }[] = [];
    const load = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const { text, isError, note } = told(await agent.call('echo', { text: `load ${seen.length}` }));
        seen.push({ text, isError, id: note['id'] });
      }
    });
    for (let turn = 0; turn < 3; turn++) releases.add(await edit(fixture, file, (text) => `${text}\n# turn ${turn}\n`));
    isOver = true;
    await Promise.all(load);
    assert.ok(seen.length > 20);
    assert.deepEqual(
      seen.filter((one) => one.isError),
      [],
    );
    for (const { id } of seen.filter((_, at) => at % 10 === 0)) {
      const [decided] = await recordsOf(fixture, id);
      assert.ok(releases.has(decided?.decision?.release), decided?.decision?.release);
    }
  });
});
