import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { createPolicyEngine } from '../../src/policy/pool.ts';
import { Opa } from '../../src/rego/opa.ts';
import { servedBuiltins } from '../../src/rego/served-builtins.ts';
import { insidePath, readArchive } from '../../src/release/bundle-archive.ts';
import { readBundle } from '../../src/release/bundle-source.ts';
import { readPolicySource } from '../../src/release/policy-source.ts';
import type { ReleaseManager, ReleaseManagerOptions } from '../../src/release/release-ports.ts';
import { stockOpa, withoutStockOpa } from '../rego/fixture.ts';
import { answer, policy, Workshop } from './workshop.ts';

const limits = { maxFiles: 20, maxTotalBytes: 100_000 };

interface Entry {
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly type?: string;
}

/** A gzipped tar of these entries, header by header. */
function archive(entries: readonly Entry[]): Buffer {
  const blocks = entries.flatMap(({ name, content = '', type = '0' }) => {
    const body = Buffer.from(content);
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write('0000644\0', 100);
    header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write(type, 156);
    header.write('ustar\x0000', 257);
    header.fill(' ', 148, 156);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0`,
      148,
    );
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

describe('an archive', () => {
  test('is read as it was written, with paths from its root', () => {
    const files = readArchive(
      archive([
        { name: '/data.json', content: '{}' },
        { name: './a/b.rego', content: 'é' },
        { name: 'a', type: '5' },
      ]),
      limits,
    );
    assert.deepEqual(
      [...files].map(([name, content]) => [name, Buffer.from(content).toString()]),
      [
        ['data.json', '{}'],
        ['a/b.rego', 'é'],
      ],
    );
  });

  test('may have long paths, in either notation', () => {
    const path = `${'d'.repeat(90)}/${'e'.repeat(90)}.rego`;
    const record = `path=${path}\n`;
    const length = record.length + 4;
    const pax = archive([
      { name: 'x', type: 'x', content: `${length} ${record}` },
      { name: 'short', content: 'a' },
    ]);
    const gnu = archive([
      { name: '././@LongLink', type: 'L', content: `${path}\0` },
      { name: 'short', content: 'a' },
    ]);
    for (const packed of [pax, gnu]) assert.deepEqual([...readArchive(packed, limits).keys()], [path]);
  });

  const one = (name: string, type = '0'): Buffer => archive([{ name, type }]);
  const bad: readonly [title: string, packed: Buffer, message: RegExp][] = [
    ['with a path that leads out', one('../../etc/passwd'), /`\.\.\/\.\.\/etc\/passwd` does not stay inside/],
    ['with a path that leads out on its way', one('a/../../b'), /does not stay inside/],
    ['with a path of Windows', one('a\\..\\b'), /does not stay inside/],
    ['with a symbolic link', one('data.json', '2'), /`data\.json` is a link or a device/],
    ['with a hard link', one('data.json', '1'), /is a link or a device/],
    ['with a device', one('null', '3'), /is a link or a device/],
    ['with a file twice', archive([{ name: 'a' }, { name: '/a' }]), /`a` is in it twice/],
    ['with too many files', archive(Array.from({ length: 21 }, (_, index) => ({ name: `f${index}` }))), /more than 20 files/],
    ['that unpacks to far more than it is', gzipSync(Buffer.alloc(50_000_000)), /unpacked it is larger than 100000 bytes/],
    ['that is no gzip', Buffer.from('hello'), /no gzipped tar/],
    ['that is no tar', gzipSync(Buffer.alloc(1024, 65)), /no tar, or damaged/],
  ];
  for (const [title, packed, message] of bad) {
    test(`${title} is refused`, () => {
      assert.throws(() => readArchive(packed, limits), { code: 'policy.invalid', message });
    });
  }

  test('path is one below the root, whatever it begins with', () => {
    assert.equal(insidePath('/./a/b'), 'a/b');
    for (const path of ['', '/', 'a//b', 'a/./b', 'a\0b'])
      assert.throws(() => insidePath(path), { code: 'policy.invalid' }, JSON.stringify(path));
  });
});

describe('a bundle from elsewhere', () => {
  const opa = new Opa();
  let root = '';
  const managers: ReleaseManager[] = [];
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'castellan-bundle-'));
  });
  after(async () => {
    await Promise.all(managers.map(async (manager) => manager.close()));
    await opa.close();
    await rm(root, { recursive: true, force: true });
  });

  async function put(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    return path;
  }

  async function manager(path: string, options: Partial<ReleaseManagerOptions> = {}): Promise<ReleaseManager> {
    const workshop = new Workshop(root, opa);
    const made = await workshop.manager({
      source: { kind: 'bundle', path },
      test: undefined,
      createEngine: async (module, dataJson) =>
        createPolicyEngine({
          module,
          dataJson,
          builtins: { names: servedBuiltins, callerUrl: new URL('../../src/rego/builtins.ts', import.meta.url).href },
        }),
      ...options,
    });
    managers.push(made);
    return made;
  }

  const built = async (text: string, data = '{"who": "data"}'): Promise<Uint8Array> =>
    (
      await opa.build({
        files: { 'p.rego': text, 'data.json': data },
        entrypoints: ['gateway/call', 'gateway/list', 'gateway/message', 'gateway/result'],
      })
    ).wasm;

  test('of Rego alone is compiled here, and its revision names the release', async () => {
    const content = [
      { name: '/.manifest', content: '{"revision": "v1.2 (main)", "roots": ["gateway", "who"]}' },
      { name: '/data.json', content: '{"who": "ann"}' },
      { name: '/gateway/p.rego', content: policy('{data.who}').replace('"message": "', '"message": $"') },
    ];
    const path = await put('rego.tar.gz', archive(content));
    const held = await manager(path);
    assert.equal(held.status().candidate, undefined);
    assert.match(held.current()?.id ?? '', /^v1\.2-main-@[0-9a-f]{12}$/);
    assert.equal(await answer(held), 'ann');
  });

  test('may lie unpacked in a folder', async () => {
    await put('folder/.manifest', JSON.stringify({ revision: 'f'.repeat(40) }));
    await put('folder/gateway/p.rego', policy('from a folder'));
    const held = await manager(join(root, 'folder'));
    assert.match(held.current()?.id ?? '', /^f{12}@[0-9a-f]{12}$/);
    assert.equal(await answer(held), 'from a folder');
  });

  test('with a module is taken as it is, with its data', async () => {
    const wasm = await built(policy('x').replace('"message": "x"', '"message": data.who'));
    const path = await put(
      'wasm.tar.gz',
      archive([
        { name: '/policy.wasm', content: wasm },
        { name: '/data.json', content: '{"who": "bob"}' },
      ]),
    );
    const held = await manager(path);
    assert.equal(held.status().candidate, undefined);
    assert.match(held.current()?.id ?? '', /^bundle@/);
    assert.equal(held.current()?.reads('gateway/call'), null);
    assert.equal(await answer(held), 'bob');
  });

  test('that is replaced comes into force, and one that is broken does not', async () => {
    const path = await put('live.tar.gz', archive([{ name: 'gateway/p.rego', content: policy('one') }]));
    const held = await manager(path, { debounceMs: 20 });
    assert.equal(await answer(held), 'one');
    await rename(await put('next', archive([{ name: 'gateway/p.rego', content: policy('two') }])), path);
    for (let tries = 0; tries < 100 && (await answer(held)) !== 'two'; tries++) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(await answer(held), 'two');
    await writeFile(path, 'nonsense');
    assert.match((await held.reload()).candidate?.error ?? '', /no gzipped tar/);
    assert.equal(await answer(held), 'two');
  });

  const refusals: readonly [title: string, entries: () => Promise<readonly Entry[]>, message: RegExp][] = [
    [
      'without an entrypoint',
      async () => [
        {
          name: 'policy.wasm',
          content: (await opa.build({ files: { 'p.rego': 'package gateway\n\ncall := 1' }, entrypoints: ['gateway/call'] })).wasm,
        },
      ],
      /gateway\/call` gave a malformed answer/,
    ],
    [
      'that asks for what is not served',
      async () => [
        {
          name: 'policy.wasm',
          content: await built(
            `${policy('x')}\nresult := http.send({"method": "get", "url": "x"}) if input.never`.replace('\nresult := call\n', ''),
          ),
        },
      ],
      /not served here: `http\.send`/,
    ],
    ['whose module is none', async () => [{ name: 'policy.wasm', content: 'nothing' }], /WebAssembly/],
    ['of two modules', async () => [{ name: 'a.wasm' }, { name: 'b.wasm' }], /more than one module/],
    ['that is a delta', async () => [{ name: 'patch.json', content: '{"data": []}' }], /delta bundle/],
    ['of Rego v0', async () => [{ name: '.manifest', content: '{"rego_version": 0}' }, { name: 'a.rego' }], /Rego v0/],
    ['whose manifest is no JSON', async () => [{ name: '.manifest', content: '{' }, { name: 'a.rego' }], /`\.manifest` is no JSON object/],
    ['with nothing to decide', async () => [{ name: 'data.json', content: '{}' }], /neither a module .* nor Rego/],
    [
      'whose data is no object',
      async () => [
        { name: 'policy.wasm', content: 'x' },
        { name: 'data.json', content: '[1]' },
      ],
      /`data\.json` that is no JSON object/,
    ],
    [
      'whose rules lie outside its roots',
      async () => [
        { name: '.manifest', content: '{"roots": ["other"]}' },
        { name: 'a.rego', content: policy('x') },
      ],
      /roots/,
    ],
  ];
  for (const [title, entries, message] of refusals) {
    test(`${title} does not come into force`, async () => {
      const held = await manager(await put(`${title.replaceAll(' ', '-')}.tar.gz`, archive(await entries())));
      assert.equal(held.current(), undefined);
      assert.match(held.status().candidate?.error ?? '', message);
    });
  }

  test('of stock opa with the shipped policies passes their golden cases', { skip: withoutStockOpa }, async () => {
    const shipped = fileURLToPath(new URL('../../policies', import.meta.url));
    const tests = fileURLToPath(new URL('../../policy-tests', import.meta.url));
    const entries = ['call', 'list', 'mask', 'message', 'result'].flatMap((name) => ['-e', `gateway/${name}`]);
    for (const [name, target] of [
      ['stock-rego', []],
      ['stock-wasm', ['-t', 'wasm', '--prune-unused', ...entries]],
    ] as const) {
      const path = join(root, `${name}.tar.gz`);
      execFileSync(stockOpa() ?? '', ['build', '-b', shipped, '--revision', name, '--ignore', '*_test.rego', ...target, '-o', path]);
      const held = await manager(path, { source: { kind: 'bundle', path, testsPath: tests } });
      assert.equal(held.status().candidate?.error, undefined, name);
      assert.match(held.current()?.id ?? '', new RegExp(`^${name}@`));
      const source = await readBundle(path, tests);
      assert.deepEqual(source.cases, (await readPolicySource(shipped, tests)).cases);
    }
  });
});
