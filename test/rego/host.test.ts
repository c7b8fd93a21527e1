import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { brotliDecompressSync } from 'node:zlib';
import { withMemoryLimit } from '../../src/rego/opa-artefact.ts';
import { Opa } from '../../src/rego/opa.ts';

const opa = new Opa();
after(() => opa.close());

const endless = 'count([1 | some i in numbers.range(1, 30000); some j in numbers.range(1, 30000); i == j + 50000])';

async function sum(host: Opa): Promise<string> {
  return (await host.eval({ files: {}, query: '1 + 1' })).result;
}

test('calls are answered in order, one at a time', async () => {
  const order: number[] = [];
  await Promise.all(
    [1, 2, 3, 4].map(async (n) => {
      const { result } = await opa.eval({ files: {}, query: `${n} * 10` });
      assert.match(result, new RegExp(`"value":${n}0`));
      order.push(n);
    }),
  );
  assert.deepEqual(order, [1, 2, 3, 4]);
});

test('a call that takes too long is ended, and those after it are answered', async () => {
  const slow = assert.rejects(opa.eval({ files: {}, query: endless }, { timeoutMs: 200 }), {
    code: 'policy.fault',
    kind: 'timeout',
    message: /`eval` did not finish within 200 ms/,
  });
  const next = sum(opa);
  await slow;
  assert.match(await next, /"value":2/);
});

test('a panic in the module is an error, and the module lives on', async () => {
  const capabilities = '{"builtins":[null],"features":["rego_v1"]}';
  await assert.rejects(opa.check({ files: { 'a.rego': 'package a\n\nx := 1\n' }, capabilities }), { code: 'policy.fault', kind: 'panic' });
  assert.match(await sum(opa), /"value":2/);
});

test('a module that runs out of memory is replaced', async () => {
  const small = new Opa({ maxMemoryBytes: 96 * 1024 * 1024 });
  try {
    const heavy = small.eval({ files: {}, query: 'count(numbers.range(1, 100000000))' });
    const next = sum(small);
    await assert.rejects(heavy, { kind: 'died', message: /out of memory/ });
    assert.match(await next, /"value":2/);
  } finally {
    await small.close();
  }
});

test('a worker whose memory has grown is replaced between calls', async () => {
  const frugal = new Opa({ recycleMemoryBytes: 1 });
  try {
    for (let i = 0; i < 3; i++) assert.match(await sum(frugal), /"value":2/);
  } finally {
    await frugal.close();
  }
});

test('a request that has no meaning is refused', async () => {
  await assert.rejects(opa.build({ files: {}, entrypoints: [] }), { code: 'policy.invalid' });
  await assert.rejects(opa.partial({ files: {}, unknowns: ['input['], cases: [] }), { code: 'request.invalid' });
  await assert.rejects(opa.capabilities({ remove: ['no.such'] }), { code: 'request.invalid', message: 'builtin `no.such` is unknown' });
});

test('closing fails the calls under way, and later ones', async () => {
  const host = new Opa();
  const running = assert.rejects(host.eval({ files: {}, query: endless }), { code: 'gateway.stopping', kind: 'closed' });
  const waiting = assert.rejects(sum(host), { kind: 'closed' });
  await host.close();
  await Promise.all([running, waiting]);
  await assert.rejects(sum(host), { kind: 'closed' });
  await host.close();
});

test('an idle worker does not keep the process alive', async () => {
  const url = new URL('../../src/rego/opa.ts', import.meta.url).href;
  const script = `const { Opa } = await import(${JSON.stringify(url)}); console.log((await new Opa().version()).opa);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 60_000 });
  assert.equal(stdout, '1.22.0\n');
});

test('the artefact is the module whose digest is committed', () => {
  const read = (name: string) => readFileSync(new URL(`../../src/rego/${name}`, import.meta.url));
  const raw = brotliDecompressSync(read('opa.wasm.br'));
  const lines = read('opa.wasm.sha256').toString().trim().split('\n');
  assert.match(lines[0] ?? '', /^# go1\.\d+\.\d+, github\.com\/open-policy-agent\/opa@v1\.22\.0$/);
  assert.equal(lines[1], `${createHash('sha256').update(raw).digest('hex')}  opa.wasm`);
});

test('a memory limit is written into a module, and a module that has one already is refused', () => {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const limited = withMemoryLimit(Uint8Array.from([...header, 5, 3, 1, 0, 2]), 300);
  assert.deepEqual([...limited], [...header, 5, 5, 1, 1, 2, 0xac, 2]);
  assert.ok(WebAssembly.validate(limited));
  assert.throws(() => withMemoryLimit(limited, 300), /exactly one unlimited memory/);
  assert.throws(() => withMemoryLimit(Uint8Array.from(header), 300), /no memory section/);
});
