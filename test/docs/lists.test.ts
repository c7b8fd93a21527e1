import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createMetrics } from '../../src/observe/metrics.ts';
import { page, root } from './markdown.ts';

/** The cells of the table rows of a page whose first cell matches. */
function rowsOf(path: string, first: RegExp): readonly (readonly string[])[] {
  const rows = [...page(path).text.matchAll(/^\| (.+) \|$/gm)].map(([, row = '']) => row.split(/ ?(?<!\\)\| ?/).map((cell) => cell.trim()));
  return rows.filter(([cell = '']) => first.test(cell));
}

/** The text of every source file, by path below `src`. */
function sources(): ReadonlyMap<string, string> {
  const names = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return new Map(names.map((name) => [name, readFileSync(join(root, 'src', name), 'utf8')]));
}

test('the manual lists every metric, with its type and meaning', async () => {
  const metrics = createMetrics({ methods: [], stages: ['decide'], process: false });
  const text = await metrics.render();
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]));
  const real = [...text.matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, name = '', help = '']) => [name, types.get(name), help]);
  const told = rowsOf('docs/operations/observability.md', /^`castellan_/).map(([name = '', type, , meaning]) => [
    name.replaceAll('`', ''),
    type,
    meaning,
  ]);
  assert.deepEqual(told, real);
});

test('the manual lists every event of the log', () => {
  const real = new Set<string>();
  for (const [name, text] of sources()) {
    if (/^(cli|demo|workshop)\//.test(name)) continue;
    for (const [, event = ''] of text.matchAll(/(?:\blog|#log)(?:\.\w+)?\((?:'(?:debug|info|warn|error)', )?'([a-z_.]+)'/g))
      real.add(event);
    if (name.startsWith('upstream/')) for (const [, event = ''] of text.matchAll(/\bevent: '([a-z_]+)'/g)) real.add(event);
    if (name === 'release/release-ports.ts')
      for (const [, kind = ''] of text.matchAll(/\| \{ readonly kind: '(\w+)'/g)) real.add(`release.${kind}`);
    if (name === 'identity/options.ts') for (const [, kind = ''] of text.matchAll(/readonly kind: '(keys\.\w+)'/g)) real.add(kind);
  }
  const told = rowsOf('docs/operations/observability.md', /^`(?!castellan_|\/)/).map(([event = '']) => event.replaceAll('`', ''));
  assert.deepEqual([...told].sort(), [...real].sort());
});

test('the manual lists every route of the admin API, with its roles', () => {
  const source = sources().get('http/admin.ts') ?? '';
  const real = [...source.matchAll(/\bon\('(\w+)', ['`]([^'`]+)['`], \[([^\]]*)\]/g)].flatMap(([, method = '', path = '', roles = '']) =>
    (path.includes('${vote}') ? ['approve', 'deny'].map((vote) => path.replace('${vote}', vote)) : [path]).map((one) => [
      `${method.toUpperCase()} ${one}`,
      roles.replaceAll("'", ''),
    ]),
  );
  const told = rowsOf('docs/reference/admin-api.md', /^`(GET|POST|DELETE) /).map(([route = '', roles]) => [
    route.replaceAll('`', ''),
    roles,
  ]);
  assert.deepEqual(told, real);
});
