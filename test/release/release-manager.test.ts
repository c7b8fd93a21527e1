import assert from 'node:assert/strict';
import { readdir, readFile, rename, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPolicyEngine } from '../../src/policy/pool.ts';
import type { ReleaseManager } from '../../src/release/release-ports.ts';
import { Opa } from '../../src/rego/opa.ts';
import { answer, policy, Workshop } from './workshop.ts';

const opa = new Opa();
const workshops: Workshop[] = [];
after(() => opa.close());
afterEach(async () => {
  await Promise.all(workshops.splice(0).map(async (workshop) => workshop.close()));
});

async function open(files: Readonly<Record<string, string>>): Promise<Workshop> {
  const workshop = await Workshop.open(opa, files);
  workshops.push(workshop);
  return workshop;
}

/** Waits until `so`, at most `limitMs`; gives how long it took. */
async function until(so: () => Promise<boolean> | boolean, limitMs: number): Promise<number> {
  const began = performance.now();
  while (!(await so())) {
    if (performance.now() - began > limitMs) assert.fail(`not within ${limitMs} ms`);
    await sleep(10);
  }
  return performance.now() - began;
}

const good = { 'policies/gateway.rego': policy('one') };

describe('a folder of Rego', () => {
  test('is in force with an id that says what it is', async () => {
    const workshop = await open(good);
    const manager = await workshop.manager({ now: () => 1_000 });
    const release = manager.current();
    assert.ok(release);
    assert.equal(await answer(manager), 'one');
    assert.match(release.digest, /^sha256:[0-9a-f]{64}$/);
    assert.equal(release.id, `local@${release.digest.slice(7, 19)}`);
    assert.deepEqual(manager.status(), { active: { id: release.id, digest: release.digest, commit: null, loadedAtMs: 1_000 } });
  });

  test('says which parts of the input an entrypoint reads', async () => {
    const text = policy('one').replace('result := call', 'result := call if input.result.isError\n\nresult := call if input.findings');
    const workshop = await open({
      'policies/gateway.rego': text.replace('list := {', 'list := {"version": 1, "visible": input[_]} if input.x\n\nlist := {'),
    });
    const release = (await workshop.manager()).current();
    assert.deepEqual(release?.reads('gateway/call'), new Map([['at_ns', null]]));
    assert.deepEqual(
      release.reads('gateway/result'),
      new Map([
        ['at_ns', null],
        ['findings', null],
        ['result', new Set(['isError'])],
      ]),
    );
    assert.equal(release.reads('gateway/list'), null);
    assert.equal(release.reads('gateway/mask'), null);
  });

  test('that is edited takes effect within two seconds, without a restart', async () => {
    const workshop = await open(good);
    const manager = await workshop.manager();
    await workshop.write({ 'policies/gateway.rego': policy('two') });
    const tookMs = await until(async () => (await answer(manager)) === 'two', 2_000);
    assert.ok(tookMs < 2_000);
  });

  test('that loses and regains files by renames, as editors and volumes do it, is followed', async () => {
    const workshop = await open({ 'policies/gateway.rego': policy('one'), 'three.rego': policy('three') });
    const manager = await workshop.manager();
    await rename(join(workshop.root, 'three.rego'), join(workshop.policies, 'gateway.rego'));
    await until(async () => (await answer(manager)) === 'three', 2_000);
  });

  test('may be made of links', async () => {
    const workshop = await open({ 'store/v1/gateway.rego': policy('linked'), 'policies/readme.txt': '' });
    await symlink('../store/v1/gateway.rego', join(workshop.policies, 'gateway.rego'));
    assert.equal(await answer(await workshop.manager()), 'linked');
  });

  test('whose changes go unreported is read again all the same', async () => {
    const workshop = await open({ 'store/gateway.rego': policy('one'), 'policies/readme.txt': '' });
    await symlink('../store/gateway.rego', join(workshop.policies, 'gateway.rego'));
    const manager = await workshop.manager({ recheckMs: 100 });
    await workshop.write({ 'store/gateway.rego': policy('two') });
    await until(async () => (await answer(manager)) === 'two', 3_000);
  });

  test('has data beside its rules', async () => {
    const text = policy('one').replace('"message": "one"', '"message": data.texts.first');
    const workshop = await open({ 'policies/gateway.rego': text, 'policies/texts/data.json': '{"first": "from data"}' });
    assert.equal(await answer(await workshop.manager()), 'from data');
  });
});

