import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestJson } from '../../src/model/digest.ts';
import type { JsonObject } from '../../src/model/json.ts';
import type { Catalogue, CatalogueEntry } from '../../src/upstream/catalogue.ts';
import { CatalogueTool } from '../../src/upstream/catalogue-tool.ts';
import { buildEndpoint, type EndpointOptions } from '../../src/upstream/endpoint.ts';
import { noFindings } from '../../src/upstream/item-findings.ts';
import { uriTemplateTest } from '../../src/upstream/uri-template.ts';

const schema = {
  type: 'object',
  properties: { path: { type: 'string' }, mode: { type: 'string' }, limit: { type: 'integer' } },
  required: ['path', 'mode'],
  additionalProperties: false,
};

function entry(name: string, tools: readonly (string | JsonObject)[], more: Partial<CatalogueEntry> = {}): [string, CatalogueEntry] {
  const listed = tools.map(
    (tool) => (typeof tool === 'string' ? { name: tool, description: `${tool} of ${name}`, inputSchema: schema } : tool) as JsonObject,
  );
  const built = listed.map(
    (definition) =>
      new CatalogueTool(
        name,
        { name: definition['name'] as string, definition, digest: digestJson(definition), unusable: undefined },
        ['l'],
        { pinned: true, quarantined: undefined },
        [],
      ),
  );
  const handshake = {
    protocolVersion: '2025-11-25',
    serverInfo: {},
    capabilities: { tools: {}, resources: { subscribe: true }, prompts: {} },
    instructions: undefined,
  };
  return [
    name,
    {
      name,
      handshake,
      instructions: undefined,
      tools: new Map(built.map((tool) => [tool.name, tool])),
      resources: [],
      resourceTemplates: [],
      prompts: [],
      findings: noFindings,
      readAtMs: 0,
      problems: [],
      ...more,
    },
  ];
}
const catalogue = (...entries: [string, CatalogueEntry][]): Catalogue => ({ revision: 3, upstreams: new Map(entries) });
const all = (...names: string[]): EndpointOptions => ({
  name: 'e',
  upstreams: names.map((upstream) => ({ upstream })),
  rename: [],
  variants: [],
});

test('names are plain, and prefixed only where two upstreams have the same', () => {
  const view = buildEndpoint(catalogue(entry('a', ['search', 'only_a']), entry('b', ['search', 'only_b'])), all('a', 'b'));
  assert.deepEqual([...view.tools.keys()], ['a_search', 'only_a', 'b_search', 'only_b']);
  assert.deepEqual([view.resolveTool('b_search')!.upstream, view.resolveTool('b_search')!.name], ['b', 'search']);
  assert.equal(view.resolveTool('search'), undefined);
  assert.equal(view.resolveTool('b_search')!.definition['name'], 'b_search');
  assert.deepEqual(view.quarantined, []);
});

for (const [title, left, right] of [
  ['case', 'Search', 'search'],
  ['l and 1', 'mai1', 'mail'],
  ['O and 0', 'send_O', 'send_0'],
  ['- and _', 'get-sum', 'get_sum'],
] as const) {
  test(`names that differ only by ${title} are both kept back with a reason`, () => {
    const view = buildEndpoint(catalogue(entry('a', [left, 'other']), entry('b', [right])), all('a', 'b'));
    assert.deepEqual([...view.tools.keys()], ['other']);
    assert.deepEqual(
      view.quarantined.map(({ upstream, name }) => [upstream, name]),
      [
        ['a', left],
        ['b', right],
      ],
    );
    assert.match(view.quarantined[0]!.reason, /looks like/);
  });
}

test('a name in other letters is kept back; one with strange characters or too long is repaired', () => {
  const long = 'x'.repeat(100);
  const view = buildEndpoint(catalogue(entry('a', ['sеarch', 'a b/c', long])), all('a'));
  assert.deepEqual(
    view.quarantined.map(({ name }) => name),
    ['sеarch'],
  );
  const [spaced, shortened] = [...view.tools.keys()];
  assert.equal(spaced, 'a_b_c');
  assert.match(shortened!, /^x{51}_[0-9a-f]{8}$/);
  assert.equal(view.resolveTool(shortened!)!.name, long);
});

test('a name that is another’s in other letters is kept back, and the other is named', () => {
  const view = buildEndpoint(catalogue(entry('a', ['search']), entry('b', ['sеarch'])), all('a', 'b'));
  assert.deepEqual([...view.tools.keys()], ['search']);
  assert.match(view.quarantined[0]?.reason ?? '', /looks like `search` of `a`/);
});

test('names of the gateway’s own tools, and those that look like them, are nobody’s where tools are searched', () => {
  const search = { results: 5, maxResults: 10 };
  const joined = catalogue(entry('a', ['find_tool', 'ca11-tool', 'other']));
  const view = buildEndpoint(joined, { ...all('a'), toolSearch: search });
  assert.deepEqual([...view.tools.keys()], ['other']);
  assert.deepEqual(
    view.quarantined.map(({ name }) => name),
    ['find_tool', 'ca11-tool'],
  );
  assert.deepEqual([...buildEndpoint(joined, all('a')).tools.keys()], ['find_tool', 'ca11-tool', 'other']);
});

