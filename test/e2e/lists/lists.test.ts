import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { RawAgent } from '../../support/gateway.ts';
import { ModernAgent } from '../modern/modern-agent.ts';
import { Listening } from '../transport/listening.ts';
import { startRig, until, type Rig } from '../transport/rig.ts';
import { combining, edit } from '../policy/support.ts';

const rule = (hidden: string): string => `package rules.test.lists

allow contains "fine" if input.phase != "result"

deny contains "hidden" if {
	input.tool.name == "${hidden}"
	"support" in input.identity.groups
}

deny contains "euros only" if {
	"support" in input.identity.groups
	input.arguments.currency != "EUR"
}
`;
const tool = (name: string, more: object = {}): object => ({
  name,
  description: `does ${name}`,
  inputSchema: { type: 'object', properties: { currency: { type: 'string' } } },
  ...more,
});

describe('lists', { concurrency: false, timeout: 120_000 }, () => {
  let rig: Rig;
  let agent: RawAgent;
  let listening: Listening;
  before(async () => {
    rig = await startRig({
      policy: combining({ 'test/lists.rego': rule('read') }),
      prepare: (upstream) => {
        upstream.tools = [
          tool('echo'),
          tool('read'),
          tool('count', { outputSchema: { type: 'integer' } }),
          tool('sum', { outputSchema: { type: 'object', properties: { total: { type: 'number' } } } }),
          tool('еcho'),
          tool('x'.repeat(90)),
        ];
      },
    });
    // It listens before anybody lists: what narrows may be known at once.
    agent = await rig.agent({ subject: 'bob' });
    listening = await Listening.open(agent);
  });
  after(() => rig.close());

  it('show each identity its own, and are asked of policy once for those alike', async () => {
    const names = async (subject: string): Promise<string[]> => {
      const lister = await rig.agent({ subject });
      const { result } = (await lister.request('tools/list')) as { result: { tools: { name: string }[] } };
      return result.tools.map(({ name }) => name);
    };
    const seq = await rig.lastSeq();
    const long = (await names('alice')).at(-1) ?? '';
    assert.match(long, /^x{51}_[0-9a-f]{8}$/, 'a name that clients refuse is shortened');
    assert.deepEqual(await names('alice'), ['echo', 'read', 'count', 'sum', long], 'a name in look-alike letters is kept back');
    assert.deepEqual(await names('bob'), ['echo', 'count', 'sum', long]);
    assert.deepEqual(await names('bob'), ['echo', 'count', 'sum', long]);
    const records = (await rig.recordsAfter(seq, 100)).filter(({ what }) => what?.method === 'tools/list');
    assert.deepEqual(
      records.map(({ who, decision }) => [who?.subject, decision?.effect, decision?.took_ms === 0]),
      [
        ['alice', 'allow', false],
        ['alice', 'allow', true],
        ['bob', 'allow', false],
        ['bob', 'allow', true],
      ],
      'each list is recorded, asked or not',
    );
  });

  it('leave out an output schema that clients of these revisions refuse the whole list for', async () => {
    const alice = await rig.agent();
    const { result } = (await alice.request('tools/list')) as { result: { tools: { name: string; outputSchema?: object }[] } };
    const schemas = Object.fromEntries(result.tools.map(({ name, outputSchema }) => [name, outputSchema]));
    assert.equal(schemas['count'], undefined);
    assert.deepEqual(schemas['sum'], { type: 'object', properties: { total: { type: 'number' } } });
    const modern = await (await ModernAgent.of(rig)).send('tools/list');
    const own = (modern.json.result.tools as { name: string; outputSchema?: object }[]).find(({ name }) => name === 'count');
    assert.deepEqual(own?.outputSchema, { type: 'integer' }, 'an agent of 2026-07-28 knows such');
    assert.deepEqual([modern.json.result.cacheScope, modern.json.result.ttlMs], ['private', 0]);
  });

  it('that change are announced: upstream, release, configuration, and what is found to narrow', async () => {
    let seen = 0;
    const changed = async (what: string): Promise<void> => {
      await until(() => listening.methods().slice(seen).includes('notifications/tools/list_changed'), what);
      seen = listening.messages.length;
    };
    const currency = async (): Promise<unknown> => {
      const { result } = (await agent.request('tools/list')) as {
        result: { tools: { name: string; inputSchema: { properties: { currency: unknown } } }[] };
      };
      return result.tools.find(({ name }) => name === 'echo')?.inputSchema.properties.currency;
    };
    await currency();
    await until(async () => JSON.stringify(await currency()) === '{"type":"string","enum":["EUR"]}', 'a narrowed list', 30_000);
    await changed('what is found to narrow');
    rig.upstream.tools = [...rig.upstream.tools, tool('another')];
    await rig.agent().then((other) => other.call('echo', { text: 'opens the session' }));
    rig.upstream.push({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    await changed('an upstream');
    await edit(rig.gateway, 'rules/test/lists.rego', () => rule('echo'));
    await changed('a release');
    const { configPath } = rig.gateway;
    writeFileSync(
      configPath,
      readFileSync(configPath, 'utf8').replace(/^ {2}main: .*$/m, '  main: { upstreams: [{ name: rec, exclude: [sum] }] }'),
    );
    await changed('the configuration');
    listening.close();
  });
});
