import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { stockOpa, withoutStockOpa } from '../rego/fixture.ts';
import { castellan, type Ended } from './castellan.ts';

const rule = `# METADATA
# title: Large refunds
# description: Nobody refunds more than 100.
package rules.billing.large_refund

deny contains "too much" if {
	input.tool.name == "refund"
	input.arguments.amount > 100
}
`;
const twin = `package rules.billing.large_refund_test

import data.rules.billing.large_refund as rule

_refund(amount) := {"tool": {"name": "refund"}, "arguments": {"amount": amount}}

test_large_is_denied if "too much" in rule.deny with input as _refund(101)

test_small_passes if count(rule.deny) == 0 with input as _refund(100)
`;
const gateway = `# METADATA
# title: Entrypoints
package gateway

call := {"deny": data.rules.billing.large_refund.deny}

result := call

message := call

list := call

mask := call
`;

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-policy-'));
  await put('policies/gateway/gateway.rego', gateway);
  await put('policies/rules/billing/large_refund.rego', rule);
  await put('policy-tests/rules/billing/large_refund_test.rego', twin);
});
after(() => rm(folder, { recursive: true, force: true }));

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}

function policy(...args: string[]): Promise<Ended> {
  return castellan(['policy', ...args], { cwd: folder });
}

/** Stock OPA on the same folder. */
function stock(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(stockOpa() ?? 'opa', args, { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** What of a report is the same on every machine and at every time. */
function timeless({ code, stdout, stderr }: Ended): Ended {
  return { code, stdout: stdout.replace(/\(\d[^)]*s\)/g, '(…)').trimEnd(), stderr: stderr.trimEnd() };
}

test('good policy: checked, tested, formatted and built', async () => {
  const [checked, tested, formatted, built] = await Promise.all([
    policy('check'),
    policy('test'),
    policy('fmt', '--check'),
    policy('build', '--output', 'out', '--json'),
  ]);
  assert.deepEqual(checked, { code: 0, stdout: '2 files are good\n', stderr: '' });
  assert.deepEqual(tested, { code: 0, stdout: 'PASS: 2/2\n', stderr: '' });
  assert.deepEqual(formatted, { code: 0, stdout: 'nothing to format\n', stderr: '' });
  const facts = JSON.parse(built.stdout) as { release: string; digest: string; wasm_bytes: number };
  assert.match(facts.release, /^local@[0-9a-f]{12}$/);
  assert.equal((await readFile(join(folder, 'out', 'policy.wasm'))).length, facts.wasm_bytes);
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'out', 'release.json'), 'utf8')), facts);
});

for (const [title, file, text, args] of [
  ['a failing test', 'policy-tests/more_test.rego', 'package more_test\n\ntest_no if 1 == 2\n', ['test']],
  ['a test that does not parse', 'policy-tests/more_test.rego', 'package more_test\n\ntest_no if {\n', ['test']],
  ['a call of what there is not', 'policy-tests/more_test.rego', 'package more_test\n\ntest_no if nothing(1)\n', ['test']],
  [
    'a failing test, all listed',
    'policy-tests/more_test.rego',
    'package more_test\n\ntest_no if 1 == 2\n',
    ['test', '--one-engine', '--verbose'],
  ],
  [
    'only tests that match',
    'policy-tests/more_test.rego',
    'package more_test\n\ntest_no if 1 == 2\n',
    ['test', '--one-engine', '--run', 'large'],
  ],
] as const) {
  test(`${title}: text and exit code of \`opa test\``, async (t) => {
    await put(file, text);
    try {
      const ours = await policy(...args);
      const passes = args.includes('--run' as never);
      assert.equal(ours.code, passes ? 0 : text.includes('1 == 2') ? 2 : 1);
      if (withoutStockOpa !== false) {
        t.diagnostic(`${withoutStockOpa}: its text was not compared`);
        return;
      }
      const theirs = await stock('test', 'policies', 'policy-tests', ...args.slice(1).filter((one) => one !== '--one-engine'));
      if (args.includes('--verbose' as never)) assert.equal(ours.code, theirs.code);
      else assert.deepEqual(timeless(ours), timeless(theirs));
    } finally {
      await rm(join(folder, file));
    }
  });
}

test('faults name file, line and column, and show the place', async () => {
  await put('policies/bad.rego', 'package bad\n\np if {\n\tx := nothing(input.a)\n\ty := 1\n}\n');
  try {
    const { code, stdout, stderr } = await policy('check');
    assert.deepEqual([code, stderr], [1, '']);
    assert.match(
      stdout,
      /policies\/bad\.rego:4:7: rego_type_error: undefined function nothing\n {2}\tx := nothing\(input\.a\)\n {2}\t {5}\^\n/,
    );
    assert.match(stdout, /policies\/bad\.rego:5:2: rego_compile_error: assigned var y unused\n {2}\ty := 1\n {2}\t\^\n/);
    const built = await policy('build', '--output', 'never');
    assert.equal(built.code, 1);
    assert.match(built.stderr, /policies\/bad\.rego:4: rego_type_error: undefined function nothing/);
    await put('policies/bad.rego', 'package bad\n\np if {\n');
    const parsed = await policy('check', '--json');
    const { ok, errors } = JSON.parse(parsed.stdout) as { ok: boolean; errors: { file: string; row: number; text: string }[] };
    assert.deepEqual([parsed.code, ok, errors[0]?.file], [1, false, 'policies/bad.rego']);
    assert.match(
      (await policy('fmt')).stdout,
      /^policies\/bad\.rego:\d+: rego_parse_error: unexpected eof token\n {2}p if \{\n {2} +\^\n$/,
    );
  } finally {
    await rm(join(folder, 'policies/bad.rego'));
  }
});

test('fmt names what differs and changes it only without --check', async () => {
  await put('policies/loose.rego', 'package loose\np if {1==1}\n');
  try {
    const checked = await policy('fmt', '--check');
    assert.deepEqual(checked, { code: 1, stdout: 'not formatted: policies/loose.rego\n', stderr: '' });
    assert.equal((await policy('fmt')).stdout, 'formatted policies/loose.rego\n');
    assert.equal(await readFile(join(folder, 'policies/loose.rego'), 'utf8'), 'package loose\n\np if 1 == 1\n');
  } finally {
    await rm(join(folder, 'policies/loose.rego'));
  }
});

test('coverage below the threshold fails', async () => {
  const told = await policy('test', '--threshold', '99', '--one-engine');
  assert.deepEqual([told.code, told.stdout], [2, '']);
  assert.match(told.stderr, /^Code coverage threshold not met: got \d+\.\d+ instead of 99\.00\n$/);
  const [below, above] = await Promise.all([
    policy('test', '--one-engine', '--coverage', '--threshold', '99', '--json'),
    policy('test', '--one-engine', '--coverage', '--threshold', '10', '--json'),
  ]);
  assert.deepEqual([below.code, above.code], [2, 0], below.stdout + above.stdout);
  assert.ok((JSON.parse(below.stdout) as { coverage: { coverage: number } }).coverage.coverage < 99);
});

test('a folder without Rego is told, with exit code 1', async () => {
  const { code, stderr } = await policy('check', '--policy', 'policy-nowhere');
  assert.deepEqual(
    [code, stderr],
    [1, 'error: the policy folder `policy-nowhere` cannot be read; check that it is there (policy.invalid)\n'],
  );
});
