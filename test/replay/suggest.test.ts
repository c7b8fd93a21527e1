import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { suggest } from '../../src/app/suggest.ts';
import type { SuggestAnswer } from '../../src/cli/replay-tools.ts';
import type { RecordedDecision } from '../../src/model/recorded.ts';
import { readPolicySource } from '../../src/release/policy-source.ts';
import { argumentBounds } from '../../src/replay/suggest/argument-bounds.ts';
import { leastGrants } from '../../src/replay/suggest/least-grants.ts';
import { readUse, type Observed } from '../../src/replay/suggest/observed-use.ts';
import { exportFile } from './export-file.ts';
import { Releases, root, shippedFiles } from './releases.ts';
import { inMemory, person, Recorder, tool } from './traffic.ts';

const alice = person('alice', ['engineering', 'everyone']);
const bob = person('bob', ['support', 'everyone']);
const carol = person('carol', ['engineering', 'everyone']);
const dave = person('dave', ['everyone', 'guests']);
const readGraph = tool('memory', 'read_graph', { annotations: { readOnlyHint: true }, labels: ['read'] });
const readFileTool = tool('files', 'read_file', { labels: ['read'] });
const deploy = tool('ops', 'deploy', { labels: ['write', 'read'] });

describe('what is suggested from observed traffic', () => {
  const releases = new Releases();
  let folder: string;
  let recorder: Recorder;
  let answer: SuggestAnswer;
  let recorded: readonly RecordedDecision[];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'castellan-suggest-'));
    const engine = await releases.engine(await releases.of(await shippedFiles()));
    recorder = new Recorder(engine);
    for (let turn = 0; turn < 40; turn++) {
      await recorder.call(turn % 2 === 0 ? alice : carol, readFileTool, {
        path: `reports/2026/${turn}.txt`,
        mode: turn % 4 < 2 ? 'text' : 'lines',
        limit: turn,
      });
      await recorder.call(alice, readFileTool, { path: `reports/2026/x${turn}.txt`, mode: 'text', limit: turn });
      await recorder.call(bob, readGraph, { turn });
      // Nothing in the shipped data grants this server: it goes on only where it is observed.
      await recorder.call(dave, deploy, { turn });
      recorder.later(30_000);
    }
    await engine.close();
    recorded = recorder.recorded.map((one) =>
      one.record.decision === undefined
        ? one
        : { ...one, record: { ...one.record, decision: { ...one.record.decision, enforced: false } } },
    );
    await writeFile(join(folder, 'traffic.jsonl'), exportFile(recorded, recorder.windowMs));
    answer = await suggest({
      traffic: { from: join(folder, 'traffic.jsonl'), env: {} },
      policy: join(root, 'policies'),
      tests: join(root, 'policy-tests'),
      output: join(folder, 'out'),
      workers: 1,
    });
  });
  after(async () => {
    await releases.close();
    await rm(folder, { recursive: true, force: true });
  });

  const out = (name: string): Promise<string> => readFile(join(folder, 'out', name), 'utf8');

  test('no call that went on would be denied, and what was only observed would be allowed', () => {
    assert.equal(answer.replay.kinds.newly_denied, 0);
    assert.equal(answer.replay.kinds.newly_allowed + answer.replay.kinds.newly_needing_approval, 40);
    assert.equal(answer.replay.replayed, recorded.length);
  });

  test('grants are through the narrowest group that covers the users', async () => {
    const data = JSON.parse(await out('policies/observed/data.json')) as {
      groups: Record<string, Record<string, { tools: Record<string, boolean> }>>;
    };
    assert.deepEqual(data.groups, {
      engineering: { files: { tools: { read_file: true } } },
      guests: { ops: { tools: { deploy: true } } },
      support: { memory: { tools: { read_graph: true } } },
    });
  });

  test('arguments with few values, or in one folder, are bounded; numbers are not', async () => {
    const { arguments: bounds } = JSON.parse(await out('policies/observed/data.json')) as { arguments: unknown };
    assert.deepEqual(bounds, { files: { read_file: { path: { begins: 'reports/2026/' }, mode: { one_of: ['lines', 'text'] } } } });
  });

  test('its Rego is formatted, passes the strict check and its own tests, alone and in the repository', async () => {
    assert.ok(answer.tests >= 8);
    const own = await readPolicySource(join(folder, 'out/policies'), join(folder, 'out/policy-tests'));
    for (const { file, changed } of await releases.opa.format({ ...own.files, ...own.tests })) assert.equal(changed, false, file);
    const shipped = await readPolicySource(join(root, 'policies'), undefined);
    const files = { ...shipped.files, ...own.files };
    const { errors } = await releases.opa.check({
      files,
      schemas: shipped.schemas,
      strict: true,
      ...(shipped.capabilities === undefined ? {} : { capabilities: shipped.capabilities }),
    });
    assert.deepEqual(errors, []);
    const under = (name: string, texts: Readonly<Record<string, string>>): Record<string, string> =>
      Object.fromEntries(Object.entries(texts).map(([path, text]) => [`${name}/${path}`, text]));
    const tested = await releases.opa.test({
      files: { ...under('policies', files), ...under('policy-tests', own.tests) },
      paths: ['policies', 'policy-tests'],
    });
    assert.equal(tested.exit_code, 0, tested.text);
  });

  test('the rest is refused: other tools, other people, other values', async () => {
    const files = await shippedFiles();
    const own = await readPolicySource(join(folder, 'out/policies'), undefined);
    const engine = await releases.engine(await releases.of({ ...files, ...own.files }));
    const strict = new Recorder(engine);
    assert.equal((await strict.call(alice, readFileTool, { path: 'reports/2026/new.txt', mode: 'text' })).effect, 'allow');
    for (const [who, what, args] of [
      [alice, readFileTool, { path: 'salaries.txt', mode: 'text' }],
      [alice, readFileTool, { path: 'reports/2026/%2e%2e/x', mode: 'text' }],
      [alice, readFileTool, { path: 'reports/2026/new.txt', mode: 'binary' }],
      [bob, readFileTool, { path: 'reports/2026/new.txt', mode: 'text' }],
      [alice, tool('files', 'write_file', { labels: ['write', 'read'] }), { path: 'reports/2026/new.txt' }],
    ] as const)
      assert.equal((await strict.call(who, what, args)).effect, 'deny', JSON.stringify([who.subject, what.name, args]));
    await engine.close();
  });

  test('its README says what was seen and what was not', async () => {
    const text = await out('README.md');
    for (const words of [
      'Nothing that went on would be denied',
      '`support`: 1 tools of `memory`',
      'went on only because their endpoint observes',
      'golden cases',
    ])
      assert.ok(text.toLowerCase().includes(words.toLowerCase()), words);
    assert.match(await out('replay.html'), /Content-Security-Policy/);
  });

  test('a folder that holds something is left alone', async () => {
    const again = suggest({ traffic: { from: join(folder, 'traffic.jsonl'), env: {} }, tests: 'none', output: join(folder, 'out') });
    await assert.rejects(again, /is not empty/);
  });

  test('tokens are refused: names and values would be theirs', async () => {
    const path = join(folder, 'tokens.jsonl');
    await writeFile(path, exportFile(recorded, 0).replace('"tokenised":false', '"tokenised":true'));
    const asked = suggest({
      traffic: { from: path, env: {} },
      policy: join(root, 'policies'),
      tests: 'none',
      output: join(folder, 'out2'),
    });
    await assert.rejects(asked, /has tokens for names and values/);
  });

  test('what one person alone sends is never a bound, and a refused call grants nothing', async () => {
    const observed = await readUse(inMemory(recorder.recorded), { tenant: '' });
    assert.equal(
      observed.usages.some(({ server }) => server === 'ops'),
      false,
    );
    assert.equal(observed.refused, 40);
    const alone: Observed = {
      ...observed,
      usages: observed.usages.map((usage) => ({ ...usage, people: new Map([...usage.people].slice(0, 1)) })),
    };
    assert.deepEqual(argumentBounds(alone), {});
  });
});

test('who has no group is granted by name', () => {
  const nobody = { issuer: 'https://idp', subject: 'svc', groups: [] };
  const usage = { kind: 'tool', server: 's', name: 't', count: 1, people: new Map([['x', nobody]]), values: new Map() } as const;
  assert.deepEqual(leastGrants({ usages: [usage], groups: new Map() }), {
    groups: {},
    subjects: { 'https://idp': { svc: { s: { tools: { t: true } } } } },
  });
});
