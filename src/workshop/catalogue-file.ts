import { GatewayError } from '../model/errors.ts';
import type { JsonObject } from '../model/json.ts';
import { compileValidator } from '../model/validate.ts';
import type { CatalogueRow, Role } from './matrix.ts';
import type { KnownIdentity } from './tool-question.ts';

const texts = { type: 'array', items: { type: 'string' } };
const toolSchema = {
  type: 'array',
  items: {
    type: 'object',
    required: ['server', 'name'],
    properties: {
      server: { type: 'string', minLength: 1 },
      name: { type: 'string', minLength: 1 },
      exposed_name: { type: 'string' },
      title: { type: 'string' },
      labels: texts,
      annotations: { type: 'object' },
      pinned: { type: 'boolean' },
      definition_digest: { type: 'string' },
      inputSchema: { type: 'object' },
    },
  },
};
const roleSchema = {
  type: 'object',
  minProperties: 1,
  additionalProperties: {
    type: 'object',
    additionalProperties: false,
    required: ['groups'],
    properties: {
      groups: texts,
      kind: { enum: ['user', 'service'] },
      issuer: { type: 'string' },
      subject: { type: 'string' },
      client: { type: 'string' },
      tenant: { type: 'string' },
      scopes: texts,
      claims: { type: 'object' },
    },
  },
};

/**
 * Tools from a parsed file: a list, or an object with the list under `tools`. Each is an MCP tool definition with `server`, and with `labels` as
 * the configuration gives them; `pinned` is true where nothing is said.
 * @throws GatewayError `request.invalid` that names the place
 */
export function readTools(document: unknown): readonly CatalogueRow[] {
  const list = Array.isArray(document) ? (document as unknown) : (document as { tools?: unknown } | null | undefined)?.tools;
  const problem = compileValidator(toolSchema)(list ?? null);
  if (problem !== undefined) throw new GatewayError('request.invalid', `the file of tools does not fit: ${problem}`);
  return (list as readonly WrittenTool[]).map((tool) => ({
    facts: {
      server: tool.server,
      name: tool.name,
      exposed_name: tool.exposed_name ?? tool.name,
      ...(tool.title === undefined ? {} : { title: tool.title }),
      annotations: tool.annotations ?? {},
      labels: tool.labels ?? [],
      definition_digest: tool.definition_digest ?? `sha256:${'0'.repeat(64)}`,
      pinned: tool.pinned ?? true,
    },
    ...(tool.inputSchema === undefined ? {} : { inputSchema: tool.inputSchema }),
  }));
}

interface WrittenTool {
  readonly server: string;
  readonly name: string;
  readonly exposed_name?: string;
  readonly title?: string;
  readonly labels?: readonly string[];
  readonly annotations?: JsonObject;
  readonly pinned?: boolean;
  readonly definition_digest?: string;
  readonly inputSchema?: JsonObject;
}

/**
 * Roles from a parsed file: name to what is known of an identity, at least its groups.
 * @throws GatewayError `request.invalid` that names the place
 */
export function readRoles(document: unknown): readonly Role[] {
  const problem = compileValidator(roleSchema)(document ?? null);
  if (problem !== undefined) throw new GatewayError('request.invalid', `the file of roles does not fit: ${problem}`);
  return Object.entries(document as Readonly<Record<string, KnownIdentity>>).map(([name, identity]) => ({ name, identity }));
}
