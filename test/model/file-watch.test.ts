import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { FileWatch } from '../../src/model/file-watch.ts';
import { folderWith } from '../config/folder.ts';

describe('a watched file', () => {
  it('is told of when it is written or replaced, and not what happens beside it', async (test) => {
    const folder = folderWith(test, { 'c.yaml': 'a', 'castellan.db-wal': '' });
    let count = 0;
    const watch = new FileWatch(join(folder, 'c.yaml'), () => count++, assert.ifError);
    test.after(() => watch.close());
    const toldBy = async (act: () => void): Promise<boolean> => {
      count = 0;
      act();
      for (let waits = 0; count === 0 && waits < 10; waits++) await sleep(20);
      watch.renew();
      return count > 0;
    };
    assert.equal(await toldBy(() => writeFileSync(join(folder, 'castellan.db-wal'), 'many writes')), false);
    assert.equal(await toldBy(() => writeFileSync(join(folder, 'c.yaml'), 'b')), true);
    writeFileSync(join(folder, 'new'), 'c');
    assert.equal(await toldBy(() => renameSync(join(folder, 'new'), join(folder, 'c.yaml'))), true);
    assert.equal(await toldBy(() => writeFileSync(join(folder, 'c.yaml'), 'd')), true, 'the file that replaced it is watched');
    assert.equal(await toldBy(() => rmSync(join(folder, 'c.yaml'))), true);
    assert.equal(await toldBy(() => writeFileSync(join(folder, 'c.yaml'), 'e')), true, 'a file that comes back is told by its folder');
  });

  it('says once that it cannot be watched', (test) => {
    const folder = folderWith(test, {});
    const errors: unknown[] = [];
    const watch = new FileWatch(
      join(folder, 'none/c.yaml'),
      () => undefined,
      (error) => errors.push(error),
    );
    test.after(() => watch.close());
    watch.renew();
    assert.equal(errors.length, 1);
  });
});
