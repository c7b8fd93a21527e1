import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { join } from 'node:path';
import { Opa } from '../../src/rego/opa.ts';
import { policies, policyTests, runStock, withoutStockOpa } from './fixture.ts';

const opa = new Opa();
after(() => opa.close());

const mixed = {
  'r.rego': 'package r\n\nx := input.a + 1\n\nnever := 2 if input.b\n',
  'r_test.rego': `package r_test

import data.r

test_ok if r.x == 2 with input.a as 1

test_bad if {
	print("got", 1)
	r.x == 3 with input.a as 1
}

todo_test_later if false

test_conflict if data.r_test.f(1) == 1

f(x) := 1 if x > 0

f(x) := 2 if x > 0

test_table[name] if {
	some name, tc in {"one": {"a": 1, "want": 2}, "two": {"a": 2, "want": 4}}
	r.x == tc.want with input.a as tc.a
}
`,
};

interface StockResult {
  location: { file: string; row: number; col: number };
  package: string;
  name: string;
  fail?: boolean;
  skip?: boolean;
  error?: unknown;
  sub_results?: unknown;
}

test('each test has its outcome, its place and what it printed', async () => {
  const { results, exit_code } = await opa.test({ files: mixed });
  assert.equal(exit_code, 2);
  assert.deepEqual(
    results.map(({ name, file, row, pass, fail, skip, error, output }) => [
      name,
      `${file}:${row}`,
      pass,
      fail,
      skip,
      error !== undefined,
      output,
    ]),
    [
      ['test_ok', 'r_test.rego:5', true, false, false, false, undefined],
      ['test_bad', 'r_test.rego:7', false, true, false, false, 'got 1\n'],
      ['todo_test_later', 'r_test.rego:12', false, false, true, false, undefined],
      ['test_conflict', 'r_test.rego:14', false, false, false, true, undefined],
      ['test_table', 'r_test.rego:20', false, true, false, false, undefined],
    ],
  );
  assert.match(results[3]?.error ?? '', /eval_conflict_error/);
  assert.deepEqual(results[4]?.cases, { one: { name: 'one' }, two: { name: 'two', fail: true } });
});

test('exit codes are those of opa test', async () => {
  const ok = { files: { ...policies, ...policyTests } };
  assert.equal((await opa.test(ok)).exit_code, 0);
  assert.equal((await opa.test({ ...ok, run: 'nothing_such' })).exit_code, 0);
  assert.equal((await opa.test({ ...ok, run: 'nothing_such', failOnEmpty: true })).exit_code, 1);
  assert.equal((await opa.test({ ...ok, threshold: 100 })).exit_code, 2);
  assert.equal((await opa.test({ files: mixed, run: 'later' })).exit_code, 2);
  assert.equal((await opa.test({ files: mixed, run: 'later', exitZeroOnSkipped: true })).exit_code, 0);
  await assert.rejects(opa.test({ files: { 'a.rego': 'package a\n\nx := y\n' } }), { code: 'policy.invalid' });
});

test('run chooses tests by regular expression', async () => {
  const { results } = await opa.test({ files: { ...policies, ...policyTests }, run: 'large_refund_test\\.test_s' });
  assert.deepEqual(
    results.map((result) => result.name),
    ['test_small'],
  );
});

test('coverage gives the percentage and the lines that nothing ran', async () => {
  const { coverage } = await opa.test({ files: mixed, run: 'test_ok', coverage: true });
  assert.deepEqual(
    coverage?.files['r.rego']?.not_covered?.map((range) => range.start.row),
    [5, 5],
  );
  assert.ok(coverage.coverage > 0 && coverage.coverage < 100);
});

test('a test that never ends fails alone, in its own time', async () => {
  const loop = 'count([1 | some i in numbers.range(1, 20000); some j in numbers.range(1, 20000); i == j + 30000]) == 1';
  const files = { 'l_test.rego': `package l_test\n\ntest_loop if ${loop}\n\ntest_after if true\n` };
  const { results } = await opa.test({ files, timeoutMs: 300 });
  assert.match(results[0]?.error ?? '', /eval_cancel_error: context deadline exceeded/);
  assert.equal(results[1]?.pass, true);
});

test('var values show why a test failed', async () => {
  const { text } = await opa.test({ files: mixed, run: 'test_bad', varValues: true });
  assert.match(text, /r_test\.rego:9/);
});

async function compare(files: Readonly<Record<string, string>>, paths: string[]): Promise<void> {
  const stock = await runStock(files, ['test', '--format', 'json', ...paths]);
  // Another process may have the machine: what counts is the outcome.
  const ours = await opa.test({ files, paths, timeoutMs: 120_000 }, { timeoutMs: 180_000 });
  assert.equal(ours.exit_code, stock.code, stock.stderr);
  const rows = (JSON.parse(stock.stdout) as StockResult[]).map(({ location, package: pkg, name, fail, skip, error, sub_results }) =>
    JSON.stringify([
      location.file,
      location.row,
      location.col,
      pkg,
      name,
      fail === true,
      skip === true,
      error !== undefined,
      sub_results ?? {},
    ]),
  );
  assert.deepEqual(
    ours.results
      .map((r) => JSON.stringify([r.file, r.row, r.col, r.package, r.name, r.fail, r.skip, r.error !== undefined, r.cases ?? {}]))
      .sort(),
    rows.sort(),
  );
}

test('stock opa has the same outcomes', { skip: withoutStockOpa }, async () => {
  await compare(mixed, ['r.rego', 'r_test.rego']);
  await compare({ ...policies, ...policyTests }, ['policies', 'policy-tests']);
});

test('stock opa reports the same coverage', { skip: withoutStockOpa }, async () => {
  const files = { ...policies, ...policyTests };
  const paths = ['policies', 'policy-tests'];
  const stock = await runStock(files, ['test', '--coverage', '--format', 'json', ...paths]);
  assert.deepEqual((await opa.test({ files, paths, coverage: true })).coverage, JSON.parse(stock.stdout));
});

test('stock opa has the same outcomes on the policies that ship', { skip: withoutStockOpa }, async () => {
  const root = new URL('../../', import.meta.url).pathname;
  const files = Object.fromEntries(
    ['policies', 'policy-tests'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => {
          const path = join(entry.parentPath, entry.name);
          return [path.slice(root.length), readFileSync(path, 'utf8')] as const;
        }),
    ),
  );
  await compare(files, ['policies', 'policy-tests']);
});
