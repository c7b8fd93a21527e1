import type { SchemaFault } from '../model/validate.ts';
import { nearest } from './nearest.ts';
import { listed, type Path, type Problem } from './problem.ts';
import type { SchemaNode } from './schema.ts';
import { dereference } from './schema.ts';

/** A fault in words; `missing` is about a key that is not there, `exclusive` about keys that go without each other. */
export type SchemaProblem = Problem & { readonly reason?: 'missing' | 'exclusive' };

/** The faults of a value as problems in our own words. None of them shows a value: it may be a secret in the wrong place. */
export function schemaProblems(faults: readonly SchemaFault[], value: unknown): SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  const seen = new Set<string>();
  for (const fault of faults) {
    // Branches of `oneOf` and of names are told by the keyword above them.
    const inName = fault.keyword !== 'propertyNames' && fault.params['propertyName'] !== undefined;
    if (inName || /\/oneOf\/\d+\//.test(fault.schemaPath)) continue;
    const problem = problemOf(fault, value);
    const key = JSON.stringify([problem.path, problem.at]);
    if (seen.has(key)) continue;
    seen.add(key);
    problems.push(problem);
  }
  return problems;
}

function problemOf(fault: SchemaFault, root: unknown): SchemaProblem {
  const path = pathOf(fault.pointer, root);
  const node = fault.schema as SchemaNode;
  const value = valueAt(root, path);
  const text = (key: string): string => String(fault.params[key]);
  switch (fault.keyword) {
    case 'additionalProperties':
      return { path: [...path, text('additionalProperty')], at: 'key', message: unknownKey(text('additionalProperty'), node) };
    case 'propertyNames':
      return {
        path: [...path, text('propertyName')],
        at: 'key',
        message: `the name must be ${(node.propertyNames === undefined ? node : dereference(node.propertyNames))['x-expects'] ?? 'another one'}`,
      };
    case 'required':
      return {
        path: [...path, text('missingProperty')],
        at: 'key',
        reason: 'missing',
        message: missing(node.properties?.[text('missingProperty')]),
      };
    case 'oneOf':
      return { path, at: 'key', reason: 'exclusive', message: exactlyOne(node, value) };
    case 'uniqueItems':
      return { path, message: `entries ${Number(text('j')) + 1} and ${Number(text('i')) + 1} are the same; remove one` };
    default:
      return { path, message: mismatch(fault.keyword, node, value) };
  }
}

function unknownKey(key: string, node: SchemaNode): string {
  const hint = node['x-unknown']?.[key];
  if (hint !== undefined) return `unknown key; ${hint}`;
  const known = Object.keys(node.properties ?? {});
  const meant = nearest(key, known);
  if (meant !== undefined) return `unknown key; did you mean \`${meant}\`?`;
  return `unknown key; known here: ${known.join(', ')}`;
}

function missing(node: SchemaNode | undefined): string {
  const description = node?.description ?? 'this key';
  const end = description.search(/\.( |$)/);
  const words = (end === -1 ? description : description.slice(0, end)).replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase());
  return `missing; add ${words}`;
}

function exactlyOne(node: SchemaNode, value: unknown): string {
  const names = (node.oneOf ?? []).flatMap((branch) => branch.required ?? []);
  const there = names.filter((name) => typeof value === 'object' && value !== null && Object.hasOwn(value, name));
  return `needs exactly one of ${listed(names)}; ${there.length === 0 ? 'none is there' : `remove all but one of ${listed(there)}`}`;
}

const typeWords: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: '`true` or `false`',
  array: 'a list',
  object: 'a mapping of keys to values',
};

function mismatch(keyword: string, node: SchemaNode, value: unknown): string {
  const expected = node['x-expects'] ?? wordsFor(node);
  if (node['x-secret'] === 'only' && keyword === 'type' && typeof value === 'string') {
    const name = /^\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?$/.exec(value)?.[1];
    return `a secret is never written into this file; use ${name === undefined ? expected : `\`{env: ${name}}\``}`;
  }
  if (keyword === 'minProperties' || keyword === 'maxProperties') return `must be ${expected}, exactly one of the two`;
  if (keyword === 'const' || keyword === 'enum') return `must be ${expected}${meantOf(node, value)}`;
  if (keyword === 'type') return `must be ${expected}, but is ${actual(value)}${quoteCure(node, value)}`;
  if (keyword === 'minItems') return `must be ${expected}, but is empty`;
  return `must be ${expected}`;
}

function wordsFor(node: SchemaNode): string {
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.enum !== undefined) return `one of ${listed(node.enum.map(String), 'or')}`;
  const types = [node.type ?? 'object'].flat().map((type) => typeWords[type] ?? type);
  const range = node.minimum !== undefined && node.maximum !== undefined ? ` between ${node.minimum} and ${node.maximum}` : '';
  return types.join(' or ') + range;
}

function meantOf(node: SchemaNode, value: unknown): string {
  const meant = typeof value === 'string' && node.enum !== undefined ? nearest(value, node.enum.map(String)) : undefined;
  return meant === undefined ? '' : `; did you mean \`${meant}\`?`;
}

function actual(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number') return Number.isInteger(value) ? 'a number' : 'a number with a fraction';
  return { string: 'text', boolean: 'true or false', object: 'a mapping' }[typeof value as 'string' | 'boolean' | 'object'];
}

function quoteCure(node: SchemaNode, value: unknown): string {
  const types = [node.type ?? []].flat();
  if (value === null) return '; give it a value or remove the key';
  if (typeof value === 'string' && types.includes('integer') && /^-?\d+$/.test(value)) return '; remove the quotes';
  if (typeof value === 'string' && types.includes('boolean')) {
    if (/^(true|false)$/.test(value)) return '; remove the quotes';
    if (/^(yes|on)$/i.test(value)) return '; write `true`';
    if (/^(no|off)$/i.test(value)) return '; write `false`';
  }
  if (typeof value !== 'object' && types.includes('string')) return '; put it in quotes';
  if (typeof value === 'string' && types.includes('array')) return '; put it in brackets, as in `[a, b]`';
  return '';
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path)
    value = typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[step] : undefined;
  return value;
}

function pathOf(pointer: string, root: unknown): Path {
  const path: (string | number)[] = [];
  let value = root;
  for (const raw of pointer.split('/').slice(1)) {
    const step = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(value) ? Number(step) : step);
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[step] : undefined;
  }
  return path;
}
