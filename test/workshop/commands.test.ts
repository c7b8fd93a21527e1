import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { castellan, type Ended } from '../cli/castellan.ts';

const shipped = fileURLToPath(new URL('../../policies', import.meta.url));
const cases = fileURLToPath(new URL('../../policy-tests/cases/access/tool_grant.json', import.meta.url));

let folder = '';
const git = (...args: string[]): void => {
  const author = ['-c', 'user.name=test', '-c', 'user.email=test@example.com', '-c', 'commit.gpgsign=false'];
  execFileSync('git', [...author, ...args], { cwd: folder, stdio: 'ignore' });
};
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-analysis-'));
  await cp(shipped, join(folder, 'policies'), { recursive: true });
  git('init', '-q');
  git('add', '.');
  git('commit', '-q', '-m', 'first');
  const data = await readFile(join(folder, 'policies/data.json'), 'utf8');
  await writeFile(join(folder, 'policies/data.json'), data.replace('"read_graph": true,', '"read_graph": true, "delete_entities": true,'));
  const tools = [
    '- { server: memory, name: read_graph, annotations: { readOnlyHint: true } }',
    '- { server: memory, name: delete_entities, labels: [destructive] }',
  ];
  await writeFile(join(folder, 'tools.yaml'), `${tools.join('\n')}\n`);
  const { tool_grant: golden } = JSON.parse(await readFile(cases, 'utf8')) as { tool_grant: { input: object }[] };
  await writeFile(join(folder, 'input.json'), JSON.stringify(golden[0]?.input));
});
after(() => rm(folder, { recursive: true, force: true }));

const policy = (...args: string[]): Promise<Ended> => castellan(['policy', ...args], { cwd: folder });
const asserted = async (text: string): Promise<Ended> => {
  await writeFile(join(folder, 'statements.yaml'), text);
  return policy('assert', 'statements.yaml', '--tools', 'tools.yaml', '--json');
};

test('explain tells what fired and what was false', async () => {
  const json = await policy('explain', '--input', 'input.json', '--json');
  const explained = JSON.parse(json.stdout) as { fired: { rule: string }[]; decision: { effect: string } };
  assert.deepEqual([explained.decision.effect, explained.fired.map((one) => one.rule)], ['allow', ['access/tool_grant']]);
});

test('explain asks the gateway for a recorded decision where neither `--config` nor `--from` is given', async () => {
  const { code, stderr } = await policy('explain', 'dec_123');
  assert.equal(code, exitCodes.denied);
  assert.match(stderr, /not signed in; run `castellan login --server URL` first/);
});

test('matrix takes roles from a file and writes a page', async () => {
  await writeFile(join(folder, 'roles.yaml'), 'analysts: { groups: [support] }\n');
  const html = await policy('matrix', '--tools', 'tools.yaml', '--roles', 'roles.yaml', '--format', 'html', '--output', 'matrix.html');
  assert.equal(html.code, 0);
  assert.match(await readFile(join(folder, 'matrix.html'), 'utf8'), /<th scope="col">analysts<\/th>/);
});

test('matrix --diff compares a Git revision with a folder', async () => {
  const { code, stdout } = await policy('matrix', '--tools', 'tools.yaml', '--diff', 'HEAD', 'policies', '--json');
  assert.equal(code, 0);
  const { changes } = JSON.parse(stdout) as {
    changes: { role: string; tool: string; before: { effect: string }; after: { effect: string } }[];
  };
  assert.deepEqual(
    changes.map((one) => [one.role, one.tool, one.before.effect, one.after.effect]),
    [['support', 'delete_entities', 'denied', 'needs approval']],
  );
  const wrong = await policy('matrix', '--tools', 'tools.yaml', '--diff', 'no-such-revision', 'policies');
  assert.deepEqual([wrong.code, /`no-such-revision` is no folder, and no Git revision/.test(wrong.stderr)], [2, true]);
});

test('assert exits 0 for what holds, 1 for what is broken, 5 for what is undecided', async () => {
  const statement = (who: string, only: string): string =>
    `version: 1\nstatements:\n  - { name: one, who: { groups: [${who}] }, tools: { labels: [destructive] }, only: [${only}] }\n`;
  const holds = await asserted(statement('contractors', 'deny'));
  assert.equal(holds.code, 0, holds.stderr);
  const broken = await asserted(statement('engineering', 'deny'));
  assert.equal(broken.code, 1);
  const [proof] = (JSON.parse(broken.stdout) as { statements: { counterexample: { effect: string; input: object } }[] }).statements;
  assert.equal(proof?.counterexample.effect, 'require_approval');
  await writeFile(join(folder, 'counterexample.json'), JSON.stringify(proof.counterexample.input));
  const explained = await policy('explain', '--input', 'counterexample.json');
  assert.match(explained.stdout, /^gateway\/call: require_approval\n/);
  assert.match(explained.stdout, /policies\/rules\/access\/prompt_grant\.rego:16 {2}input\.target\.kind == "prompt"/);
  const undecided = await asserted('version: 1\nstatements:\n  - { name: none, tools: { name: x }, only: [deny] }\n');
  assert.equal(undecided.code, 5);
});

test('without tools there is nothing to say', async () => {
  const { code, stderr } = await policy('matrix');
  assert.equal(code, 2);
  assert.match(stderr, /give `--tools` or `--config`/);
});
