import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = new URL('../', import.meta.url);

interface Loaded {
  /** Addresses of modules, in the order in which they were loaded. */
  readonly modules: readonly string[];
  /** Characters of the packages' modules: V8 keeps them all. */
  readonly packageChars: number;
  /** Modules of Node itself. */
  readonly builtins: readonly string[];
}

/** What a fresh process loads that runs `script`. */
async function loadedBy(script: string): Promise<Loaded> {
  const watched = `
    import { registerHooks } from 'node:module';
    import { statSync } from 'node:fs';
    const modules = [];
    let packageChars = 0;
    registerHooks({
      load(url, context, next) {
        const loaded = next(url, context);
        if (url.startsWith('file:')) modules.push(url);
        if (url.includes('/node_modules/')) packageChars += loaded.source?.length ?? statSync(new URL(url)).size;
        return loaded;
      },
    });
    ${script}
    const builtins = process.moduleLoadList.filter((name) => name.startsWith('NativeModule ')).map((name) => name.slice(13));
    process.stdout.write(JSON.stringify({ modules, packageChars, builtins }), () => process.exit());`;
  const run = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', watched], {
    cwd: root,
    maxBuffer: 16 * 1_048_576,
  });
  return JSON.parse(run.stdout) as Loaded;
}

const packages = ({ modules }: Loaded): string[] => [
  ...new Set(modules.flatMap((url) => /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? [])),
];

const serve = `
  const { createProgram } = await import('./src/cli/program.ts');
  await createProgram({ app: {}, output: { colors: false }, exit: () => undefined }, ['serve', '--config', 'castellan.yaml']);
  await import('./src/app.ts');
  await import('./src/app/gateway.ts');`;

test('a gateway that serves loads no package that only other commands, or other configurations, use', async () => {
  const loaded = await loadedBy(serve);
  const found = packages(loaded);
  for (const used of ['express', 'jose', 'undici', 'ajv', 'winston']) assert.ok(found.includes(used), `${used} is loaded`);
  const unused = [
    '@bjorn3/browser_wasi_shim',
    '@modelcontextprotocol/sdk',
    '@open-policy-agent/opa-wasm',
    'aws4fetch',
    'hyparquet-writer',
    'oauth4webapi',
    'oidc-provider',
    'openid-client',
    'pg',
    'standardwebhooks',
  ];
  assert.deepEqual(
    found.filter((name) => unused.includes(name) || /^@opentelemetry\/(?!api$)/.test(name)),
    [],
  );
  assert.ok(loaded.packageChars < 3_200_000, `packages bring ${loaded.packageChars} characters`);
});

test('a gateway that serves loads the modules of one command', async () => {
  const { modules } = await loadedBy(serve);
  const own = modules.filter((url) => !url.includes('/node_modules/')).map((url) => url.slice(root.href.length));
  assert.deepEqual(own.filter((path) => path.startsWith('src/cli/')).sort(), [
    'src/cli/exit-codes.ts',
    'src/cli/output.ts',
    'src/cli/program.ts',
    'src/cli/serve.ts',
  ]);
  assert.deepEqual(
    own.filter((path) => /^src\/app\/(admin|analysis|authoring|audit-|engine-tools|integrity|receipts|replay|suggest)/.test(path)),
    [],
  );
});

test('a gateway that serves has one HTTP client: Node’s fetch, which brings another, is not loaded with it', async () => {
  const { builtins, modules } = await loadedBy(serve);
  assert.ok(builtins.includes('http'));
  assert.ok(!builtins.includes('internal/deps/undici/undici'));
  assert.ok(!modules.some((url) => url.endsWith('/undici/index.js')));
});

test('the thread that writes the audit log to SQLite loads no package', async () => {
  const loaded = await loadedBy(`await import('./src/audit/worker.ts'); await import('./src/store/open.ts');`);
  assert.deepEqual(packages(loaded), []);
});
