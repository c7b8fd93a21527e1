import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generatedPages } from './generated-pages.ts';
import { page } from './markdown.ts';

for (const [path, make] of Object.entries(generatedPages)) {
  test(`${path} says what the program does; after a change run \`node test/docs/generate.ts\``, async () => {
    assert.equal(page(path).text, await make());
  });
}