test('an output schema that is not an object’s is kept apart for those who know such', () => {
  const definition = { name: 'count', inputSchema: { type: 'object' }, outputSchema: { type: 'integer' } };
  const tool = buildEndpoint(catalogue(entry('a', [definition])), all('a')).resolveTool('count');
  assert.equal(tool?.definition['outputSchema'], undefined);
  assert.deepEqual(tool?.modernOutputSchema, { type: 'integer' });
});

test('whatever names upstreams choose: each exposed one is short, plain, alone, and leads to one tool', () => {
  const name = fc.oneof(
    fc.constantFrom('search', 'Search', 'get-sum', 'get_sum', 'a_search', 'l', '1'),
    fc.string({ minLength: 1, maxLength: 90 }),
  );
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 8 }), fc.uniqueArray(name, { maxLength: 8 }), (left, right) => {
      const view = buildEndpoint(catalogue(entry('a', left), entry('b', right)), all('a', 'b'));
      const keys = [...view.tools.keys()];
      for (const key of keys) assert.match(key, /^[A-Za-z0-9_.-]{1,60}$/);
      assert.equal(new Set(keys.map((key) => key.toLowerCase())).size, keys.length);
      assert.equal(new Set([...view.tools.values()].map((tool) => `${tool.upstream}\n${tool.name}`)).size, keys.length);
      assert.equal(keys.length + view.quarantined.length, left.length + right.length);
      const swapped = buildEndpoint(catalogue(entry('b', right), entry('a', left)), all('b', 'a'));
      assert.deepEqual([...swapped.tools.keys()].sort(), keys.sort());
    }),
  );
});

test('allow patterns, exclusions and renames', () => {
  const view = buildEndpoint(catalogue(entry('a', ['read_file', 'read_dir', 'write_file', 'move'])), {
    ...all('a'),
    upstreams: [{ upstream: 'a', tools: ['read_*', 'm*ve', 'write'], exclude: ['*_dir'] }],
    rename: [{ upstream: 'a', tool: 'move', as: 'relocate', title: 'T', description: 'D' }],
  });
  assert.deepEqual([...view.tools.keys()], ['read_file', 'relocate']);
  assert.deepEqual(view.resolveTool('relocate')!.definition, { name: 'relocate', title: 'T', description: 'D', inputSchema: schema });
});

test('a chosen name wins over an upstream’s look-alike; two equal chosen names are both kept back', () => {
  const rename = [{ upstream: 'a', tool: 'x', as: 'search' }];
  const view = buildEndpoint(catalogue(entry('a', ['x']), entry('b', ['search', 'Search'])), { ...all('a', 'b'), rename });
  assert.deepEqual(
    [...view.tools].map(([name, tool]) => [name, tool.upstream]),
    [
      ['search', 'a'],
      ['b_search', 'b'],
    ],
  );
  const clash = buildEndpoint(catalogue(entry('a', ['x', 'y'])), {
    ...all('a'),
    rename: [...rename, { upstream: 'a', tool: 'y', as: 'search' }],
  });
  assert.deepEqual([[...clash.tools.keys()], clash.quarantined.length], [[], 2]);
});

test('a restricted variant lists, checks and sends less than its tool', () => {
  const variant = {
    upstream: 'a',
    tool: 'write',
    as: 'append_log',
    description: 'D',
    pin: { mode: 'append' },
    narrow: { path: { pattern: '^logs/' }, limit: { maximum: 5, default: 5 } },
  };
  const view = buildEndpoint(catalogue(entry('a', ['write'])), {
    ...all(),
    upstreams: [{ upstream: 'a', tools: [] }],
    variants: [variant],
  });
  assert.deepEqual([...view.tools.keys()], ['append_log']);
  const tool = view.resolveTool('append_log')!;
  assert.deepEqual(tool.definition['inputSchema'], {
    ...schema,
    properties: { path: { type: 'string', pattern: '^logs/' }, limit: { type: 'integer', maximum: 5, default: 5 } },
    required: ['path'],
  });
  assert.equal(tool.validate({ path: 'logs/a' }), undefined);
  assert.deepEqual(tool.prepare({ path: 'logs/a' }), { path: 'logs/a', limit: 5, mode: 'append' });
  for (const [bad, words] of [
    [{ path: 'logs/a', mode: 'append' }, /`mode` is fixed here/],
    [{ path: 'etc/passwd' }, /`\/path`: .*pattern/],
    [{}, /`path` is missing/],
    [{ path: 'logs/a', limit: 6 }, /`\/limit`: .*<= 5/],
    [{ path: 'logs/a', limit: 1.5 }, /`\/limit` must be integer/],
    [{ path: 'logs/a', other: 1 }, /additional properties `other`/],
  ] as const)
    assert.match(tool.validate(bad)!, words, JSON.stringify(bad));
  const broken = buildEndpoint(catalogue(entry('a', ['write'])), {
    ...all('a'),
    variants: [{ ...variant, narrow: { path: { type: 'nope' } } }],
  });
  assert.match(broken.quarantined[0]!.reason, /narrows `path` is broken/);
});

