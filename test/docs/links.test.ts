import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { anchors, page, pages, prose, root } from './markdown.ts';

test('every link between pages leads somewhere', () => {
  const broken: string[] = [];
  for (const one of pages()) {
    for (const [, target = ''] of prose(one).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const path = file === '' ? one.path : normalize(join(dirname(one.path), file));
      if (!existsSync(join(root, path))) broken.push(`${one.path}: ${target}`);
      else if (anchor !== undefined && !anchors(page(path)).has(anchor)) broken.push(`${one.path}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('every page of the manual is reached from the README', () => {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const [, target = ''] of prose(page(path)).matchAll(/\]\(([^)\s#]+\.md)(?:#[^)\s]*)?\)/g))
      if (!/^[a-z]+:/.test(target)) visit(normalize(join(dirname(path), target)));
  };
  visit('README.md');
  assert.deepEqual(
    pages()
      .map(({ path }) => path)
      .filter((path) => !seen.has(path)),
    [],
  );
});

test('no page names a place on one machine, and the commands of the README are those that are run', () => {
  for (const { path, text } of pages()) assert.doesNotMatch(text, /\/(work|root|home\/[a-z]+|Users)\//, path);
  assert.match(page('README.md').text, /^npm ci && npm run demo$/m);
  assert.match(page('README.md').text, /^npm ci && npm test$/m);
  assert.match(page('.ci/run').text, /^npm ci$[^]*^npm test$[^]*^npm run demo -- --once$/m);
});
