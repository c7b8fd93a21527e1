import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';

const source = new URL('../src/', import.meta.url).pathname;

/** Rooms in the order in which they may be imported: a room imports itself and what stands in a column before it. */
const layer: Readonly<Record<string, number>> = {
  model: 0,
  config: 1,
  identity: 1,
  upstream: 1,
  rego: 1,
  policy: 1,
  release: 1,
  content: 1,
  approval: 1,
  audit: 1,
  sinks: 1,
  store: 1,
  observe: 1,
  call: 2,
  workshop: 2,
  replay: 2.5,
  http: 3,
  cli: 3,
  demo: 4,
  app: 5,
  main: 6,
  version: 0,
};

/** Each package has one door. `type` imports count too: a type is a dependency on a package's shapes. */
const doors: readonly { readonly pattern: RegExp; readonly allowed: RegExp }[] = [
  { pattern: /^express$/, allowed: /^http\// },
  { pattern: /^@modelcontextprotocol\/sdk/, allowed: /^(http\/mcp|upstream\/|demo\/)/ },
  { pattern: /^@open-policy-agent\/opa-wasm/, allowed: /^policy\/(wasm|opa-wasm)/ },
  { pattern: /^(jose|openid-client)/, allowed: /^(identity\/|upstream\/credentials)/ },
  { pattern: /^ajv/, allowed: /^model\/validate\.ts$/ },
  { pattern: /^winston/, allowed: /^observe\// },
  { pattern: /^(pg|node:sqlite)$/, allowed: /^store\// },
  { pattern: /^(undici|eventsource-parser)/, allowed: /^upstream\// },
  { pattern: /^prom-client/, allowed: /^observe\// },
  { pattern: /^commander/, allowed: /^cli\// },
  { pattern: /^yaml/, allowed: /^(config|release)\// },
  { pattern: /^(re2js|ibantools)/, allowed: /^content\// },
  { pattern: /^aws4fetch/, allowed: /^sinks\/s3-objects\.ts$/ },
  { pattern: /^@opentelemetry\//, allowed: /^observe\/(otel|trace)/ },
  { pattern: /^hyparquet-writer/, allowed: /^audit\/export/ },
  { pattern: /^oidc-provider/, allowed: /^demo\// },
  { pattern: /^confusables/, allowed: /^model\/look-alike\.ts$/ },
  { pattern: /^minisearch/, allowed: /^call\/tool-search\.ts$/ },
];

/** `identity` may use the OAuth login from the command line: signing in has no room of its own. */
const exceptions = new Set(['cli -> identity']);

interface Import {
  readonly file: string;
  readonly specifier: string;
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.ts$/.test(entry.name) && !entry.name.endsWith('.d.ts'))
    .map((entry) => relative(source, join(entry.parentPath, entry.name)));
}

function imports(): Import[] {
  return files(source).flatMap((file) => {
    const text = readFileSync(join(source, file), 'utf8');
    return [
      ...text.matchAll(
        /(?:^|\n)\s*(?:import|export)\b[^'"\n]*?(?:from\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|\bfrom\s+['"]([^'"]+)['"]/g,
      ),
    ].map((match) => ({
      file,
      specifier: match[1] ?? match[2] ?? match[3] ?? '',
    }));
  });
}

const roomOf = (path: string): string => (path.split('/')[0] ?? '').replace(/\.ts$/, '');

test('rooms import only inward', () => {
  const wrong: string[] = [];
  for (const { file, specifier } of imports()) {
    if (!specifier.startsWith('.')) continue;
    const target = relative(source, join(source, file, '..', specifier));
    if (target.startsWith('..')) continue;
    const [from, to] = [roomOf(file), roomOf(target)];
    if (from === to || exceptions.has(`${from} -> ${to}`)) continue;
    const [a, b] = [layer[from], layer[to]];
    if (a === undefined || b === undefined) wrong.push(`${file}: room of \`${specifier}\` is not in the plan`);
    else if (b >= a) wrong.push(`${file} imports ${target}`);
  }
  assert.deepEqual(wrong, []);
});

test('each package has one door', () => {
  const wrong: string[] = [];
  for (const { file, specifier } of imports()) {
    for (const { pattern, allowed } of doors)
      if (pattern.test(specifier) && !allowed.test(file)) wrong.push(`${file} imports ${specifier}`);
  }
  assert.deepEqual([...new Set(wrong)], []);
});

test('a permit is minted in one place', () => {
  const minting = files(source).filter((file) => /\bPermit\.mint\(/.test(readFileSync(join(source, file), 'utf8')));
  assert.deepEqual(minting, ['call/act.ts']);
});

test('no catch is empty', () => {
  const empty = files(source).filter((file) => /catch\s*(\([^)]*\))?\s*\{\s*\}/.test(readFileSync(join(source, file), 'utf8')));
  assert.deepEqual(empty, []);
});
