import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Matrix } from '../../src/workshop/matrix.ts';
import { castellan } from '../cli/castellan.ts';

const policies = fileURLToPath(new URL('../../policies', import.meta.url));
const server = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-memory/dist/index.js');

test('the matrix asks the configured upstreams for their tools, and has a row for each with every role', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-matrix-'));
  try {
    const config = join(folder, 'castellan.yaml');
    await writeFile(
      config,
      `version: 1
issuers: [{ issuer: "http://127.0.0.1:1", audience: [x], algorithms: [ES256] }]
upstreams:
  memory:
    stdio: { command: ${JSON.stringify(process.execPath)}, args: [${JSON.stringify(server)}], env: { MEMORY_FILE_PATH: ${JSON.stringify(join(folder, 'memory.json'))} } }
    pinning: first_seen
endpoints: { default: { upstreams: [{ name: memory }] } }
policy: { path: ${JSON.stringify(policies)}, run_tests: false }
store: { sqlite: { path: castellan.db } }
`,
    );
    const { code, stdout, stderr } = await castellan(['--json', 'policy', 'matrix', '--policy', policies, '--config', config]);
    assert.equal(code, 0, stderr);
    const { roles, tools, cells } = JSON.parse(stdout) as Matrix;
    const effect = (tool: string, role: string): string | undefined =>
      cells[tools.findIndex(({ name }) => name === tool)]?.[roles.indexOf(role)]?.effect;
    assert.ok(tools.every(({ server }) => server === 'memory'));
    assert.deepEqual(
      [effect('read_graph', 'support'), effect('create_entities', 'support'), effect('delete_entities', 'engineering')],
      ['allowed', 'denied', 'needs approval'],
    );
    assert.equal(cells.length, tools.length);
    assert.ok(cells.every((row) => row.length === roles.length));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
