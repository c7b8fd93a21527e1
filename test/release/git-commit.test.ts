import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Opa } from '../../src/rego/opa.ts';
import { gitCommit } from '../../src/release/git-commit.ts';
import { policy, Workshop } from './workshop.ts';

const scratch = mkdtempSync(join(tmpdir(), 'castellan-git-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

function git(folder: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'commit.gpgsign=false', '-c', 'core.hooksPath=/dev/null'];
  return execFileSync('git', [...identity, ...args], { cwd: folder, encoding: 'utf8' }).trim();
}

function repository(name: string): string {
  const root = join(scratch, name);
  mkdirSync(join(root, 'policies'), { recursive: true });
  writeFileSync(join(root, 'policies', 'a.rego'), 'package a\n');
  git(root, 'init', '-q');
  git(root, 'add', '.');
  git(root, 'commit', '-q', '-m', 'one');
  return root;
}

describe('the commit of a policy folder', () => {
  test('is the whole hash, and says where files differ from it', async () => {
    const root = repository('plain');
    const folder = join(root, 'policies');
    const head = git(root, 'rev-parse', 'HEAD');
    assert.equal(await gitCommit(folder), head);
    writeFileSync(join(root, 'elsewhere.txt'), 'x');
    assert.equal(await gitCommit(folder), head);
    writeFileSync(join(folder, 'new.rego'), 'package new\n');
    assert.equal(await gitCommit(folder), `${head}-dirty`);
    git(root, 'add', '.');
    git(root, 'commit', '-q', '-m', 'two');
    assert.equal(await gitCommit(folder), git(root, 'rev-parse', 'HEAD'));
    writeFileSync(join(folder, 'a.rego'), 'package b\n');
    assert.equal(await gitCommit(folder), `${git(root, 'rev-parse', 'HEAD')}-dirty`);
  });

  test('is null outside Git and before the first commit', async () => {
    assert.equal(await gitCommit(scratch), null);
    const empty = join(scratch, 'empty');
    mkdirSync(empty);
    git(empty, 'init', '-q');
    assert.equal(await gitCommit(empty), null);
    assert.equal(await gitCommit(join(scratch, 'is-not-there')), null);
  });

  test('is told without running what the repository names as its file system monitor', async () => {
    const root = repository('hostile');
    const trace = join(scratch, 'ran');
    const script = join(root, 'monitor.sh');
    writeFileSync(script, `#!/bin/sh\ntouch ${trace}\n`);
    chmodSync(script, 0o755);
    git(root, 'config', 'core.fsmonitor', script);
    assert.equal(await gitCommit(join(root, 'policies')), git(root, '-c', 'core.fsmonitor=false', 'rev-parse', 'HEAD'));
    assert.equal(existsSync(trace), false);
  });
});

test('a release names its commit, and the next commit of the same files renames it without a swap of engines', async () => {
  const opa = new Opa();
  const workshop = await Workshop.open(opa, { 'policies/gateway.rego': policy('one') });
  try {
    git(workshop.root, 'init', '-q');
    git(workshop.root, 'add', '.');
    git(workshop.root, 'commit', '-q', '-m', 'one');
    const head = git(workshop.root, 'rev-parse', 'HEAD');
    const manager = await workshop.manager();
    const first = manager.current();
    assert.equal(first?.commit, head);
    assert.equal(first.id, `${head.slice(0, 12)}@${first.digest.slice(7, 19)}`);

    await workshop.write({ 'policies/gateway.rego': policy('two') });
    await manager.reload();
    const second = manager.current();
    assert.ok(second);
    assert.equal(second.id, `${head.slice(0, 12)}-dirty@${second.digest.slice(7, 19)}`);

    git(workshop.root, 'commit', '-q', '-a', '-m', 'two');
    await manager.reload();
    const third = manager.current();
    assert.equal(third?.commit, git(workshop.root, 'rev-parse', 'HEAD'));
    assert.equal(third.digest, second.digest);
    assert.equal(third.engine, second.engine);
    assert.equal(workshop.builds, 2);
  } finally {
    await workshop.close();
    await opa.close();
  }
});
