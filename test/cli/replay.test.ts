import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { exportFile } from '../replay/export-file.ts';
import { Releases, root, shippedFiles } from '../replay/releases.ts';
import { person, Recorder, tool } from '../replay/traffic.ts';
import { castellan } from './castellan.ts';

const run = promisify(execFile);
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-replay-'));
  const releases = new Releases();
  const engine = await releases.engine(await releases.of(await shippedFiles()));
  const recorder = new Recorder(engine);
  for (let turn = 0; turn < 10; turn++) {
    await recorder.call(person('alice', ['engineering']), tool('memory', 'create_entities', { labels: ['write', 'read'] }), { turn });
    await recorder.call(person('bob', ['support']), tool('memory', 'read_graph', { labels: ['read'] }), { turn });
  }
  await engine.close();
  await releases.close();
  await writeFile(join(folder, 'traffic.jsonl'), exportFile(recorder.recorded, recorder.windowMs));
  await cp(join(root, 'policies'), join(folder, 'policies'), { recursive: true });
  const git = async (...args: string[]): Promise<unknown> =>
    run('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.org', ...args], { cwd: folder });
  await git('init', '--quiet');
  await git('add', 'policies');
  await git('commit', '--quiet', '--message', 'before');
  const data = JSON.parse(await readFile(join(folder, 'policies/data.json'), 'utf8')) as { grants: Record<string, unknown> };
  data.grants['support'] = {};
  await writeFile(join(folder, 'policies/data.json'), JSON.stringify(data));
});
after(() => rm(folder, { recursive: true, force: true }));

test('a stricter folder goes beyond its bound: exit code 1, and the page, the comment and the text all say so', async () => {
  const ended = await castellan(
    ['replay', '--from', 'traffic.jsonl', '--against', 'policies', '--max-newly-denied', '0.1%', '--html', 'r.html', '--markdown', 'r.md'],
    { cwd: folder },
  );
  assert.equal(ended.code, 1, ended.stderr);
  assert.match(ended.stdout, /10 of 40 replayed decisions differ, as recorded: 10 newly denied/);
  assert.match(ended.stdout, /over the bound: newly denied: 10, and at most 0\.1% of 40 may be/);
  assert.match(await readFile(join(folder, 'r.html'), 'utf8'), /Over the bounds/);
  assert.match(await readFile(join(folder, 'r.md'), 'utf8'), /Over the bounds/);
});

test('the revision that decided gives nothing, as JSON', async () => {
  const ended = await castellan(['replay', '--from', 'traffic.jsonl', '--against', 'HEAD', '--max-changed', '0', '--json'], {
    cwd: folder,
  });
  assert.equal(ended.code, 0, ended.stderr);
  const report = JSON.parse(ended.stdout) as { changed: number; replayed: number; over: string[] };
  assert.deepEqual([report.changed, report.replayed, report.over], [0, 40, []]);
});

test('a bad bound, a bad time and no source are told before anything is read', async () => {
  for (const [args, words] of [
    [['--from', 'traffic.jsonl', '--max-newly-denied', '1.5'], /is no bound/],
    [['--from', 'traffic.jsonl', '--since', 'yesterday'], /is no time/],
    [[], /give `--config` or `--from`/],
    [['--from', 'policies/data.json'], /is no export for replay/],
  ] as const) {
    const ended = await castellan(['replay', '--against', 'policies', ...args], { cwd: folder });
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, words);
  }
});