describe('an edit that is not good', () => {
  const bad: readonly [title: string, files: Readonly<Record<string, string>>, error: RegExp][] = [
    ['does not parse', { 'policies/gateway.rego': 'package gateway\n\ncall := {' }, /gateway\.rego:3/],
    [
      'does not compile',
      { 'policies/gateway.rego': policy('x').replace('call := {', 'call := nothing.at.all\n\ncall := {') },
      /unsafe|undefined/,
    ],
    ['lacks an entrypoint', { 'policies/gateway.rego': policy('x').replace('list :=', 'lists :=') }, /gateway\/list|list/],
    [
      'fails a test',
      { 'policies/gateway.rego': policy('x'), 'tests/a_test.rego': 'package a_test\n\ntest_it if data.gateway.call.effect == "deny"' },
      /tests fail[^]*test_it/,
    ],
    [
      'answers nonsense',
      { 'policies/gateway.rego': policy('x').replace('"effect": "allow"', '"effect": "permit"') },
      /`gateway\/call` gives no answer \(malformed\)/,
    ],
    [
      'contradicts itself',
      { 'policies/gateway.rego': `${policy('x')}\nlist := {"version": 1, "visible": ["a"]}` },
      /gateway\/list|conflict/,
    ],
    [
      'needs a builtin that is not served',
      { 'policies/gateway.rego': policy('x').replace('"message": "x"', '"message": crypto.md5("a")') },
      /`crypto\.md5`/,
    ],
    ['has broken data', { 'policies/data.json': '{"a": ' }, /data\.json/],
  ];
  for (const [title, files, error] of bad) {
    test(`(${title}) leaves the last good release in force, and says so until it is mended`, async () => {
      const workshop = await open({ ...good, 'tests/a_test.rego': 'package a_test\n\ntest_it := true' });
      const manager = await workshop.manager({
        source: { kind: 'folder', path: workshop.policies, testsPath: join(workshop.root, 'tests') },
      });
      const before = manager.current();
      await workshop.write(files);
      const status = await manager.reload();
      assert.match(status.candidate?.error ?? '', error);
      assert.equal(status.active?.id, before?.id);
      assert.equal(manager.current(), before);
      assert.equal(await answer(manager), 'one');
      assert.equal(workshop.events.filter((event) => event.kind === 'refused').length, 1);

      await workshop.write({
        'policies/gateway.rego': policy('mended'),
        'policies/data.json': '{}',
        'tests/a_test.rego': 'package a_test\n\ntest_it := true',
      });
      assert.equal((await manager.reload()).candidate, undefined);
      assert.equal(await answer(manager), 'mended');
    });
  }

  test('at the very start means that there is no release; the first good edit makes one', async () => {
    const workshop = await open({ 'policies/gateway.rego': 'package' });
    const manager = await workshop.manager();
    assert.equal(manager.current(), undefined);
    assert.equal(manager.status().active, undefined);
    assert.ok(manager.status().candidate);
    await workshop.write(good);
    await manager.reload();
    assert.equal(await answer(manager), 'one');
  });

  test('that empties or removes the folder leaves the release in force', async () => {
    const workshop = await open(good);
    const manager = await workshop.manager();
    await unlink(join(workshop.policies, 'gateway.rego'));
    assert.match((await manager.reload()).candidate?.error ?? '', /there is no Rego in/);
    await rename(workshop.policies, `${workshop.policies}-away`);
    assert.match((await manager.reload()).candidate?.error ?? '', /cannot be read; check that it is there/);
    assert.equal(await answer(manager), 'one');
  });
});

describe('a swap', () => {
  test('under load loses no evaluation, and each answer is of a release that was in force', async () => {
    const workshop = await open({ 'policies/gateway.rego': policy('0') });
    const manager = await workshop.manager({ retireIdleMs: 50 });
    const given: { asked: string; message: string }[] = [];
    const ids = new Map<string, string>([[manager.current()?.id ?? '', '0']]);
    let isOver = false;
    const agent = async (): Promise<void> => {
      while (!isOver) {
        const release = manager.current();
        assert.ok(release);
        const evaluation = await release.engine.evaluate('gateway/call', '{}', 1_000);
        given.push({ asked: release.id, message: evaluation.ok ? (evaluation.answer.reasons[0]?.message ?? '') : evaluation.message });
        await sleep(1);
      }
    };
    const agents = Promise.all(Array.from({ length: 8 }, agent));
    for (let version = 1; version <= 4; version++) {
      await workshop.write({ 'policies/gateway.rego': policy(String(version)) });
      await manager.reload();
      ids.set(manager.current()?.id ?? '', String(version));
      await sleep(100);
    }
    isOver = true;
    await agents;
    assert.equal(ids.size, 5);
    assert.deepEqual(
      given.filter(({ asked, message }) => ids.get(asked) !== message),
      [],
    );
    assert.ok(given.length > 200, `only ${given.length} evaluations`);
  });

  test('leaves the old release to calls that began under it, even after its workers have ended', async () => {
    const workshop = await open(good);
    const manager = await workshop.manager({ retireIdleMs: 30 });
    const old = manager.current();
    await workshop.write({ 'policies/gateway.rego': policy('two') });
    await manager.reload();
    await sleep(300);
    const late = await old?.engine.evaluate('gateway/result', '{}', 1_000);
    assert.equal(late?.ok && late.answer.reasons[0]?.message, 'one');
    assert.equal(await answer(manager), 'two');
  });

  test('is not made for what decides nothing', async () => {
    const workshop = await open(good);
    const manager = await workshop.manager();
    const before = manager.current();
    await workshop.write({ 'policies/README.md': 'hello', 'policies/.hidden.rego': 'package hidden' });
    await manager.reload();
    assert.equal(manager.current(), before);
    assert.equal(workshop.builds, 1);
  });
});

