import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { coverByTraffic } from '../../src/app/traffic-coverage.ts';
import type { TrafficCoverage } from '../../src/replay/traffic-coverage.ts';
import { unusedGrants } from '../../src/replay/unused-grants.ts';
import { Releases, root, shippedFiles } from './releases.ts';
import { exportFile } from './export-file.ts';
import { person, Recorder, tool } from './traffic.ts';

describe('coverage by traffic', () => {
  let folder: string;
  let found: TrafficCoverage;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'castellan-coverage-'));
    const releases = new Releases();
    const engine = await releases.engine(await releases.of(await shippedFiles()));
    const recorder = new Recorder(engine);
    const alice = person('alice', ['engineering']);
    for (let turn = 0; turn < 5; turn++) {
      await recorder.call(alice, tool('memory', 'read_graph', { annotations: { readOnlyHint: true } }), { turn });
      await recorder.call(alice, tool('memory', 'odd_tool', { labels: ['read'] }), { turn });
      await recorder.call(alice, tool('files', 'read_file', { labels: ['read'] }), { path: '../up' });
    }
    await engine.close();
    await releases.close();
    await writeFile(join(folder, 'traffic.jsonl'), exportFile(recorder.recorded, recorder.windowMs));
    const traffic = { from: join(folder, 'traffic.jsonl'), env: {} };
    found = await coverByTraffic({ traffic, policy: join(root, 'policies'), maxClasses: 100 });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('tells rules that spoke from rules that did not', () => {
    const silent = new Set(found.silent_rules.map(({ rule }) => rule));
    for (const rule of ['access/tool_grant', 'arguments/path']) assert.equal(silent.has(rule), false, rule);
    for (const rule of ['arguments/sql_read_only', 'flow/private_then_egress', 'limits/counted'])
      assert.equal(silent.has(rule), true, rule);
    assert.ok(found.spoke.some(({ rule, count }) => rule === 'arguments/path' && count === 5));
  });

  test('names the lines that no call touched, and only those', async () => {
    const files = await shippedFiles();
    const rows = (file: string): readonly (readonly [number, number])[] => found.untouched.find((one) => one.file === file)?.rows ?? [];
    const line = (file: string, text: string): number => (files[file] ?? '').split('\n').findIndex((one) => one.includes(text)) + 1;
    const untouched = (file: string, text: string): boolean =>
      rows(file).some(([from, to]) => from <= line(file, text) && line(file, text) <= to);
    assert.equal(untouched('rules/flow/private_then_egress.rego', 'label in input.session.labels'), true);
    assert.equal(untouched('rules/access/tool_grant.rego', 'some grant in grants.here'), false);
    assert.ok(found.lines.percent > 5 && found.lines.percent < 95);
  });

  test('names tools in use that nothing names, and grants that nobody used', () => {
    assert.deepEqual(
      found.unnamed_tools.find(({ tool: name }) => name === 'memory/odd_tool'),
      { tool: 'memory/odd_tool', calls: 5 },
    );
    assert.equal(
      found.unnamed_tools.some(({ tool: name }) => name === 'memory/read_graph'),
      false,
    );
    const unused = found.unused_grants.map(({ group, server, grant }) => `${group} ${server} ${grant}`);
    assert.ok(unused.includes('support memory tools.read_graph'));
    assert.ok(unused.includes('engineering everything completion'));
    assert.equal(unused.includes('engineering memory tools.*'), false);
  });
});

test('a grant is used by name, by prefix, or by a member of the very group', () => {
  const data = { grants: { a: { s: { tools: { x: true, y: true, z: false }, tool_prefixes: ['re', 'wr'], resources: ['db://'] } } } };
  const use = (name: string, groups = ['a'], kind = 'tool') => ({ groups, kind, server: 's', name, count: 1 });
  const unused = unusedGrants(data, [use('x'), use('read'), use('y', ['b'])]).map(({ grant }) => grant);
  assert.deepEqual(unused, ['tools.y', 'tool_prefixes.wr', 'resources.db://']);
});
