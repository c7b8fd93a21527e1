import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { referencePage } from '../../src/config/reference-page.ts';
import { configSchema, dereference, type SchemaNode } from '../../src/config/schema.ts';
import { typeSource } from '../../src/config/type-source.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

function* nodes(node: SchemaNode, at: string): Generator<[string, SchemaNode]> {
  yield [at, node];
  for (const [key, each] of Object.entries({ ...node.$defs, ...node.properties })) yield* nodes(each, `${at}/${key}`);
  if (node.items !== undefined) yield* nodes(node.items, `${at}/items`);
  if (typeof node.additionalProperties === 'object') yield* nodes(node.additionalProperties, `${at}/*`);
}

describe('what is made from the schema is up to date; else run `npm run generate`', () => {
  it('the types', async () => assert.equal(read('src/config/schema-types.ts'), await typeSource()));
  it('the reference page', () => assert.equal(read('docs/reference/config.md'), referencePage()));
});

describe('the schema', () => {
  it('describes every key', () => {
    for (const [at, node] of nodes(configSchema, '#'))
      for (const [key, each] of Object.entries(node.properties ?? {})) {
        const { description = '' } = dereference(each);
        assert.match(description, /^[A-Z`].*[.`]$/s, `${at}/${key} has no description that is a sentence`);
      }
  });

  it('lets no object take unknown keys, except where any JSON is meant', () => {
    for (const [at, node] of nodes(configSchema, '#'))
      if ([node.type].flat().includes('object') && node['x-json'] !== true)
        assert.ok(node.additionalProperties === false || typeof node.additionalProperties === 'object', at);
  });
});
