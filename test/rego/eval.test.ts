import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Opa } from '../../src/rego/opa.ts';
import { policies, runStock, withoutStockOpa } from './fixture.ts';

const opa = new Opa();
after(() => opa.close());

const program = { files: policies, paths: ['policies'], bundle: true };

async function valueOf(query: Parameters<Opa['eval']>[0]): Promise<string> {
  const { result } = await opa.eval(query);
  return /^\[\{"expressions":\[\{"value":(.*),"text":/.exec(result)?.[1] ?? result;
}

test('a query has a result, or is undefined', async () => {
  const input = JSON.stringify({ identity: { groups: ['eng'] }, target: { name: 'read' } });
  assert.equal(await valueOf({ ...program, query: 'data.gateway.call', input }), '{"effect":"allow","reasons":[]}');
  const answer = await opa.eval({ ...program, query: 'data.rules.absent', input });
  assert.equal(answer.undefined, true);
  assert.equal(answer.result, '[]');
});

test('integers beyond 2^53 survive, in input, data and result', async () => {
  const query = '[input.n, data.limits.big, input.n + 1]';
  assert.equal(
    await valueOf({ ...program, query, input: '{"n":9007199254740993}' }),
    '[9007199254740993,12345678901234567890,9007199254740994]',
  );
});

test('the time is what the caller says', async () => {
  assert.equal(await valueOf({ files: {}, query: 'time.now_ns()', nowNs: 1795246200123000001n }), '1795246200123000001');
});

test('data is laid over that of the files', async () => {
  assert.equal(
    await valueOf({ ...program, data: '{"closed":[1]}', query: '[data.closed, data.limits.big]' }),
    '[[1],12345678901234567890]',
  );
});

test('rules that disagree are an error with their places', async () => {
  const files = { 'c.rego': 'package c\n\nx := 1 if input.a\n\nx := 2 if input.b\n' };
  await assert.rejects(
    opa.eval({ files, query: 'data.c.x', input: '{"a":1,"b":1}' }),
    (error: { code: string; faults: { file: string }[] }) => {
      assert.equal(error.code, 'policy.fault');
      assert.equal(error.faults[0]?.file, 'c.rego');
      return true;
    },
  );
});

test('explain shows which expression failed, with its place and values', async () => {
  const input = JSON.stringify({ target: { kind: 'tool', server: 'billing', name: 'refund' }, arguments: { amount: 5 } });
  const query = 'data.rules.billing.large_refund.require_approval';
  const { trace, events } = await opa.eval({ ...program, query, input, explain: 'fails', events: true });
  assert.match(trace?.at(-1) ?? '', /large_refund\.rego:10 .*Fail gt\(/);
  const failed = events?.at(-1);
  assert.equal(failed?.op, 'Fail');
  assert.equal(failed.row, 10);
  assert.equal(failed.text, 'input.arguments.amount > 100');
  assert.deepEqual(Object.values(failed.locals ?? {}), ['5']);
});

test('print is heard when it is asked for', async () => {
  const files = { 'p.rego': 'package p\n\nx if print("here", 1)\n' };
  assert.equal((await opa.eval({ files, query: 'data.p.x', prints: true })).prints, 'here 1\n');
  assert.equal((await opa.eval({ files, query: 'data.p.x' })).prints, undefined);
});

test('an input that is not one JSON value is refused', async () => {
  for (const input of ['', '{', '1 2', '{"a":1}}']) {
    await assert.rejects(opa.eval({ files: {}, query: 'input', input }), { code: 'request.invalid' });
  }
  for (const input of ['0', '""', 'false', 'null']) assert.equal(await valueOf({ files: {}, query: 'input', input }), input);
});

test('a file is formatted only where it differs', async () => {
  const answer = await opa.format({ 'b.rego': 'package b\n', 'a.rego': 'package a\nx:=1', 'c.rego': 'package', 'd.json': '{}' });
  assert.deepEqual(
    answer.map(({ file, changed, text, errors }) => [file, changed, text, errors?.[0]?.row]),
    [
      ['a.rego', true, 'package a\n\nx := 1\n', undefined],
      ['b.rego', false, undefined, undefined],
      ['c.rego', false, undefined, 1],
    ],
  );
});

test('stock opa formats the same', { skip: withoutStockOpa }, async () => {
  const text = policies['policies/gateway/gateway.rego']?.replaceAll('\t', '    ') ?? '';
  const stock = await runStock({ 'x.rego': text }, ['fmt', 'x.rego']);
  assert.equal((await opa.format({ 'x.rego': text }))[0]?.text, stock.stdout);
});

test('stock opa parses to the same tree', { skip: withoutStockOpa }, async () => {
  const name = 'policies/rules/billing/large_refund.rego';
  const args = ['parse', '--format', 'json', '--json-include', 'locations', name];
  const stock = await runStock(policies, args);
  const tree = await opa.parse(name, policies[name] ?? '', { locations: true });
  assert.deepEqual(tree, JSON.parse(stock.stdout));
});

test('a file that does not parse names its line', async () => {
  await assert.rejects(opa.parse('x.rego', 'package x\n\ny :='), { code: 'policy.invalid', message: /x\.rego:3/ });
});
