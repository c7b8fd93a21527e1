import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { allowedHosts, allowedOrigins, audiencesOf, endpointUrl, publicUrl } from '../../src/config/addresses.ts';
import { loadConfig } from '../../src/config/load.ts';
import { revealed } from '../../src/config/secret.ts';
import { folderWith } from './folder.ts';

const full = `version: 1
issuers:
  - issuer: https://idp.example
  - issuer: https://entra.example
    audience: [api://castellan]
upstreams:
  files:
    stdio:
      command: ./bin/files
      args: [--root, '.']
      cwd: data
      env: { MODE: ro, FILES_TOKEN: { env: FILES_TOKEN } }
    tools: { constructor: { labels: [destructive], idempotent: true } }
  billing:
    http: { url: 'http://billing:8080/mcp', headers: { X-Team: a } }
    credential: { static: { value: { file: secrets/billing }, scheme: Bearer } }
endpoints:
  support:
    upstreams: [{ name: billing }, { name: files, tools: ['read_*'] }]
    variants: [{ upstream: files, tool: read, as: read_docs, pin: { path: docs, deep: { list: [1, null] } } }]
`;

describe('a configuration that is right', () => {
  it('has every default in place with one line alone', (test) => {
    const folder = folderWith(test, { 'c.yaml': 'version: 1\n' });
    const { config, files, secrets } = loadConfig(join(folder, 'c.yaml'), {});
    assert.deepEqual(files, [join(folder, 'c.yaml')]);
    assert.deepEqual(secrets, []);
    assert.deepEqual(JSON.parse(JSON.stringify({ ...config, limits: undefined })), {
      version: 1,
      listen: { host: '127.0.0.1', port: 8080, allowed_hosts: [], allowed_origins: [] },
      tenant: 'default',
      environment: { name: 'production', labels: {} },
      issuers: [],
      issuer_keys: { refresh_s: 300, max_age_s: 600, stale_s: 3600 },
      api_keys: { enabled: true, default_lifetime_days: 90, max_lifetime_days: 365 },
      upstreams: {},
      endpoints: {},
      lockfile: join(folder, 'castellan.lock.json'),
      policy: {
        path: join(folder, 'policies'),
        tests: join(folder, 'policy-tests'),
        run_tests: true,
        narrow_lists: true,
        watch: true,
        deadline_ms: 50,
        memory_mb: 64,
        workers: 1,
        cache_dir: join(folder, '.castellan/releases'),
      },
      approvals: { wait_ms: 0, max_pending_per_identity: 100 },
      audit: {
        durability: 'full',
        inputs: { enabled: true, keep_days: 90, max_bytes: 262_144, earlier_keys: [] },
        records: { keep_days: {} },
        checkpoints: { enabled: true, records: 1000, interval_s: 30, push: [], earlier_keys: [] },
        sinks: [],
      },
      telemetry: {},
      store: { sqlite: { path: join(folder, '.castellan/castellan.db') } },
      content: { secrets: true, personal_data: ['email', 'card', 'ssn', 'iban'], hidden_text: true, max_scan_bytes: 1048576 },
      log: { level: 'info', format: 'json' },
      metrics: { enabled: true, host: '127.0.0.1' },
    });
  });

  it('has paths from its own folder, secrets read, and everything frozen', (test) => {
    const folder = folderWith(test, { 'c.yaml': full, 'secrets/billing': 'b-canary\n' });
    const { config, files, secrets } = loadConfig(join(folder, 'c.yaml'), { FILES_TOKEN: 'f-canary' });
    const stdio = config.upstreams['files']?.stdio;
    assert.equal(stdio?.command, join(folder, 'bin/files'));
    assert.equal(stdio.cwd, join(folder, 'data'));
    assert.deepEqual(Object.values(stdio.env).map(revealed), ['ro', 'f-canary']);
    assert.equal(config.upstreams['billing']?.credential?.static?.value.reveal(), 'b-canary');
    assert.deepEqual(files, [join(folder, 'c.yaml'), join(folder, 'secrets/billing')]);
    assert.deepEqual(secrets.map((secret) => secret.source).sort(), ['env FILES_TOKEN', 'file secrets/billing']);
    for (const part of [config, config.issuers, config.endpoints['support']?.variants[0]?.pin['deep']]) assert.ok(Object.isFrozen(part));
  });

  it('shows no secret in JSON, text, templates or inspection', (test) => {
    const folder = folderWith(test, { 'c.yaml': full, 'secrets/billing': 'b-canary' });
    const { config, secrets } = loadConfig(join(folder, 'c.yaml'), { FILES_TOKEN: 'f-canary' });
    const shown = [
      JSON.stringify(config),
      inspect(config, { depth: 20, showHidden: true }),
      secrets.join(),
      inspect(secrets),
      secrets.map((secret) => secret.toString()).join(),
    ];
    for (const text of shown) assert.doesNotMatch(text, /canary/);
    assert.match(shown[0] ?? '', /\[secret\]/);
  });

  it('has names that no prototype answers to', (test) => {
    const folder = folderWith(test, { 'c.yaml': full, 'secrets/billing': 'x' });
    const { config } = loadConfig(join(folder, 'c.yaml'), { FILES_TOKEN: 'x' });
    assert.equal(Reflect.has(config.upstreams, 'toString'), false);
    assert.equal(config.endpoints['support']?.upstreams[0]?.tools.length, 1);
    assert.deepEqual(Object.keys(config.upstreams['files']?.tools ?? {}), ['constructor']);
    assert.equal(Reflect.has(config.upstreams['billing']?.tools ?? {}, 'constructor'), false);
  });

  it('knows its addresses and audiences', (test) => {
    const folder = folderWith(test, { 'c.yaml': full, 'secrets/billing': 'x' });
    const { config } = loadConfig(join(folder, 'c.yaml'), { FILES_TOKEN: 'x' });
    assert.equal(publicUrl(config), 'http://127.0.0.1:8080');
    assert.equal(endpointUrl(config, 'support', 3456), 'http://127.0.0.1:3456/mcp/support');
    assert.deepEqual(audiencesOf(config, config.issuers[0]!, 'support', 1234), ['http://127.0.0.1:1234/mcp/support']);
    assert.deepEqual(audiencesOf(config, config.issuers[1]!, 'support', 1234), ['api://castellan']);
    assert.deepEqual([...allowedHosts(config, 99)], ['127.0.0.1:99', 'localhost:99', '[::1]:99']);
    const listen = {
      ...config.listen,
      host: '::',
      public_url: 'https://mcp.example.com',
      allowed_hosts: ['Castellan:8080'],
      allowed_origins: ['https://ui.example'],
    };
    assert.deepEqual([...allowedHosts({ listen })], ['mcp.example.com', 'castellan:8080']);
    assert.deepEqual([...allowedOrigins({ listen })], ['https://mcp.example.com', 'https://ui.example']);
  });

  it('may use anchors', (test) => {
    const folder = folderWith(test, { 'c.yaml': 'version: 1\nupstreams:\n  a: &a { stdio: { command: a } }\n  b: *a\n' });
    assert.equal(loadConfig(join(folder, 'c.yaml'), {}).config.upstreams['b']?.stdio?.command, 'a');
  });

  it('is what the example at the root is', () => {
    const { config } = loadConfig(new URL('../../castellan.yaml', import.meta.url).pathname, {});
    assert.deepEqual(Object.keys(config.endpoints), ['support']);
  });
});
