import { stringify } from 'yaml';
import { configSchema, dereference, type SchemaNode } from './schema.ts';

const head = `<!-- Made by \`npm run generate\` from src/config/castellan.schema.json; edit that instead. -->

# Configuration

\`castellan serve --config castellan.yaml\` reads one YAML 1.2 file. \`castellan.yaml\` at the root of this repository is an example to start from.

- Unknown keys, wrong types and names that lead nowhere are refused, all of them at once, each with file, line, column, path and what to do.
- Nothing is converted: \`port: "8080"\` is text, and refused.
- A secret is never written into the file. Where one is needed, \`{env: NAME}\` names an environment variable and \`{file: PATH}\` a file, of which one line
  break at the end is dropped.
- Relative paths start at the folder of the configuration file.
- A change of the file, or of a secret's file, is taken up while the gateway runs, as is SIGHUP: a new state is built whole and then swapped in. A file with a
  mistake changes nothing: the old state stays in force, and the log, the metric \`castellan_config_reload_failures_total\` and \`/readyz\` say so.
- TLS is not terminated here. Put a proxy in front, and name the address that agents use in \`listen.public_url\`.

Editors complete and check the file with this first line (any copy of the schema will do):

\`\`\`yaml
# yaml-language-server: $schema=src/config/castellan.schema.json
\`\`\`

`;

/** The reference page of the configuration: every key, its type, its default and what it does. */
export function referencePage(): string {
  const lines: string[] = [];
  section(configSchema, '', 2, lines);
  return `${head}${lines.join('\n')}\n`;
}

function section(node: SchemaNode, path: string, level: number, lines: string[]): void {
  const properties = Object.entries(node.properties ?? {});
  if (path !== '') lines.push('');
  lines.push('| key | type | default | meaning |', '|---|---|---|---|');
  for (const [key, raw] of properties) {
    const each = dereference(raw);
    const needed = node.required?.includes(key) === true;
    lines.push(`| \`${key}\` | ${typeText(each)} | ${needed ? '**needed**' : defaultText(raw)} | ${cell(each.description ?? '')} |`);
  }
  for (const [key, raw] of properties) {
    const { inner, suffix } = unwrapped(raw);
    if (inner.properties === undefined || inner['x-secret'] !== undefined) continue;
    const at = `${path === '' ? '' : `${path}.`}${key}${suffix}`;
    lines.push('', `${'#'.repeat(Math.min(level, 5))} \`${at}\``);
    const description = dereference(raw).description;
    if (description !== undefined) lines.push('', description);
    section(inner, at, level + 1, lines);
  }
}

/** What a key holds, under the list or the map around it. */
function unwrapped(raw: SchemaNode): { inner: SchemaNode; suffix: string } {
  const node = dereference(raw);
  if (node.items !== undefined && node['x-type'] === undefined) return { inner: dereference(node.items), suffix: '[]' };
  if (typeof node.additionalProperties === 'object') return { inner: dereference(node.additionalProperties), suffix: '.<name>' };
  return { inner: node, suffix: '' };
}

function typeText(node: SchemaNode): string {
  if (node['x-secret'] !== undefined) return node['x-secret'] === 'only' ? 'secret' : 'text or secret';
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((each) => `\`${String(each)}\``).join(', ');
  if (node['x-type'] !== undefined) return '`endpoint` or list of text';
  if (node.items !== undefined) return `list of ${typeText(dereference(node.items))}`;
  if (typeof node.additionalProperties === 'object') return `${typeText(dereference(node.additionalProperties))} by name`;
  if (node.type === 'integer') return `whole number${node.minimum === undefined ? '' : `, ${node.minimum} to ${node.maximum ?? 'any'}`}`;
  if (node.type === 'boolean') return 'true or false';
  if (node['x-url'] !== undefined) return 'URL';
  if (node['x-path'] !== undefined) return 'path';
  return node.type === 'object' ? 'mapping' : 'text';
}

function defaultText(node: SchemaNode): string {
  if (node.default === undefined) return '–';
  if (JSON.stringify(node.default) === '{}' && dereference(node).properties !== undefined) return 'see below';
  return `\`${stringify(node.default, { collectionStyle: 'flow', lineWidth: 0 }).trim()}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
