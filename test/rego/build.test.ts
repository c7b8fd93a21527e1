import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, test } from 'node:test';
import { join } from 'node:path';
import { Opa, RegoError } from '../../src/rego/opa.ts';
import { hostBuiltinsOf } from '../../src/rego/policy-builtins.ts';
import { policies, release, runStock, withoutStockOpa } from './fixture.ts';

const opa = new Opa();
after(() => opa.close());

const entrypoints = ['gateway/call', 'gateway/result'];

test('a build is the module, the data and what they are about', async () => {
  const build = await opa.build({ ...release, entrypoints, revision: 'r1' });
  assert.ok(WebAssembly.validate(build.wasm));
  assert.equal(build.revision, 'r1');
  assert.equal(build.data, '{"closed":["drop"],"grants":{"eng":["refund","read"]},"limits":{"big":12345678901234567890}}');
  assert.deepEqual(build.hostBuiltins, []);
  assert.ok(build.builtins.includes('concat'));
  const grant = build.packages.find((p) => p.path === 'rules/access/grant');
  assert.deepEqual(
    grant?.rules.map((rule) => [rule.name, rule.kind, rule.places]),
    [
      ['allow', 'set', [{ path: 'rules/access/grant/allow', file: 'policies/rules/access/grant.rego', row: 5 }]],
      ['deny', 'set', [{ path: 'rules/access/grant/deny', file: 'policies/rules/access/grant.rego', row: 10 }]],
    ],
  );
  const refund = build.packages.find((p) => p.path === 'rules/billing/large_refund');
  assert.deepEqual(refund?.annotations, [
    {
      scope: 'package',
      title: 'Large refunds need a human',
      description: 'Finance approves refunds over 100.',
      custom: { owner: 'finance-security' },
    },
  ]);
  assert.equal(build.entrypoints['gateway/call']?.annotations[0]?.title, 'The decision about a call');
});

test('rules that no entrypoint reaches are listed', async () => {
  const { unreached } = await opa.analyse({ ...release, entrypoints });
  assert.deepEqual(
    unreached.map((rule) => rule.path),
    ['lib/sets/unused', 'rules/access/grant/deny'],
  );
});

test('a builtin that the WASM engine lacks is named', async () => {
  const files = { ...policies, 'policies/x.rego': 'package x\n\ny := [sprintf("%v", [input.a]), semver.is_valid(input.b)]\n' };
  const build = await opa.build({ ...release, files, entrypoints: ['x/y'] });
  assert.deepEqual(build.hostBuiltins, ['semver.is_valid', 'sprintf']);
});

test('the same program builds again and again, with other entrypoints too', async () => {
  const first = await opa.build({ ...release, entrypoints });
  const second = await opa.build({ ...release, entrypoints });
  assert.deepEqual(first, second);
  const other = await opa.build({ ...release, entrypoints: ['gateway/result'] });
  assert.deepEqual(Object.keys(other.entrypoints), ['gateway/result']);
  assert.deepEqual(await opa.build({ ...release, strict: true, entrypoints }), first);
});

test('an analysis says the same as a build', async () => {
  const { wasm: _wasm, hostBuiltins: _hostBuiltins, ...known } = await opa.build({ ...release, entrypoints });
  assert.deepEqual(await opa.analyse({ ...release, entrypoints }), known);
  assert.deepEqual(await opa.analyse({ ...release, strict: true, entrypoints }), known);
});

test('an error names file, line and column', async () => {
  const files = {
    ...policies,
    'policies/lib/bad.rego': 'package lib.bad\n\nx := missing(1)\n',
    'policies/lib/other.rego': 'package lib.other\n\n# why\n\nx if { missing.too(1) }\n',
  };
  await assert.rejects(opa.build({ ...release, files, entrypoints }), (error: RegoError) => {
    assert.equal(error.code, 'policy.invalid');
    assert.deepEqual(
      error.faults.map(({ file, row, col, message }) => [file, row, col, message]),
      [
        ['policies/lib/bad.rego', 3, 6, 'undefined function missing'],
        ['policies/lib/other.rego', 5, 8, 'undefined function missing.too'],
      ],
    );
    return true;
  });
});

test('an entrypoint that is no rule is refused', async () => {
  await assert.rejects(opa.build({ ...release, entrypoints: ['gateway/none'] }), {
    code: 'policy.invalid',
    message: 'entrypoint "gateway/none" does not refer to a rule or policy decision',
  });
});

test('data in the place of a rule is refused', async () => {
  const files = { ...policies, 'policies/gateway/data.json': '{"call":1}' };
  await assert.rejects(opa.build({ ...release, files, entrypoints }), { code: 'policy.invalid', message: /conflict/ });
});

test('broken data names its file', async () => {
  const files = { ...policies, 'policies/lib/data.json': '{"a":' };
  await assert.rejects(opa.build({ ...release, files, entrypoints }), (error: RegoError) => {
    assert.equal(error.faults[0]?.file, 'policies/lib/data.json');
    return true;
  });
});

test('stock opa builds the same tree to a module with the same data, which asks its host for less', { skip: withoutStockOpa }, async () => {
  const args = ['build', '-b', 'policies', '-t', 'wasm', '--prune-unused', '--ignore', '*_test.rego', '-o', 'bundle.tar.gz'];
  const from = (folder: string, name: string): Buffer => execFileSync('tar', ['-xzOf', join(folder, 'bundle.tar.gz'), name]);
  const stock = await runStock(policies, [...args, ...entrypoints.flatMap((name) => ['-e', name])], (folder) => ({
    wasm: new Uint8Array(from(folder, '/policy.wasm')),
    data: from(folder, '/data.json').toString(),
  }));
  assert.equal(stock.code, 0, stock.stderr);
  assert.ok(stock.read);
  const build = await opa.build({ ...release, entrypoints });
  assert.deepEqual(JSON.parse(stock.read.data), JSON.parse(build.data));
  const theirs = hostBuiltinsOf(stock.read.wasm);
  assert.deepEqual(
    theirs.filter((name) => !build.hostBuiltins.includes(name)),
    [],
  );
});
