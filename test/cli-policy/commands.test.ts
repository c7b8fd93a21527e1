import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Repository } from './repository.ts';

let repository: Repository;
before(async () => (repository = await Repository.open()));
after(() => repository.close());

const badRule = `package rules.billing.typo

denny contains "no" if {
	input.tool.name == "x"
}
`;

test('check: a finding shows its line with a caret, its lint and its cure; a switch puts it out', async () => {
  await repository.with('policies/rules/billing/typo.rego', badRule, async () => {
    const [found, off] = await Promise.all([
      repository.policy('check'),
      repository.policy('check', '--disable', 'known-sets', '--disable', 'unreachable', '--disable', 'metadata', '--disable', 'test-twin'),
    ]);
    assert.equal(found.code, 1);
    assert.match(
      found.stdout,
      /policies\/rules\/billing\/typo\.rego:3:1: error known-sets: `denny` is no set that the gateway reads\n {2}denny contains "no" if \{\n {2}\^\n {2}cure: write `deny`, or start the name of a private rule with `_`\n/,
    );
    assert.deepEqual([off.code, off.stdout], [0, '3 files are good\n']);
  });
});

test('check: a lint file beside the policies counts; one that names no lint is refused', async () => {
  await repository.with('policies/rules/billing/typo.rego', badRule, async () => {
    await repository.with('.castellan-lint.yaml', 'warn: [known-sets, metadata, test-twin]\n', async () => {
      const { code, stdout } = await repository.policy('check', '--json');
      const { ok, findings } = JSON.parse(stdout) as {
        ok: boolean;
        findings: { lint: string; level: string; file: string; row: number }[];
      };
      assert.deepEqual([code, ok], [0, true]);
      const at = 'policies/rules/billing/typo.rego';
      assert.deepEqual(
        findings.map(({ lint, level, file, row }) => `${level} ${lint} ${file}:${row}`),
        [`warning metadata ${at}:1`, `warning test-twin ${at}:1`, `warning known-sets ${at}:3`],
      );
    });
    await repository.with('.castellan-lint.yaml', 'disable: [all]\n', async () => {
      const { code, stderr } = await repository.policy('check');
      assert.equal(code, 2);
      assert.match(stderr, /^error: `\.castellan-lint\.yaml`: `all` is no lint; there are growing-replace, .* \(config\.invalid\)\n$/);
    });
  });
});

test('test: both engines are asked; a golden case that fails is told, with exit code 2', async () => {
  const good = await repository.policy('test', '--json');
  const { engines, text } = JSON.parse(good.stdout) as { engines: object; text: string };
  assert.deepEqual([good.code, text.trim(), engines], [0, 'PASS: 2/2', { cases: 2, tests: 2, differences: [] }]);
  const file = 'policy-tests/cases/billing/large_refund.json';
  const before = await readFile(repository.path(file), 'utf8');
  await writeFile(repository.path(file), before.replace('"too much"', '"too little"'));
  try {
    const { code, stdout } = await repository.policy('test', '--junit', 'junit.xml');
    assert.equal(code, 2);
    assert.match(
      stdout,
      /^PASS: 2\/2\nGOLDEN CASE FAILS: `a large refund` \(policy-tests\/cases\/billing\/large_refund\.json\)\n {2}interpreter: /,
    );
    const junit = await readFile(repository.path('junit.xml'), 'utf8');
    assert.match(junit, /<testsuite name="data\.rules\.billing\.large_refund_test" tests="2" failures="0" skipped="0"/);
    assert.match(junit, /<testsuite name="engines" tests="1" failures="1" /);
    assert.equal((await repository.policy('test', '--one-engine')).code, 0);
    const built = await repository.policy('build', '--output', 'out');
    assert.deepEqual([built.code, built.stdout.endsWith('nothing was written\n')], [1, true]);
  } finally {
    await writeFile(repository.path(file), before);
  }
});

test('test: an empty folder of tests fails only when that is asked for', async () => {
  await repository.put('no-tests/data.json', '{}');
  const [plain, strict] = await Promise.all([
    repository.policy('test', '--one-engine', '--tests', 'no-tests'),
    repository.policy('test', '--one-engine', '--tests', 'no-tests', '--fail-on-empty'),
  ]);
  assert.deepEqual([plain.code, strict.code !== 0], [0, true]);
});

test('test --watch: runs again after an edit, and ends when it is interrupted', async () => {
  const running = repository.start('test', '--watch', '--one-engine');
  await running.saw(({ stdout, stderr }) => stdout === 'PASS: 2/2\n' && stderr.includes('waiting'));
  const file = 'policy-tests/rules/billing/large_refund_test.rego';
  const before = await readFile(repository.path(file), 'utf8');
  try {
    await writeFile(repository.path(file), `${before}\ntest_never if 1 == 2\n`);
    await running.saw(({ stdout }) => stdout.includes('FAIL: 1/3'));
  } finally {
    await writeFile(repository.path(file), before);
    running.signal('SIGINT');
  }
  const { code } = await running.ended;
  assert.notEqual(code, null);
});

test('fmt --diff shows what would change, and changes nothing', async () => {
  const loose = 'package loose\n\n# One.\n\n# Two.\n\n\np if {1==1}\n';
  await repository.with('policies/loose.rego', loose, async () => {
    const { code, stdout } = await repository.policy('fmt', '--diff');
    assert.equal(code, 0);
    assert.equal(
      stdout,
      '--- policies/loose.rego\n+++ policies/loose.rego\n@@ -4,5 +4,4 @@\n \n # Two.\n \n-\n-p if {1==1}\n+p if 1 == 1\n',
    );
    assert.equal(await readFile(repository.path('policies/loose.rego'), 'utf8'), loose);
    assert.equal((await repository.policy('fmt', '--diff', '--check')).code, 1);
  });
});

test('eval: the value of a query over an input, with other data, and how it came about', async () => {
  await repository.put('input.json', '{"tool": {"name": "refund"}, "arguments": {"amount": 500}}');
  await repository.put('more.json', '{"limits": {"refund": 9000}}');
  const [plain, json, explained, undefinedOne, wrong, noFile] = await Promise.all([
    repository.policy('eval', 'data.gateway.call.deny', '--input', 'input.json'),
    repository.policy('eval', 'x := data.gateway.call.deny', '--input', 'input.json', '--data', 'more.json', '--json'),
    repository.policy('eval', 'data.gateway.call.deny', '--input', 'input.json', '--explain', 'full'),
    repository.policy('eval', 'data.nothing', '--fail'),
    repository.policy('eval', 'data.gateway['),
    repository.policy('eval', 'data.gateway', '--input', 'nowhere.json'),
  ]);
  assert.deepEqual(JSON.parse(plain.stdout), ['too much']);
  assert.deepEqual((JSON.parse(json.stdout) as { result: { bindings: object }[] }).result[0]?.bindings, { x: [] });
  assert.match(explained.stdout, /large_refund\.rego:13/);
  assert.deepEqual([undefinedOne.code, undefinedOne.stdout], [1, 'undefined\n']);
  assert.match(wrong.stderr, /^error: 1 error occurred: 1:\d+: rego_parse_error: /);
  assert.deepEqual([wrong.code, noFile.code], [1, 2]);
  assert.match(noFile.stderr, /`nowhere\.json` cannot be read; give `--input` a file of JSON/);
});

test('doc: the same catalogue each time, and --check says when it is old', async () => {
  const [first, second] = await Promise.all([repository.policy('doc'), repository.policy('doc', '--output', 'RULES.md')]);
  const written = await readFile(repository.path('RULES.md'), 'utf8');
  assert.equal(first.stdout, written);
  assert.equal(second.stdout, 'wrote `RULES.md`\n');
  for (const part of [
    'BILLING-001',
    'Large refunds',
    'Nobody refunds more than 100.',
    '| Severity | high |',
    '| Owner | finance |',
    '`deny`',
  ])
    assert.ok(written.includes(part), part);
  assert.match(written, /\| Source \| `policies\/rules\/billing\/large_refund\.rego:12` \|\n\| Tests \| 2 tests, 2 golden cases \|/);
  assert.equal((await repository.policy('doc', '--output', 'RULES.md', '--check')).code, 0);
  await writeFile(repository.path('RULES.md'), 'old\n');
  const old = await repository.policy('doc', '--output', 'RULES.md', '--check');
  assert.deepEqual([old.code, old.stdout], [1, '`RULES.md` is not up to date; run `castellan policy doc --output RULES.md`\n']);
  assert.equal(await readFile(repository.path('RULES.md'), 'utf8'), 'old\n');
});
