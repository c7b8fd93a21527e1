import { compile } from 'json-schema-to-typescript';
import { format } from 'prettier';
import { configSchema, dereference, type SchemaNode } from './schema.ts';

const banner = `// Made by \`npm run generate\` from castellan.schema.json; edit that instead.
import type { Secret } from './secret.ts';
`;

/**
 * The TypeScript of a loaded configuration: defaults are in place, so keys that have one are always there; secrets are {@link Secret};
 * all of it is read-only.
 */
export async function typeSource(): Promise<string> {
  const text = await compile(loadedShape(configSchema), 'Config', {
    bannerComment: banner,
    additionalProperties: false,
    ignoreMinAndMaxItems: true,
    strictIndexSignatures: false,
    unreachableDefinitions: false,
    customName: (schema) => (schema.title === undefined || schema.title === 'Config' ? schema.title : `${schema.title}Config`),
    format: false,
  });
  const readOnly = text
    .replace(/^(\s+)((?:[A-Za-z_]\w*|\[k: string\])\??:)/gm, '$1readonly $2')
    .replace(/((?:'\w+' \| )?)(\(\s*[^()]*?\s*\)|[\w.]+)\[\]/g, '$1readonly $2[]');
  return format(readOnly, { parser: 'typescript', printWidth: 140, singleQuote: true });
}

/** The schema as it describes what {@link loadConfig} gives, in the older dialect that the type generator reads. */
function loadedShape(node: SchemaNode): Record<string, unknown> {
  const target = dereference(node);
  // Scalars and lists are written out where they are used: an alias would add a name and lose the description.
  if (node.$ref !== undefined && (target.properties === undefined || target['x-secret'] !== undefined)) return loadedShape(target);
  if (node['x-secret'] === 'only') return { description: node.description, tsType: 'Secret' };
  if (node['x-secret'] === 'or text') return { description: node.description, tsType: 'string | Secret' };
  if (node['x-type'] !== undefined) return { description: node.description, tsType: node['x-type'] };
  if (node['x-json'] === true) return { description: node.description, tsType: 'Readonly<Record<string, unknown>>' };
  const shape: Record<string, unknown> = {};
  for (const key of ['title', 'type', 'const', 'enum'] as const) if (node[key] !== undefined) shape[key] = node[key];
  if (node.$ref !== undefined) shape['$ref'] = node.$ref;
  if (node.description !== undefined && node.$ref === undefined) shape['description'] = node.description;
  if (node.items !== undefined) shape['items'] = loadedShape(node.items);
  if (node.additionalProperties !== undefined)
    shape['additionalProperties'] =
      typeof node.additionalProperties === 'boolean' ? node.additionalProperties : loadedShape(node.additionalProperties);
  if (node.properties !== undefined) {
    shape['properties'] = Object.fromEntries(Object.entries(node.properties).map(([name, each]) => [name, loadedShape(each)]));
    shape['required'] = Object.entries(node.properties)
      .filter(([name, each]) => each.default !== undefined || node.required?.includes(name) === true)
      .map(([name]) => name);
  }
  if (node.$defs !== undefined)
    shape['$defs'] = Object.fromEntries(Object.entries(node.$defs).map(([name, each]) => [name, loadedShape(each)]));
  return shape;
}