describe('a cached build', () => {
  const cached = async (workshop: Workshop): Promise<ReleaseManager> =>
    workshop.manager({ cacheDir: join(workshop.root, 'cache'), compiler: 'opa 1' });
  const cacheFile = async (workshop: Workshop): Promise<string> => {
    const names = await readdir(join(workshop.root, 'cache'));
    return join(workshop.root, 'cache', names.find((name) => name.endsWith('.release')) ?? '');
  };

  test('saves the compilation at the next start', async () => {
    const workshop = await open(good);
    await (await cached(workshop)).close();
    const manager = await cached(workshop);
    assert.equal(await answer(manager), 'one');
    assert.equal(workshop.builds, 1);
    assert.deepEqual(
      workshop.events.map((event) => event.kind === 'activated' && event.isFromCache),
      [false, true],
    );
  });

  test('has passed its golden cases: those over other data, which each need an engine of their own, are not asked again', async () => {
    const workshop = await open(good);
    const reason = { rule: 'test/test', effect: 'allow', message: 'one' };
    const none = { redactions: [], approval: null, labels: [], limits: [], dry_run: [] };
    const expect = { version: 1, effect: 'allow', reasons: [reason], ...none };
    const cases = [1, 2].map((threshold) => ({ name: `${threshold}`, entrypoint: 'gateway/call', input: {}, data: { threshold }, expect }));
    await workshop.write({ 'tests/cases/call.json': JSON.stringify({ call: cases }) });
    let trials = 0;
    const start = async (): Promise<ReleaseManager> =>
      workshop.manager({
        source: { kind: 'folder', path: workshop.policies, testsPath: join(workshop.root, 'tests') },
        cacheDir: join(workshop.root, 'cache'),
        createEngine: async (module, dataJson, isTrial) => {
          if (isTrial === true) trials++;
          return createPolicyEngine({ module, dataJson });
        },
      });
    await (await start()).close();
    assert.equal(trials, 2);
    const manager = await start();
    assert.equal(await answer(manager), 'one');
    assert.equal(trials, 2);
    await workshop.write({ 'tests/cases/call.json': JSON.stringify({ call: [{ ...cases[0], expect: {} }] }) });
    await manager.reload();
    assert.match(manager.status().candidate?.error ?? '', /golden case `1`/);
  });

  test('of another compiler is not used', async () => {
    const workshop = await open(good);
    await (await cached(workshop)).close();
    await workshop.manager({ cacheDir: join(workshop.root, 'cache'), compiler: 'opa 2' });
    assert.equal(workshop.builds, 2);
  });

  test('that is damaged or torn is not used', async () => {
    const workshop = await open(good);
    await (await cached(workshop)).close();
    const file = await cacheFile(workshop);
    const content = await readFile(file);
    content[content.length - 100] = (content[content.length - 100] ?? 0) ^ 1;
    await writeFile(file, content);
    await (await cached(workshop)).close();
    assert.equal(workshop.builds, 2);
    await truncate(file, 1_000);
    assert.equal(await answer(await cached(workshop)), 'one');
    assert.equal(workshop.builds, 3);
  });

  test('is resumed where the folder is broken at a start, and status says both', async () => {
    const workshop = await open(good);
    const first = await cached(workshop);
    const id = first.current()?.id;
    await first.close();
    await workshop.write({ 'policies/gateway.rego': 'package broken {' });
    const manager = await cached(workshop);
    assert.equal(await answer(manager), 'one');
    assert.equal(manager.current()?.id, id);
    assert.match(manager.status().candidate?.error ?? '', /gateway\.rego:1/);
    assert.ok(workshop.events.some((event) => event.kind === 'resumed'));
    await workshop.write({ 'policies/gateway.rego': policy('mended') });
    await manager.reload();
    assert.equal(await answer(manager), 'mended');
  });
});
