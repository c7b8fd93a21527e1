import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import * as sdk from '@open-policy-agent/opa-wasm';
import type { BuiltinSource } from '../../src/policy/builtins.ts';
import { EvaluationFault } from '../../src/policy/fault.ts';
import { loadWasmPolicy, type WasmPolicy } from '../../src/policy/wasm.ts';
import { createBuiltinCaller } from '../../src/rego/builtins.ts';
import { Compiler } from './compile.ts';

const compiler = new Compiler();
after(() => compiler.close());

async function load(
  source: string,
  names: readonly string[],
  options: { maxMemoryBytes?: number; data?: string } = {},
): Promise<WasmPolicy> {
  const built = await compiler.build(
    source,
    names.map((name) => `gateway/${name}`),
    options.data,
  );
  const { names: served, module } = await compiler.builtins();
  const builtins: BuiltinSource = { names: new Set(served), caller: () => createBuiltinCaller(module, { notation: 'rego' }) };
  return loadWasmPolicy({
    module: await WebAssembly.compile(built.wasm),
    dataJson: built.data,
    entrypoints: names.map((name) => `gateway/${name}`),
    maxMemoryBytes: options.maxMemoryBytes ?? 64 * 1_048_576,
    builtins,
  });
}

const faultOf = (work: () => unknown): EvaluationFault => {
  try {
    work();
  } catch (thrown) {
    assert.ok(thrown instanceof EvaluationFault, String(thrown));
    return thrown;
  }
  return assert.fail('nothing was thrown');
};

describe('loading a module', () => {
  test('a builtin that nobody serves is refused by its name', async () => {
    const built = await compiler.build('call := x if x := semver.compare(input.a, "1.0.0")\nresult := time.now_ns()', [
      'gateway/call',
      'gateway/result',
    ]);
    const module = await WebAssembly.compile(built.wasm);
    const fault = faultOf(() => loadWasmPolicy({ module, dataJson: '{}', entrypoints: [], maxMemoryBytes: 16 * 1_048_576 }));
    assert.equal(fault.message, 'the release needs builtins that are not served here: `semver.compare`; write the rule without them');
  });

  test('a builtin that reaches outside is refused even when the source claims to serve it', async () => {
    const built = await compiler.build('call := http.send({"method": "get", "url": input.url})');
    const module = await WebAssembly.compile(built.wasm);
    const builtins = { names: new Set(['http.send']), caller: () => () => '{}' };
    const fault = faultOf(() => loadWasmPolicy({ module, dataJson: '{}', entrypoints: [], maxMemoryBytes: 16 * 1_048_576, builtins }));
    assert.match(fault.message, /`http\.send`/);
  });

  test('an entrypoint that is not there is named', async () => {
    const built = await compiler.build('call := 1');
    const module = await WebAssembly.compile(built.wasm);
    const fault = faultOf(() => loadWasmPolicy({ module, dataJson: '{}', entrypoints: ['gateway/list'], maxMemoryBytes: 16 * 1_048_576 }));
    assert.equal(fault.message, 'the module has no entrypoint `gateway/list`');
  });

  test('data that does not fit the memory cap is refused before it is loaded', async () => {
    const data = JSON.stringify({ rows: 'x'.repeat(1_000_000) });
    await assert.rejects(
      load('call := data.rows', ['call'], { data, maxMemoryBytes: 4 * 1_048_576 }),
      /needs about \d+ bytes and the limit is 4194304/,
    );
  });

  test('four megabytes of data load in less than two seconds', async () => {
    const data = JSON.stringify({
      rows: Object.fromEntries(Array.from({ length: 60_000 }, (_, row) => [`row-${row}`, { owner: `u-${row}`, labels: ['a'] }])),
    });
    const built = await compiler.build('call := data.rows[input.row].owner', ['gateway/call'], data);
    const module = await WebAssembly.compile(built.wasm);
    const began = performance.now();
    const policy = loadWasmPolicy({ module, dataJson: built.data, entrypoints: [], maxMemoryBytes: 256 * 1_048_576 });
    assert.equal(policy.evaluate('gateway/call', '{"row": "row-59999"}'), '"u-59999"');
    assert.ok(performance.now() - began < 2_000);
  });

  test('the SDK still has what is taken from it, and its own builtins are never reached', async () => {
    const { LoadedPolicy } = (sdk as unknown as { default: typeof sdk }).default;
    assert.equal(typeof LoadedPolicy, 'function');
    assert.deepEqual(Object.getOwnPropertyNames(LoadedPolicy.prototype).sort(), ['constructor', 'evalBool', 'evaluate', 'setData']);
    // The five that the SDK answers itself, and wrongly: each must come out as OPA has it.
    const policy = await load(
      [
        'call := [sprintf("%v %q", [[{"b": 1, "a": null}], "x"]), sprintf("%v", [{3, 1}]), regex.split("[[:digit:]]+", "a1b22c"),',
        '  yaml.unmarshal("012"), yaml.marshal({"t": "yes"}), yaml.is_valid("a: [")]',
      ].join('\n'),
      ['call'],
    );
    assert.deepEqual(JSON.parse(policy.evaluate('gateway/call', '{"at_ns": 1}') ?? ''), [
      '[{"a": null, "b": 1}] "x"',
      '{1, 3}',
      ['a', 'b', 'c'],
      10,
      't: "yes"\n',
      false,
    ]);
  });
});

