import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startRig, type Rig } from '../transport/rig.ts';
import { combining, told } from '../policy/support.ts';

const rule = `package rules.test.search

allow contains "fine" if input.phase == "call"

visible contains "for its group" if input.phase == "list"

deny contains "not yours" if {
	startswith(input.tool.name, "refund_")
	not "engineering" in input.identity.groups
}
`;

interface Found {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: object;
}

describe('tool search', { concurrency: false, timeout: 120_000 }, () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({
      policy: combining({ 'test/search.rego': rule }),
      endpoints: '  main: { upstreams: [{ name: rec }], tool_search: { enabled: true, results: 5, max_results: 20 } }',
      prepare: (upstream) => {
        upstream.tools = Array.from({ length: 300 }, (_none, at) => {
          const [verb = '', words = ''] = [
            ['refund', 'Gives money back to a customer'],
            ['create', 'Opens a ticket about a problem'],
            ['list', 'Shows invoices of a month'],
          ][at % 3] as string[];
          const properties = { amount: { type: 'number', maximum: 100 } };
          return {
            name: `${verb}_item_${String(at)}`,
            description: `${words}, number ${String(at)}.`,
            inputSchema: { type: 'object', properties },
          };
        });
        upstream.tools.push({ name: 'find_tool', inputSchema: { type: 'object' } }, { name: 'ca11_tool', inputSchema: { type: 'object' } });
      },
    });
  });
  after(() => rig.close());

  const find = async (subject: string, args: object): Promise<Found[]> => {
    const answer = await (await rig.agent({ subject })).call('find_tool', args);
    assert.equal(answer.result?.isError, undefined, JSON.stringify(answer));
    return answer.result.structuredContent.tools as Found[];
  };

  it('offers two tools in place of 300', async () => {
    const agent = await rig.agent();
    const { result } = await agent.request('tools/list');
    assert.deepEqual(
      result.tools.map(({ name }: Found) => name),
      ['find_tool', 'call_tool'],
    );
  });

  it('finds by words of names and descriptions, as many as are asked for', async () => {
    const found = await find('alice', { query: 'give money back' });
    assert.equal(found.length, 5);
    for (const { name, description, inputSchema } of found) {
      assert.match(name, /^refund_item_/);
      assert.match(description, /money back/);
      assert.deepEqual(inputSchema, { type: 'object', properties: { amount: { type: 'number', maximum: 100 } } });
    }
    assert.equal((await find('alice', { query: 'invoices', limit: 20 })).length, 20);
    assert.equal((await find('alice', { query: 'item 17' }))[0]?.name, 'list_item_17');
    assert.deepEqual(await find('alice', { query: 'zebra' }), []);
  });

  it('finds nothing that a list would not show, and records the search under its own name', async () => {
    const seq = await rig.lastSeq();
    assert.deepEqual(await find('bob', { query: 'refund money back', limit: 20 }), []);
    const record = (await rig.recordsAfter(seq)).find(({ what }) => what?.method === 'tools/call');
    assert.deepEqual([record?.what?.name, record?.what?.server, record?.decision?.effect], ['find_tool', null, 'allow']);
  });

  it('calls as the very tool: its schema, its decision, its record', async () => {
    const alice = await rig.agent();
    const done = await alice.call('call_tool', { name: 'refund_item_0', arguments: { amount: 7 } });
    assert.equal(told(done).text, '{"amount":7}');
    const [sent] = rig.upstream.calls('tools/call').slice(-1);
    assert.deepEqual([sent?.message.params.name, sent?.message.params.arguments], ['refund_item_0', { amount: 7 }]);
    assert.match(told(await alice.call('call_tool', { name: 'refund_item_0', arguments: { amount: 101 } })).text, /do not fit its schema/);
    const bob = await rig.agent({ subject: 'bob' });
    const seq = await rig.lastSeq();
    const before = rig.upstream.requests.length;
    assert.match(told(await bob.call('call_tool', { name: 'refund_item_0', arguments: { amount: 7 } })).text, /not yours/);
    assert.match(told(await bob.call('refund_item_0', { amount: 7 })).text, /not yours/, 'the same by its own name');
    assert.deepEqual(
      rig.upstream.requests
        .slice(before)
        .map(({ message }) => message.method)
        .filter((method) => method === 'tools/call'),
      [],
    );
    const records = await rig.recordsAfter(seq);
    assert.deepEqual(
      records.filter(({ what }) => what?.method === 'tools/call').map(({ what, decision }) => [what?.name, what?.server, decision?.effect]),
      [
        ['refund_item_0', 'rec', 'deny'],
        ['refund_item_0', 'rec', 'deny'],
      ],
    );
  });

  it('leads to no tool of an upstream that has the name of one of the two', async () => {
    const alice = await rig.agent();
    for (const [name, args] of [
      ['call_tool', { name: 'call_tool', arguments: { name: 'refund_item_0' } }],
      ['call_tool', { name: 'find_tool', arguments: {} }],
      ['call_tool', { name: 7 }],
      ['call_tool', {}],
      ['call_tool', { name: 'refund_item_0', server: 'x' }],
      ['find_tool', {}],
      ['find_tool', { query: 'x', limit: 21 }],
      ['find_tool', { query: 'x', limit: 0 }],
      ['find_tool', { query: 'x'.repeat(501) }],
      ['find_tool', { query: 'x', more: 1 }],
    ] as const)
      assert.match(told(await alice.call(name, args)).text, /do not fit its schema/, `${name} ${JSON.stringify(args)}`);
    assert.match(told(await alice.call('ca11_tool')).text, /unknown tool/);
    assert.match(told(await alice.call('call_tool', { name: 'nothing' })).text, /unknown tool/);
  });
});
