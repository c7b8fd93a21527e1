import assert from 'node:assert/strict';
import { renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it, type TestContext } from 'node:test';
import { watchConfig, type ConfigWatch } from '../../src/config/watch.ts';
import { folderWith } from './folder.ts';

interface Watched {
  readonly watch: ConfigWatch;
  /** Resolves once as many changes were told, and settles; then gives how many there were in all. */
  readonly told: (count: number) => Promise<number>;
}

function watching(test: TestContext, files: readonly string[]): Watched {
  let count = 0;
  const watch = watchConfig(files, () => count++, { debounceMs: 30, pollMs: 300 });
  test.after(() => watch.close());
  const told = async (wanted: number): Promise<number> => {
    for (let waits = 0; count < wanted && waits < 200; waits++) await sleep(20);
    await sleep(100);
    return count;
  };
  return { watch, told };
}

describe('a watched configuration', () => {
  it('tells a change in place once, however many writes it takes', async (test) => {
    const file = join(folderWith(test, { 'c.yaml': 'a' }), 'c.yaml');
    const { told } = watching(test, [file]);
    for (const text of ['b', 'c', 'd']) writeFileSync(file, text);
    assert.equal(await told(1), 1);
  });

  it('goes on telling after the file was replaced by a rename', async (test) => {
    const folder = folderWith(test, { 'c.yaml': 'a' });
    const { told } = watching(test, [join(folder, 'c.yaml')]);
    for (const [index, text] of ['b', 'c'].entries()) {
      writeFileSync(join(folder, '.c.yaml.tmp'), text);
      renameSync(join(folder, '.c.yaml.tmp'), join(folder, 'c.yaml'));
      assert.equal(await told(index + 1), index + 1);
    }
  });

  it('tells a swap of the symbolic link behind a mounted file', async (test) => {
    const folder = folderWith(test, { 'v1/c.yaml': 'a', 'v2/c.yaml': 'b' });
    symlinkSync('v1', join(folder, '..data'));
    symlinkSync('..data/c.yaml', join(folder, 'c.yaml'));
    const { told } = watching(test, [join(folder, 'c.yaml')]);
    symlinkSync('v2', join(folder, '..tmp'));
    renameSync(join(folder, '..tmp'), join(folder, '..data'));
    assert.equal(await told(1), 1);
  });

  it('tells a removal and a return, and nothing where only the time changed', async (test) => {
    const file = join(folderWith(test, { 'c.yaml': 'a' }), 'c.yaml');
    const { told } = watching(test, [file]);
    utimesSync(file, 1, 1);
    assert.equal(await told(0), 0);
    rmSync(file);
    assert.equal(await told(1), 1);
    writeFileSync(file, 'a');
    assert.equal(await told(2), 2);
  });

  it('follows other files when told to, in folders that are not there yet too', async (test) => {
    const folder = folderWith(test, { 'c.yaml': 'a', 'secrets/one': '1' });
    const { watch, told } = watching(test, [join(folder, 'c.yaml')]);
    watch.follow([join(folder, 'c.yaml'), join(folder, 'secrets/one'), join(folder, 'none/two')]);
    writeFileSync(join(folder, 'secrets/one'), '2');
    assert.equal(await told(1), 1);
    watch.close();
    writeFileSync(join(folder, 'c.yaml'), 'b');
    assert.equal(await told(1), 1);
  });
});