describe('input', () => {
  test('is the value that it is, also where JavaScript calls it false', async () => {
    const policy = await load('call := {"is": input}\nresult := "absent" if not input', ['call', 'result']);
    for (const text of ['0', '""', 'false', 'null', '[]', '{}', '"é😀"', '[1,[2,{"a":null}]]']) {
      assert.deepEqual(JSON.parse(policy.evaluate('gateway/call', text) ?? ''), { is: JSON.parse(text) }, text);
    }
  });

  test('that is no JSON is an error and never "no input"', async () => {
    const policy = await load('call := "open" if not input.locked', ['call']);
    for (const text of ['', '{', 'nul', '{1,2}', 'set()', '{"a":1', "{'a':1}"]) {
      assert.equal(faultOf(() => policy.evaluate('gateway/call', text)).fault, 'error', text);
    }
    assert.equal(faultOf(() => policy.evaluate('gateway/call', '{"a":"\\ud800"}')).message, 'illegal string escape character');
    assert.equal(policy.evaluate('gateway/call', '{}'), '"open"');
  });

  test('keeps integers beyond 2^53 exactly, in and out', async () => {
    const policy = await load('call := [input.n, input.n == 9007199254740993, input.n == 9007199254740992]', ['call']);
    assert.equal(policy.evaluate('gateway/call', '{"n": 9007199254740993}'), '[9007199254740993,true,false]');
    assert.equal(policy.evaluate('gateway/call', '{"n": 123456789012345678901234567890}'), '[123456789012345678901234567890,false,false]');
  });

  test('larger than the memory laid out is taken, up to the cap', async () => {
    const policy = await load('call := count(input.a)', ['call']);
    const big = JSON.stringify({ a: 'x'.repeat(8_000_000) });
    assert.equal(policy.evaluate('gateway/call', big), '8000000');
    assert.equal(faultOf(() => policy.evaluate('gateway/call', JSON.stringify({ a: 'x'.repeat(60_000_000) }))).fault, 'memory');
    assert.equal(policy.evaluate('gateway/call', '{"a": "xy"}'), '2');
  });
});

describe('time', () => {
  test('is the input’s own, to the nanosecond, and nested keys cannot stand in for it', async () => {
    const policy = await load('call := [time.now_ns(), time.now_ns(), time.date(time.now_ns())]', ['call']);
    const input = '{"arguments": {"at_ns": 1, "x": "\\"at_ns\\": 2"}, "at_ns": 1795246200123456789, "result": {"at_ns": 3}}';
    assert.equal(policy.evaluate('gateway/call', input), '[1795246200123456789,1795246200123456789,[2026,11,21]]');
  });

  test('that the input does not have fails the evaluation: an undefined time would pass under `not`', async () => {
    const policy = await load('call := "open" if not time.now_ns() < 5', ['call']);
    assert.equal(
      faultOf(() => policy.evaluate('gateway/call', '{"arguments": {"at_ns": 9}}')).message,
      'the policy asks for the time and the input has no `at_ns`',
    );
  });
});

describe('builtins', () => {
  test('get and give sets as sets', async () => {
    const policy = await load(
      'call := [object.subset({1, 2, 3}, {1}), is_set(net.cidr_expand("10.0.0.0/31")), net.cidr_expand("10.0.0.0/31") == {"10.0.0.0", "10.0.0.1"}]',
      ['call'],
    );
    assert.equal(policy.evaluate('gateway/call', '{"at_ns": 1}'), '[true,true,true]');
  });

  test('that fail on their arguments are undefined, as in OPA', async () => {
    const policy = await load('_same if semver.compare(input.v, "1.0.0") == 0\n\ncall := "failed" if not _same', ['call']);
    assert.equal(policy.evaluate('gateway/call', '{"v": "nonsense"}'), '"failed"');
    assert.equal(policy.evaluate('gateway/call', '{"v": "1.0.0"}'), undefined);
  });
});

describe('an evaluation that fails', () => {
  test('leaves the engine as good as new, a thousand times over', async () => {
    const policy = await load('call := x if some x in input.a\nresult := input.a', ['call', 'result']);
    for (let round = 0; round < 1_000; round++) {
      const fault = faultOf(() => policy.evaluate('gateway/call', '{"a": ["p", "q"]}'));
      assert.equal(fault.fault, 'error');
      assert.match(fault.message, /conflict/);
    }
    assert.equal(policy.evaluate('gateway/call', '{"a": ["p"]}'), '"p"');
    assert.equal(policy.evaluate('gateway/result', '{"a": [1]}'), '[1]');
  });

  test('keeps its data', async () => {
    const policy = await load('call := x if some x in input.a\nresult := data.limit', ['call', 'result'], { data: '{"limit": 7}' });
    faultOf(() => policy.evaluate('gateway/call', '{"a": ["p", "q"]}'));
    assert.equal(policy.evaluate('gateway/result', '{}'), '7');
  });

  test('for want of memory says so', async () => {
    const policy = await load('call := count(numbers.range(1, input.n))', ['call'], { maxMemoryBytes: 8 * 1_048_576 });
    assert.equal(faultOf(() => policy.evaluate('gateway/call', '{"n": 10000000}')).fault, 'memory');
    assert.equal(policy.evaluate('gateway/call', '{"n": 10}'), '10');
    assert.ok(policy.memoryBytes() <= 8 * 1_048_576);
  });

  test('names the rule when OPA names its file', async () => {
    const built = await compiler.opa.build({
      files: {
        'gateway/call.rego': 'package gateway\n\ncall := data.rules.billing.large_refund.limit',
        'rules/billing/large_refund.rego': 'package rules.billing.large_refund\n\nlimit := x if some x in input.a',
      },
      entrypoints: ['gateway/call'],
    });
    const policy = loadWasmPolicy({
      module: await WebAssembly.compile(built.wasm),
      dataJson: '{}',
      entrypoints: [],
      maxMemoryBytes: 16 * 1_048_576,
    });
    assert.equal(faultOf(() => policy.evaluate('gateway/call', '{"a": [1, 2]}')).rule, 'billing/large_refund');
  });
});
