import assert from 'node:assert/strict';
import { test } from 'node:test';
import { junitReport } from '../../src/cli/junit-report.ts';

const base = { package: 'data.a_test', file: 'a_test.rego', row: 3, pass: true, fail: false, skip: false, duration_ns: 1_500_000 };

test('a JUnit report has each test, each case of a table, failures, skips and differences, and is well-formed whatever they say', () => {
  const report = junitReport({
    exit_code: 2,
    text: '',
    results: [
      { ...base, name: 'test_good' },
      { ...base, name: 'test_bad', pass: false, fail: true, output: 'a<b & "c" \u0000' },
      { ...base, name: 'todo_test_later', pass: false, skip: true },
      { ...base, name: 'test_table', pass: false, fail: true, cases: { one: {}, 'two>1': { fail: true } } },
    ],
    engines: { cases: 1, tests: 4, differences: [{ kind: 'case', name: 'n', file: 'f.json', interpreter: '1', wasm: '2', expected: '1' }] },
  });
  assert.equal(
    report,
    `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="data.a_test" tests="5" failures="2" skipped="1" time="0.006000">
    <testcase classname="data.a_test" name="test_good" file="a_test.rego" line="3" time="0.001500"/>
    <testcase classname="data.a_test" name="test_bad" file="a_test.rego" line="3" time="0.001500"><failure message="the test is not true">the test is not true</failure><system-out>a&lt;b &amp; &quot;c&quot; \\u0000</system-out></testcase>
    <testcase classname="data.a_test" name="todo_test_later" file="a_test.rego" line="3" time="0.001500"><skipped/></testcase>
    <testcase classname="data.a_test" name="test_table[one]" file="a_test.rego" line="3" time="0.000750"/>
    <testcase classname="data.a_test" name="test_table[two&gt;1]" file="a_test.rego" line="3" time="0.000750"><failure message="the case is not true">the case is not true</failure></testcase>
  </testsuite>
  <testsuite name="engines" tests="1" failures="1" skipped="0" time="0.000000">
    <testcase classname="engines" name="n" file="f.json" line="1" time="0.000000"><failure message="interpreter: 1">interpreter: 1
wasm: 2
expected: 1</failure></testcase>
  </testsuite>
</testsuites>
`,
  );
});
