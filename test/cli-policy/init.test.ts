import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { castellan, type Ended } from '../cli/castellan.ts';
import { stockOpa, withoutStockOpa } from '../rego/fixture.ts';

let scratch = '';
let folder = '';
let started: Ended;
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'castellan-init-'));
  folder = join(scratch, 'new', 'policy');
  started = await castellan(['init', folder, '--json']);
});
after(() => rm(scratch, { recursive: true, force: true }));

/** The commands of the repository's own workflow that start with `program`. */
async function steps(program: string): Promise<readonly (readonly string[])[]> {
  const workflow = await readFile(join(folder, '.github/workflows/policy.yml'), 'utf8');
  return [...workflow.matchAll(/^ +- run: (.*)$/gm)]
    .map(([, command = '']) => command.split(' '))
    .filter(([first]) => first === program)
    .map(([, ...args]) => args);
}

/** Stock OPA in the new repository. @throws Error with what it said */
async function stock(...args: readonly string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    execFile(stockOpa() ?? 'opa', args, { cwd: folder, maxBuffer: 1e8 }, (error, stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`opa ${args.join(' ')}\n${stdout}${stderr}`, { cause: error }));
    });
  });
}

describe('castellan init', () => {
  test('writes configuration, rules, tests, cases, data, schemas, capabilities, README and a workflow', async () => {
    const { files } = JSON.parse(started.stdout) as { files: string[] };
    assert.equal(started.code, 0);
    for (const file of [
      'castellan.yaml',
      'README.md',
      '.castellan-lint.yaml',
      '.github/workflows/policy.yml',
      '.gitignore',
      'policies/data.json',
      'policies/capabilities.json',
      'policies/schemas/input.json',
      'policies/gateway/call.rego',
      'policies/rules/secrets/egress.rego',
      'policy-tests/rules/secrets/egress_test.rego',
      'policy-tests/cases/secrets/egress.json',
    ])
      assert.ok(files.includes(file), file);
    await Promise.all(files.map((file) => access(join(folder, file))));
  });

  test('gives a repository that passes its own workflow: our steps', async () => {
    const all = await steps('castellan');
    assert.deepEqual(
      all.map(([command, sub]) => (command === 'policy' ? sub : command)),
      ['fmt', 'check', 'test', 'check'],
    );
    for (const args of all) {
      const { code, stdout, stderr } = await castellan(args, { cwd: folder });
      assert.equal(code, 0, `castellan ${args.join(' ')}\n${stdout}${stderr}`);
    }
  });

  test('gives a repository that passes its own workflow: the steps of stock OPA', { skip: withoutStockOpa }, async () => {
    const all = await steps('opa');
    assert.deepEqual(
      all.map(([command]) => command),
      ['fmt', 'check', 'test', 'test'],
    );
    for (const args of all) {
      await stock(...args);
    }
  });

  test('gives policies that stock OPA builds and signs', { skip: withoutStockOpa }, async () => {
    const bundle = join(scratch, 'bundle.tar.gz');
    const entrypoints = ['call', 'result', 'message', 'list', 'mask'].flatMap((name) => ['-e', `gateway/${name}`]);
    await stock(
      'build',
      '-b',
      'policies',
      '-t',
      'wasm',
      ...entrypoints,
      '--prune-unused',
      '--capabilities',
      'policies/capabilities.json',
      '-o',
      bundle,
    );
    await stock('sign', '--signing-alg', 'HS256', '--signing-key', 'secret', '-b', bundle, '-o', scratch);
    await Promise.all([access(bundle), access(join(scratch, '.signatures.json'))]);
  });

  test('refuses a folder that is not empty, and a file, and changes nothing', async () => {
    const full = join(scratch, 'full');
    await mkdir(full);
    await writeFile(join(full, 'mine.txt'), 'mine');
    for (const [path, message] of [
      [full, /is not empty \(it has `mine\.txt`\); choose a folder that is not there yet \(request\.invalid\)/],
      [join(full, 'mine.txt'), /is a file; choose a folder that is not there yet \(request\.invalid\)/],
    ] as const) {
      const { code, stderr } = await castellan(['init', path]);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
    assert.equal(await readFile(join(full, 'mine.txt'), 'utf8'), 'mine');
  });

  test('takes an empty folder that is there', async () => {
    const empty = join(scratch, 'empty');
    await mkdir(empty);
    const { code, stdout } = await castellan(['init', '.'], { cwd: empty });
    assert.equal(code, 0);
    assert.match(stdout, /^\d+ files in `\.`; next:/);
  });
});
