import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { application } from '../../src/app.ts';
import { freePort } from '../../src/demo/demo-setup.ts';
import { castellan } from '../cli/castellan.ts';
import { engines } from '../contract/engines.ts';
import { RawAgent } from '../support/gateway.ts';
import { answers, startProcess } from '../support/running.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const everything = join(
  dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/package.json')),
  'dist',
  'index.js',
);

interface Service {
  readonly image: string;
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly networks: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly cap_drop?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(await readFile(join(root, 'compose.yaml'), 'utf8'), { merge: true }) as Compose;

test('compose.yaml: what it names is there, and only the gateway can be reached, from this machine alone', () => {
  assert.deepEqual(Object.keys(compose.services), ['gateway', 'postgres', 'everything', 'files']);
  for (const [name, service] of Object.entries(compose.services)) {
    assert.deepEqual(service.ports, name === 'gateway' ? ['127.0.0.1:8080:8080'] : undefined);
    for (const other of Object.keys(service.depends_on ?? {})) assert.ok(other in compose.services, other);
    for (const network of service.networks) assert.ok(network in compose.networks, network);
    for (const volume of service.volumes ?? []) {
      const [source = ''] = volume.split(':');
      if (!source.startsWith('./')) assert.ok(source in compose.volumes, source);
      else assert.ok(existsSync(join(root, source)), source);
    }
    if (name !== 'postgres') assert.deepEqual(service.cap_drop, ['ALL'], name);
  }
  assert.deepEqual([compose.networks['servers']?.internal, compose.networks['storage']?.internal], [true, true]);
});

for (const engine of engines) {
  const title = `the gateway of compose.yaml starts, takes a key that was made beside it, and serves both servers: ${engine.name}`;
  test(title, { skip: engine.skip }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'castellan-compose-'));
    const database = await engine.fresh();
    const [port, everythingPort, filesPort] = [await freePort(), await freePort(), await freePort()];
    const env = { ...process.env, HOST: '127.0.0.1', ROOT: folder };
    const servers = await Promise.all([
      startProcess(
        'everything',
        process.execPath,
        [everything, 'streamableHttp'],
        () => answers(`http://127.0.0.1:${everythingPort}/mcp`),
        { ...env, PORT: String(everythingPort) },
      ),
      startProcess(
        'files',
        process.execPath,
        [join(root, 'compose', 'files-server.mjs')],
        () => answers(`http://127.0.0.1:${filesPort}/mcp`),
        { ...env, PORT: String(filesPort) },
      ),
    ]);
    try {
      const configPath = join(folder, 'castellan.yaml');
      const databaseUrl = database.options.kind === 'postgres' ? database.options.url : '';
      const text = await readFile(join(root, 'compose', 'castellan.yaml'), 'utf8');
      await writeFile(
        configPath,
        here(text, { port, everythingPort, filesPort, sqlite: database.options.kind === 'sqlite' ? database.options.path : undefined }),
      );
      const gateway = await application.startGateway({
        configPath,
        env: { DATABASE_URL: databaseUrl, AUDIT_KEY: 'ab'.repeat(32), CHECKPOINT_KEY: 'cd'.repeat(32) },
      });
      try {
        const args = ['keys', 'create', 'my-agent', '--group', 'engineering', '--expires', '30', '--config', configPath, '--json'];
        const made = await castellan(args, {
          env: { DATABASE_URL: databaseUrl, AUDIT_KEY: 'ab'.repeat(32), CHECKPOINT_KEY: 'cd'.repeat(32) },
        });
        assert.equal(made.code, 0, made.stderr);
        const agent = await new RawAgent(`http://127.0.0.1:${port}/mcp/main`, (JSON.parse(made.stdout) as { key: string }).key).open();
        const read = await agent.call('read_text_file', { path: 'welcome.md' });
        assert.match(read.result.content[0].text as string, /served by the files server/);
        assert.match((await agent.call('echo', { message: 'hello' })).result.content[0].text as string, /hello/);
        const written = await agent.call('write_file', { path: 'new.txt', content: 'x' });
        assert.equal(written.result._meta['castellan/decision'].effect, 'require_approval');
        assert.equal((await agent.call('read_text_file', { path: '../etc/passwd' })).result.isError, true);
      } finally {
        await gateway.close();
      }
    } finally {
      for (const server of servers) await server.stop();
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** The configuration of compose.yaml with this machine's addresses and folders; nothing else is changed. */
function here(text: string, at: { port: number; everythingPort: number; filesPort: number; sqlite: string | undefined }): string {
  const changes: readonly (readonly [string, string])[] = [
    ['  port: 8080', `  port: ${at.port}`],
    ['public_url: http://127.0.0.1:8080', `public_url: http://127.0.0.1:${at.port}`],
    ['http://everything:3001', `http://127.0.0.1:${at.everythingPort}`],
    ['http://files:3002', `http://127.0.0.1:${at.filesPort}`],
    ['path: /etc/castellan/policies', `path: ${join(root, 'policies')}`],
    ['tests: /etc/castellan/policy-tests', `tests: ${join(root, 'policy-tests')}`],
    ['cache_dir: /var/lib/castellan/releases', `cache_dir: ${join(tmpdir(), 'castellan-test-cache')}`],
    ['  port: 9464', '  port: 0\n\nlog: { level: error }'],
    ...(at.sqlite === undefined ? [] : [['postgres: { url: { env: DATABASE_URL } }', `sqlite: { path: ${at.sqlite} }`] as const]),
  ];
  return changes.reduce((changed, [from, to]) => {
    assert.ok(changed.includes(from), `\`${from}\` is in compose/castellan.yaml`);
    return changed.replace(from, to);
  }, text);
}
