import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { application } from '../../../src/app.ts';
import type { RunningGateway } from '../../../src/cli/application.ts';
import { sampleSecret, setUpDemo, type DemoSetup } from '../../../src/demo/demo-setup.ts';
import type { AuditRecord } from '../../../src/model/audit-record.ts';
import { RawAgent } from '../../support/gateway.ts';
import { endAll, told } from './support.ts';

/** The shipped policies, three servers from the registry, an identity provider: what the demo starts. */
describe('the shipped policies on real servers', { timeout: 120_000 }, () => {
  let setup: DemoSetup;
  let gateway: RunningGateway;
  const agents = new Map<string, RawAgent>();
  const agentOf = async (subject: string): Promise<RawAgent> => {
    const known = agents.get(subject);
    if (known !== undefined) return known;
    const token = await setup.provider.tokenFor(subject, { resource: setup.endpoint });
    const agent = await new RawAgent(setup.endpoint, token).open();
    agents.set(subject, agent);
    return agent;
  };
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const admin = async (method: string, path: string, subject = 'sofia'): Promise<any> => {
    const token = await setup.provider.tokenFor(subject, { resource: setup.adminAudience });
    return (await fetch(`${setup.url}/admin/v1${path}`, { method, headers: { authorization: `Bearer ${token}` } })).json();
  };
  const call = async (subject: string, tool: string, args: object = {}) => {
    const answer = await (await agentOf(subject)).call(tool, args);
    const { text, isError, note } = told(answer);
    const stored = (await admin('GET', `/audit?call=${String(note['id'])}`)) as { record: AuditRecord }[];
    const reasons = stored.flatMap(({ record }) => record.decision?.reasons ?? []);
    return { answer, text, isError, effect: String(note['effect']), rules: reasons.map((reason) => reason.rule), note };
  };
  before(async () => {
    setup = await setUpDemo(0);
    const config = await readFile(setup.configPath, 'utf8');
    // The machine that tests run on may be busy; the shipped rules are not what takes long.
    await writeFile(
      setup.configPath,
      config.replace('log: { level: warn }', 'log: { level: error }').replace('policy: {', 'policy: { deadline_ms: 1000,'),
    );
    await writeFile(
      join(setup.folder, 'files', 'report.json'),
      JSON.stringify({ mail: 'erin.walker@example.com', nested: JSON.stringify({ token: sampleSecret() }) }),
    );
    await writeFile(join(setup.folder, 'files', '-rf'), 'x');
    gateway = await application.startGateway({ configPath: setup.configPath, env: process.env });
  });
  after(() =>
    endAll(
      async () => {
        const verified = await admin('POST', '/audit/verify');
        assert.equal(verified.ok, true, JSON.stringify(verified));
        const all = JSON.stringify(await admin('GET', '/audit?limit=1000'));
        for (const word of [sampleSecret(), 'erin.walker@', 'written once', 'canary']) assert.ok(!all.includes(word), word);
      },
      () => gateway.close(),
      () => setup.close(),
    ),
  );

  it('shows each identity the tools that it may use, and no other can be called', async () => {
    const names = async (subject: string): Promise<string[]> =>
      ((await (await agentOf(subject)).request('tools/list')).result.tools as { name: string }[]).map((tool) => tool.name);
    const [alice, bob] = [await names('alice'), await names('bob')];
    for (const [tool, forAlice, forBob] of [
      ['read_text_file', true, true],
      ['write_file', true, false],
      ['read_first_lines', true, true],
      ['create_entities', true, false],
      ['read_graph', true, true],
      ['delete_entities', true, false],
      ['echo', true, false],
    ] as const)
      assert.deepEqual([tool, alice.includes(tool), bob.includes(tool)], [tool, forAlice, forBob]);
    for (const tool of ['write_file', 'create_entities', 'echo']) {
      const { effect, text } = await call(
        'bob',
        tool,
        tool === 'echo' ? { message: 'canary' } : tool === 'write_file' ? { path: 'x', content: 'canary' } : { entities: [] },
      );
      assert.equal(effect, 'deny', text);
    }
  });

  for (const row of [
    {
      who: 'bob',
      tool: 'read_text_file',
      args: { path: 'welcome.md' },
      effect: 'allow',
      rule: 'access/read_only',
      says: /served by the filesystem server/,
    },
    { who: 'bob', tool: 'read_graph', args: {}, effect: 'allow', rule: 'access/tool_grant', says: /entities/ },
    {
      who: 'bob',
      tool: 'create_entities',
      args: { entities: [{ name: 'x', entityType: 'y', observations: [] }] },
      effect: 'deny',
      rule: 'gateway/default',
      says: /no rule allows this \(use a tool that is listed for you, or ask for a grant\)/,
    },
    {
      who: 'alice',
      tool: 'create_entities',
      args: { entities: [{ name: 'x', entityType: 'y', observations: [] }] },
      effect: 'allow',
      rule: 'access/tool_grant',
      says: /x/,
    },
    { who: 'alice', tool: 'read_first_lines', args: { path: 'welcome.md' }, effect: 'allow', rule: 'access/read_only', says: /Welcome/ },
    {
      who: 'alice',
      tool: 'read_text_file',
      args: { path: '../../etc/passwd' },
      effect: 'deny',
      rule: 'arguments/path',
      says: /climbs with `\.\.`/,
    },
    {
      who: 'alice',
      tool: 'read_text_file',
      args: { path: '/etc/passwd' },
      effect: 'deny',
      rule: 'arguments/path',
      says: /outside the folders/,
    },
    { who: 'alice', tool: 'read_text_file', args: { path: '~/.ssh/id_rsa' }, effect: 'deny', rule: 'arguments/path', says: /home folder/ },
    { who: 'alice', tool: 'read_text_file', args: { path: '%2e%2e/x' }, effect: 'deny', rule: 'arguments/path', says: /different ways/ },
    {
      who: 'alice',
      tool: 'read_multiple_files',
      args: { paths: ['welcome.md', '../x'] },
      effect: 'deny',
      rule: 'arguments/path',
      says: /climbs/,
    },
    {
      who: 'alice',
      tool: 'read_text_file',
      args: { path: '-rf' },
      effect: 'deny',
      rule: 'arguments/leading_dash',
      says: /starts with a dash \(put \.\/ before/,
    },
    { who: 'alice', tool: 'read_text_file', args: { path: './-rf' }, effect: 'allow', rule: 'access/read_only', says: /x/ },
    {
      who: 'alice',
      tool: 'move_file',
      args: { source: 'welcome.md', destination: '/tmp/x' },
      effect: 'deny',
      rule: 'arguments/path',
      says: /outside/,
    },
    {
      who: 'alice',
      tool: 'write_file',
      args: { path: 'canary.txt', content: 'canary' },
      effect: 'require_approval',
      rule: 'approval/destructive',
      says: /can destroy or overwrite something/,
    },
    {
      who: 'alice',
      tool: 'delete_entities',
      args: { entityNames: ['x'] },
      effect: 'require_approval',
      rule: 'approval/destructive',
      says: /someone of `security`/,
    },
    {
      who: 'alice',
      tool: 'echo',
      args: { message: `the key is ${sampleSecret()}` },
      effect: 'deny',
      rule: 'secrets/egress',
      says: /secret in the arguments/,
    },
    {
      who: 'alice',
      tool: 'echo',
      args: { message: 'write to erin.walker@example.com' },
      effect: 'redact',
      rule: 'privacy/mask_egress',
      says: /Echo: write to \[redacted/,
    },
    { who: 'alice', tool: 'get-sum', args: { a: 2, b: 3 }, effect: 'allow', rule: 'access/read_only', says: /5/ },
    { who: 'bob', tool: 'no-such-tool', args: {}, effect: 'undefined', rule: undefined, says: /unknown tool `no-such-tool`/ },
  ]) {
    it(`${row.who}: ${row.tool} ${JSON.stringify(row.args).replace(sampleSecret(), '<secret>')} is ${row.effect}`, async () => {
      const { effect, rules, text } = await call(row.who, row.tool, row.args);
      assert.deepEqual([effect, row.rule === undefined || rules.includes(row.rule)], [row.effect, true], `${rules.join()}: ${text}`);
      assert.match(text, row.says);
    });
  }

  it('takes secrets and personal data out of results, wherever in them they are', async () => {
    for (const path of ['ticket.txt', 'report.json']) {
      const { answer, effect, rules } = await call('alice', 'read_text_file', { path });
      const whole = JSON.stringify(answer);
      assert.equal(effect, 'redact', path);
      assert.ok(rules.includes('privacy/mask_results') && rules.includes('secrets/redact'), rules.join());
      for (const word of [sampleSecret(), 'erin.walker@']) assert.ok(!whole.includes(word), `${word} in ${whole}`);
      assert.match(whole, /\[redacted/);
      assert.ok(answer.result.structuredContent !== undefined, 'the filesystem server answers with both');
    }
  });

  it('takes personal data out of what a tool remembered, and out of errors', async () => {
    await call('alice', 'create_entities', {
      entities: [{ name: 'Erin', entityType: 'person', observations: ['erin.walker@example.com'] }],
    });
    const { answer, effect } = await call('bob', 'read_graph');
    assert.equal(effect, 'redact');
    assert.ok(!JSON.stringify(answer).includes('erin.walker@'));
    assert.ok(answer.result.structuredContent !== undefined);
    const missing = await call('alice', 'read_text_file', { path: 'erin.walker@example.com' });
    assert.equal(missing.isError, true);
    assert.ok(!JSON.stringify(missing.answer).includes('erin.walker@'), missing.text);
  });

  it('opens resources and prompts by grant', async () => {
    const [alice, bob] = [await agentOf('alice'), await agentOf('bob')];
    const { resources } = (await alice.request('resources/list')).result as { resources: { uri: string }[] };
    const [first] = resources;
    assert.ok(first !== undefined);
    assert.ok((await alice.request('resources/read', { uri: first.uri })).result.contents.length > 0);
    assert.deepEqual((await bob.request('resources/list')).result.resources, []);
    const refused = (await bob.request('resources/read', { uri: first.uri })).error;
    assert.deepEqual([refused.code, refused.message.startsWith('denied by policy: no rule allows this')], [4030, true]);
    const prompts = async (agent: RawAgent): Promise<string[]> =>
      ((await agent.request('prompts/list')).result.prompts as { name: string }[]).map((prompt) => prompt.name);
    assert.ok((await prompts(alice)).length > 1);
    assert.deepEqual(await prompts(bob), ['simple-prompt']);
  });

  it('stops an agent that makes the same call again and again', async () => {
    const args = { message: 'again' };
    const effects: string[] = [];
    for (let turn = 0; turn < 9; turn++) effects.push((await call('alice', 'echo', args)).effect);
    assert.deepEqual(effects, [...Array.from({ length: 8 }, () => 'allow'), 'deny']);
    const { rules, text } = await call('alice', 'echo', args);
    assert.deepEqual(rules, ['limits/loop']);
    assert.match(text, /the same call was just made too many times \(its answer will not change/);
    assert.equal((await call('alice', 'echo', { message: 'something else' })).effect, 'allow');
  });

  it('slows down an identity that makes too many calls', async () => {
    const sofia = await agentOf('sofia');
    const notes: Record<string, unknown>[] = [];
    for (let turn = 0; turn < 125; turn++) notes.push(told(await sofia.call('get-sum', { a: turn, b: 1 })).note);
    const denied = notes.filter((note) => note['effect'] === 'deny');
    assert.equal(denied.length, 5);
    assert.deepEqual(denied[0]?.['reasons'], [
      { rule: 'limits/rate', message: 'too many calls in a minute', hint: 'wait a minute, then go on more slowly' },
    ]);
  });

  it('sends nothing out once private data was read: not in a new session, not after a restart', async () => {
    const send = (message: string) => call('alice', 'echo', { message });
    assert.equal((await send('before')).effect, 'allow');
    assert.match((await call('alice', 'read_text_file', { path: 'private/salaries.csv' })).text, /91000/);
    const refused = await send('name,salary');
    assert.deepEqual([refused.effect, refused.rules], ['deny', ['flow/private_then_egress']]);
    agents.delete('alice');
    assert.deepEqual((await send('a new session')).rules, ['flow/private_then_egress']);
    await gateway.close();
    gateway = await application.startGateway({ configPath: setup.configPath, env: process.env });
    agents.clear();
    assert.deepEqual((await send('after a restart')).rules, ['flow/private_then_egress']);
    // Everything else still works.
    assert.equal((await call('alice', 'read_text_file', { path: 'welcome.md' })).effect, 'allow');
  });
});