test('an output schema that would break older clients is left out, a plain one stays', () => {
  const tools = [
    { name: 'a', inputSchema: { type: 'object' }, outputSchema: { type: 'array' } },
    { name: 'b', inputSchema: {}, outputSchema: { type: 'object' } },
  ];
  const view = buildEndpoint(catalogue(entry('a', tools)), all('a'));
  assert.deepEqual(
    [...view.tools.values()].map((tool) => tool.definition),
    [
      { name: 'a', inputSchema: { type: 'object' } },
      { name: 'b', inputSchema: { type: 'object' }, outputSchema: { type: 'object' } },
    ],
  );
});

test('resources are found exactly, then by template, then where only one upstream has any', () => {
  const one = entry('a', [], { resources: [{ uri: 'file:///x' }], resourceTemplates: [{ uriTemplate: 'note://{id}' }] });
  const two = entry('b', [], {
    resources: [{ uri: 'file:///x' }, { uri: 'note://7' }],
    resourceTemplates: [{ uriTemplate: 'log://{+path}{?q}' }],
  });
  const view = buildEndpoint(catalogue(one, two), all('a', 'b'));
  assert.equal(view.resolveResource('file:///x'), 'a');
  assert.equal(view.resolveResource('note://7'), 'b');
  assert.equal(view.resolveResource('note://8'), 'a');
  assert.equal(view.resolveResource('note://{id}'), 'a');
  assert.equal(view.resolveResource('log://a/b?q=1'), 'b');
  assert.equal(view.resolveResource('other://x'), undefined);
  assert.equal(buildEndpoint(catalogue(one, two), all('a')).resolveResource('other://x'), 'a');
  assert.deepEqual(
    view.resources.map(({ name, server }) => [name, server]),
    [
      ['file:///x', 'a'],
      ['note://7', 'b'],
    ],
  );
  assert.equal(view.quarantined.length, 1);
});

test('prompts, capabilities, instructions and who can take a method', () => {
  const handshake = { protocolVersion: '2025-11-25', serverInfo: {}, capabilities: { logging: {}, prompts: {} }, instructions: 'be nice' };
  const view = buildEndpoint(
    catalogue(entry('a', [], { prompts: [{ name: 'p' }, { name: 'q' }] }), entry('b', [], { prompts: [{ name: 'p' }], handshake })),
    all('a', 'b'),
  );
  assert.deepEqual(
    view.prompts.map(({ name }) => name),
    ['a_p', 'q', 'b_p'],
  );
  assert.equal(view.resolvePrompt('b_p')?.upstream, 'b');
  assert.equal(view.resolvePrompt('b_p')?.name, 'p');
  assert.deepEqual(view.resolvePrompt('b_p')?.item, { kind: 'prompt', server: 'b', name: 'p', exposed_name: 'b_p' });
  assert.deepEqual(view.capabilities, {
    tools: { listChanged: true },
    resources: { listChanged: true, subscribe: true },
    prompts: { listChanged: true },
    logging: {},
  });
  assert.deepEqual(view.instructions.from, ['b']);
  assert.equal(
    view.instructions.of(() => true),
    'be nice',
  );
  assert.equal(
    view.instructions.of((upstream) => upstream === 'a'),
    undefined,
  );
  assert.deepEqual(view.upstreamsFor('logging/setLevel'), ['b']);
  assert.deepEqual(view.upstreamsFor('notifications/roots/list_changed'), ['a', 'b']);
});

test('template matching', () => {
  for (const [template, uri, expected] of [
    ['a://{x}', 'a://', false],
    ['a://{x}', 'a://b', true],
    ['a://{x}', 'a://b/c', false],
    ['a://{x}/{y}', 'a://b/c', true],
    ['a://{x}-{y}.txt', 'a://b-c-d.txt', true],
    ['a://{+x}', 'a://b/c?d', true],
    ['a://{+x}', 'a://', true],
    ['a://b{?q}', 'a://b', true],
    ['a://b{/p*}', 'a://b/c/d', true],
    ['a://b', 'a://bc', false],
    ['a://{x', 'a://{x', true],
    ['', 'a', false],
  ] as const)
    assert.equal(uriTemplateTest(template)(uri), expected, `${template} ${uri}`);
  const startMs = performance.now();
  uriTemplateTest('{+a}x'.repeat(50))('x'.repeat(8_000) + 'y');
  assert.ok(performance.now() - startMs < 1_000);
});
