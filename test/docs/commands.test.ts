import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { blocks, page, pages, root } from './markdown.ts';
import { runBlocks, scratchFolder } from './run-blocks.ts';

// The tutorial needs a gateway: it has a test of its own.
const runnable = pages().filter(
  ({ path, text }) => path !== 'docs/tutorial.md' && blocks({ path, text }).some(({ info }) => info === 'sh run'),
);

for (const { path } of runnable) {
  test(`the commands of ${path} do what it says`, async () => {
    const scratch = await scratchFolder();
    try {
      for (const name of ['policies', 'policy-tests', 'castellan.yaml'])
        await cp(join(root, name), join(scratch.folder, name), { recursive: true });
      assert.ok((await runBlocks(page(path), scratch)) > 0);
    } finally {
      await scratch.close();
    }
  });
}

test('the README and the tutorial have commands that are run', () => {
  assert.ok(runnable.some(({ path }) => path === 'README.md'));
  assert.ok(blocks(page('docs/tutorial.md')).some(({ info }) => info === 'sh run'));
});
