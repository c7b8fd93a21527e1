import { readFileSync } from 'node:fs';
import { isAbsolute, resolve as resolvePath } from 'node:path';
import type { Path, Problem } from './problem.ts';
import { configSchema, dereference, type SchemaNode } from './schema.ts';
import type { Config } from './schema-types.ts';
import { Secret } from './secret.ts';
import { urlProblem } from './url-rule.ts';

/** A configuration with secrets read, paths made absolute and everything frozen; and what came up on the way. */
export interface Resolved {
  readonly config: Config;
  readonly problems: readonly Problem[];
  readonly secrets: readonly Secret[];
  /** The files that secrets were read from, absolute; those that could not be read too. */
  readonly files: readonly string[];
}

interface Surroundings {
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly problems: Problem[];
  readonly secrets: Secret[];
  readonly files: Set<string>;
}

const maxSecretBytes = 65_536;

/** Resolves a value that fits the schema. Objects of the result have no prototype: a tool named `constructor` is just a name. */
export function resolveConfig(value: unknown, folder: string, env: Readonly<Record<string, string | undefined>>): Resolved {
  const around: Surroundings = { folder, env, problems: [], secrets: [], files: new Set() };
  const config = visit(configSchema, value, [], around) as Config;
  return { config, problems: around.problems, secrets: around.secrets, files: [...around.files] };
}

function visit(raw: SchemaNode, value: unknown, path: Path, around: Surroundings): unknown {
  const node = dereference(raw);
  if (node['x-json'] === true) return freezeDeep(value);
  if (typeof value === 'string') return visitText(node, value, path, around);
  if (Array.isArray(value)) {
    const items = node.items ?? {};
    return Object.freeze(value.map((item, index) => visit(items, item, [...path, index], around)));
  }
  if (typeof value !== 'object' || value === null) return value;
  if (node['x-secret'] !== undefined) return readSecret(value, path, around);
  const others = typeof node.additionalProperties === 'object' ? node.additionalProperties : {};
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [key, item] of Object.entries(value)) copy[key] = visit(node.properties?.[key] ?? others, item, [...path, key], around);
  return Object.freeze(copy);
}

function visitText(node: SchemaNode, text: string, path: Path, around: Surroundings): string {
  const wrong = node['x-url'] === undefined ? undefined : urlProblem(text, node['x-url']);
  if (wrong !== undefined) around.problems.push({ path, message: wrong });
  if (node['x-path'] === 'path' || (node['x-path'] === 'command' && /^\.\.?[/\\]/.test(text))) return resolvePath(around.folder, text);
  return text;
}

function readSecret(from: { readonly env?: string; readonly file?: string }, path: Path, around: Surroundings): Secret {
  const found = from.env === undefined ? fromFile(from.file ?? '', around) : fromEnvironment(from.env, around);
  if ('wrong' in found) around.problems.push({ path: [...path, from.env === undefined ? 'file' : 'env'], message: found.wrong });
  const secret = new Secret('wrong' in found ? '' : found.text, from.env === undefined ? `file ${from.file ?? ''}` : `env ${from.env}`);
  around.secrets.push(secret);
  return secret;
}

type Found = { readonly text: string } | { readonly wrong: string };

function fromEnvironment(name: string, around: Surroundings): Found {
  const text = Object.hasOwn(around.env, name) ? around.env[name] : undefined;
  if (text === undefined) return { wrong: `the environment variable \`${name}\` is not set; set it, or use \`{file: PATH}\`` };
  return text === '' ? { wrong: `the environment variable \`${name}\` is empty; give it the secret` } : { text };
}

function fromFile(name: string, around: Surroundings): Found {
  const file = isAbsolute(name) ? name : resolvePath(around.folder, name);
  around.files.add(file);
  try {
    const bytes = readFileSync(file);
    if (bytes.byteLength > maxSecretBytes)
      return { wrong: `the file \`${name}\` is larger than ${maxSecretBytes} bytes; name the file of the secret alone` };
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '');
    return text === '' ? { wrong: `the file \`${name}\` is empty; put the secret into it` } : { text };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const words: Readonly<Record<string, string>> = {
      ENOENT: `there is no file \`${name}\`; create it, or correct the path (relative paths start at this file's folder)`,
      EACCES: `the file \`${name}\` may not be read; let the gateway's user read it`,
      EISDIR: `\`${name}\` is a folder; name the file in it`,
      ERR_ENCODING_INVALID_ENCODED_DATA: `the file \`${name}\` is not UTF-8 text; store the secret as text`,
    };
    return { wrong: words[code ?? ''] ?? `the file \`${name}\` cannot be read (${code ?? 'unknown error'}); check it` };
  }
}

function freezeDeep<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const item of Object.values(value)) freezeDeep(item);
  return Object.freeze(value);
}
