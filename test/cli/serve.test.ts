import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { flatPolicy, writePolicy } from '../support/gateway.ts';
import { castellan, RunningCommand } from './castellan.ts';

const plain = (port: number, more = ''): string => `version: 1
listen: { port: ${port} }
policy: { path: policies, tests: policy-tests }
store: { sqlite: { path: castellan.db } }
${more}`;

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-serve-'));
  await writePolicy(join(folder, 'policies'), flatPolicy('allow', 'mask := {"version": 1, "redactions": []}\n'));
  await writePolicy(join(folder, 'policy-tests'), {
    'gateway_test.rego': 'package gateway_test\n\ntest_allow if data.gateway.call.effect == "allow"\n',
  });
});
after(() => rm(folder, { recursive: true, force: true }));

async function config(text: string): Promise<string> {
  await writeFile(join(folder, 'castellan.yaml'), text);
  return join(folder, 'castellan.yaml');
}

test('check: a good configuration and its policy', async () => {
  await config(plain(0));
  const [text, json] = await Promise.all([castellan(['check'], { cwd: folder }), castellan(['check', '--json'], { cwd: folder })]);
  assert.deepEqual([text.code, text.stderr], [0, '']);
  assert.match(text.stdout, /^good: 0 upstreams, 0 endpoints, policy sha256:[0-9a-f]{64}, 1 policy test passed\n$/);
  const { problems, tests } = JSON.parse(json.stdout) as { problems: string[]; tests: number };
  assert.deepEqual([problems, tests], [[], 1]);
});

test('check: every fault with file, line, path and cure, exit code 1', async () => {
  const path = await config(plain(0, 'lisen: { port: 1 }\nlimits: { body_bytes: "1" }\n'));
  const { code, stdout, stderr } = await castellan(['check', '--config', path]);
  assert.deepEqual([code, stderr], [1, '']);
  assert.match(stdout, /castellan\.yaml:5:1: lisen: .*`listen`/);
  assert.match(stdout, /castellan\.yaml:6:23: limits\.body_bytes: /);
  const missing = await castellan(['check', '--config', join(folder, 'none.yaml')]);
  assert.deepEqual([missing.code, /none\.yaml/.test(missing.stdout)], [1, true]);
});

test('check: a bundle in the place of the folder, of Rego or with a module', async () => {
  const { 'gateway/gateway.rego': text = '' } = flatPolicy('allow');
  await writePolicy(join(folder, 'bundle'), { '.manifest': '{"revision": "v7"}', 'gateway/gateway.rego': text });
  const path = await config(plain(0).replace('path: policies', 'bundle: bundle'));
  const rego = await castellan(['check', '--config', path]);
  assert.equal(rego.code, 0, rego.stdout);
  assert.match(rego.stdout, /1 policy test passed/);
  await writePolicy(join(folder, 'bundle'), { 'policy.wasm': 'nonsense' });
  const broken = await castellan(['check', '--config', path]);
  assert.equal(broken.code, 1, broken.stdout);
  await castellan(['policy', 'build', '--policy', join(folder, 'policies'), '--output', join(folder, 'bundle')], { cwd: folder });
  const module = await castellan(['check', '--config', path]);
  assert.equal(module.code, 0, module.stdout);
  assert.match(module.stdout, /0 policy tests passed/);
});

test('check: a policy whose tests fail', async () => {
  const path = await config(plain(0));
  await writePolicy(join(folder, 'policy-tests'), { 'more_test.rego': 'package more_test\n\ntest_no if 1 == 2\n' });
  try {
    const { code, stdout } = await castellan(['check', '--config', path]);
    assert.equal(code, 1);
    assert.match(stdout, /data\.more_test\.test_no: FAIL/);
  } finally {
    await rm(join(folder, 'policy-tests', 'more_test.rego'));
  }
});

test('serve: listens, reloads on SIGHUP, stops on SIGTERM with exit code 0', async () => {
  const path = await config(plain(0));
  const serving = new RunningCommand(['serve', '--config', path]);
  const url = await serving.saw(({ stderr }) => /^castellan listens on (http:\S+)$/m.exec(stderr)?.[1]);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
  serving.signal('SIGHUP');
  await serving.saw(({ stdout }) => stdout.includes('"event":"config.reloaded"'));
  serving.signal('SIGTERM');
  const { code, stdout, stderr } = await serving.ended;
  assert.equal(code, 0);
  assert.match(stderr, /SIGTERM: finishing what was accepted\n$/);
  for (const line of stdout.trimEnd().split('\n')) assert.equal(typeof (JSON.parse(line) as { event: unknown }).event, 'string');
  assert.match(stdout, /"event":"gateway\.stopped"/);
});

test('serve: a bad configuration, and a port that is taken: exit code 2, nothing serves', async () => {
  const path = await config(plain(0, 'lisen: {}\n'));
  const bad = await castellan(['serve', '--config', path]);
  assert.deepEqual([bad.code, bad.stdout], [2, '']);
  assert.match(bad.stderr, /castellan\.yaml:5:1: lisen: /);
  const taken = createServer();
  await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening));
  try {
    const { port } = taken.address() as AddressInfo;
    const { code, stderr } = await castellan(['serve', '--config', await config(plain(port))]);
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`error: \`127\\.0\\.0\\.1:${port}\` is in use; free it, or choose another port`));
  } finally {
    taken.close();
  }
});

test('serve: a database that cannot be reached: exit code 4', async () => {
  const path = await config(plain(0).replace(/store: .*/, 'store: { postgres: { url: { env: DATABASE_URL } } }'));
  const { code, stderr } = await castellan(['serve', '--config', path], { env: { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' } });
  assert.equal(code, 4, stderr);
  assert.match(stderr, /\(store\.unavailable\)\n$/);
});
