import { readFileSync } from 'node:fs';
import { digestJson, digestText } from '../model/digest.ts';
import { GatewayError } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import { isRawNumber, type Json, type JsonObject } from '../model/json.ts';
import { parseStrict } from '../model/strict-json.ts';
import { compileValidator } from '../model/validate.ts';

/** What was reviewed of every server: kept in Git, compared with what the servers say now. */
export interface Lockfile {
  readonly version: 1;
  readonly servers: Readonly<Record<string, LockedServer>>;
}

/** One server as it was reviewed. */
export interface LockedServer {
  readonly instructions: { readonly digest: Digest; readonly text: string } | null;
  readonly tools: Readonly<Record<string, LockedTool>>;
}

/** One tool as it was reviewed. `digest` is of the whole definition, as the catalogue computes it. */
export interface LockedTool {
  readonly digest: Digest;
  readonly labels: readonly string[];
  readonly definition: JsonObject;
}

const digest = { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' };
const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['version', 'servers'],
  properties: {
    version: { const: 1 },
    servers: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        required: ['instructions', 'tools'],
        properties: {
          instructions: {
            anyOf: [
              { type: 'null' },
              {
                type: 'object',
                additionalProperties: false,
                required: ['digest', 'text'],
                properties: { digest, text: { type: 'string' } },
              },
            ],
          },
          tools: {
            type: 'object',
            additionalProperties: {
              type: 'object',
              additionalProperties: false,
              required: ['digest', 'labels', 'definition'],
              properties: {
                digest,
                labels: { type: 'array', items: { type: 'string' }, uniqueItems: true },
                definition: { type: 'object', required: ['name'] },
              },
            },
          },
        },
      },
    },
  },
};

const maxBytes = 64 * 1024 * 1024;
const maxDepth = 80;

/** A tool with its digest. */
export function lockTool(definition: JsonObject, labels: readonly string[]): LockedTool {
  return { digest: digestJson(definition), labels: [...labels].sort(), definition };
}

/** Instructions with their digest; `null` where the server gives none. */
export function lockInstructions(text: string | undefined): LockedServer['instructions'] {
  return text === undefined ? null : { digest: digestText(text), text };
}

/**
 * Reads a lockfile; `undefined` where there is none.
 * @throws GatewayError `config.invalid` for a file that cannot be read, does not fit, or whose digests do not fit its definitions
 */
export function readLockfile(path: string): Lockfile | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT') return undefined;
    throw broken(path, `it cannot be read (${code}); check that it is a file and that the gateway's user may read it`, cause);
  }
  if (bytes.length > maxBytes) throw broken(path, `it is larger than ${maxBytes} bytes; is this the lockfile?`);
  let value: Json;
  try {
    value = parseStrict(bytes, { maxDepth });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown';
    throw broken(path, `it is not good JSON: ${why}; resolve what a merge left in it, or write it anew with \`castellan lock\``, cause);
  }
  const problem = compileValidator(schema)(value) ?? untrue(value as unknown as Lockfile);
  if (problem !== undefined) throw broken(path, `${problem}; write it anew with \`castellan lock\``);
  return value as unknown as Lockfile;
}

/** What in a lockfile contradicts itself: an entry that was edited by hand, in words. */
function untrue({ servers }: Lockfile): string | undefined {
  for (const [server, { instructions, tools }] of Object.entries(servers)) {
    if (instructions !== null && digestText(instructions.text) !== instructions.digest)
      return `the digest of the instructions of \`${server}\` does not fit their text`;
    for (const [name, tool] of Object.entries(tools)) {
      if (tool.definition['name'] !== name) return `the entry \`${server}/${name}\` has the definition of another tool`;
      if (digestJson(tool.definition) !== tool.digest) return `the digest of \`${server}/${name}\` does not fit its definition`;
    }
  }
  return undefined;
}

function broken(path: string, why: string, cause?: unknown): GatewayError {
  return new GatewayError('config.invalid', `the lockfile \`${path}\` is not good: ${why}`, cause === undefined ? {} : { cause });
}

/**
 * The text of a lockfile, the same for the same content: members sorted, what is short on one line, and what no eye sees written as an
 * escape, so that a diff in Git shows it.
 */
export function lockfileText({ version, servers }: Lockfile): string {
  return `${layOut({ version, servers } as unknown as Json, 0, 0)}\n`;
}

const width = 140;
/** From this indentation on, what is short stays on one line: servers, tools and a tool's digest each have lines of their own. */
const sharedFrom = 10;

function layOut(value: Json, indent: number, lead: number): string {
  const flat = oneLine(value);
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return flat;
  if (indent >= sharedFrom && indent + lead + flat.length <= width) return flat;
  const pad = ' '.repeat(indent + 2);
  const lines = Array.isArray(value)
    ? (value as readonly Json[]).map((item) => `${pad}${layOut(item, indent + 2, 0)}`)
    : sortedMembers(value as JsonObject).map(([key, item]) => {
        const name = `${quoted(key)}: `;
        return `${pad}${name}${layOut(item, indent + 2, name.length)}`;
      });
  if (lines.length === 0) return flat;
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${lines.join(',\n')}\n${' '.repeat(indent)}${close}`;
}

function oneLine(value: Json): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(oneLine).join(', ')}]`;
  const members = sortedMembers(value as JsonObject).map(([key, item]) => `${quoted(key)}: ${oneLine(item)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

function sortedMembers(object: JsonObject): [string, Json][] {
  return Object.entries(object)
    .filter((entry): entry is [string, Json] => entry[1] !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
}

function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu,
    (hidden) => Array.from({ length: hidden.length }, (_, at) => `\\u${hidden.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}
