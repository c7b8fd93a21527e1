import { GatewayError } from '../model/errors.ts';
import { effects, type Effect } from '../model/decision.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { compileValidator } from '../model/validate.ts';
import type { KnownIdentity } from './tool-question.ts';

/** One thing that is claimed about a policy, for every call that it speaks of, whatever is not said. */
export interface Statement {
  readonly name: string;
  /** Who calls: what is left out may be anything. */
  readonly who: KnownIdentity;
  /** Groups that who calls is in, among any others. */
  readonly groupsInclude: readonly string[];
  readonly tools: {
    readonly server?: string;
    /** `*` stands for any characters. */
    readonly name?: string;
    /** The tool has all of them. */
    readonly labels: readonly string[];
    /** The tool has these annotations with these values. */
    readonly annotations: JsonObject;
  };
  /** The only effects that are right. */
  readonly only: readonly Effect[];
  /** Members of the input that are as said; `approval` is null where nothing is said. */
  readonly given: JsonObject;
}

const texts = { type: 'array', items: { type: 'string' } };
const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['version', 'statements'],
  properties: {
    version: { const: 1 },
    statements: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'only'],
        properties: {
          name: { type: 'string', minLength: 1 },
          who: {
            type: 'object',
            additionalProperties: false,
            properties: {
              groups: texts,
              groups_include: texts,
              kind: { enum: ['user', 'service'] },
              issuer: { type: 'string' },
              subject: { type: 'string' },
              client: { type: 'string' },
              tenant: { type: 'string' },
              scopes: texts,
              claims: { type: 'object' },
            },
            not: { required: ['groups', 'groups_include'] },
          },
          tools: {
            type: 'object',
            additionalProperties: false,
            properties: { server: { type: 'string' }, name: { type: 'string' }, labels: texts, annotations: { type: 'object' } },
          },
          only: { type: 'array', minItems: 1, uniqueItems: true, items: { enum: [...effects] } },
          given: {
            type: 'object',
            additionalProperties: false,
            properties: {
              usage: { type: 'object' },
              session: { type: 'object' },
              history: { type: 'array' },
              findings: { type: 'array' },
              approval: {},
              arguments: { type: 'object' },
            },
          },
        },
      },
    },
  },
};

/**
 * Reads the statements of a document (YAML or JSON, parsed).
 * @throws GatewayError `request.invalid` that names the place
 */
export function readStatements(document: unknown): readonly Statement[] {
  const problem = compileValidator(schema)(document);
  if (problem !== undefined) throw new GatewayError('request.invalid', `the file of statements does not fit: ${problem}`);
  const { statements } = document as { readonly statements: readonly Written[] };
  return statements.map(({ name, who = {}, tools = {}, only, given = {} }) => {
    const { groups_include: groupsInclude = [], ...identity } = who;
    return {
      name,
      who: identity,
      groupsInclude,
      tools: { ...tools, labels: tools.labels ?? [], annotations: tools.annotations ?? {} },
      only,
      given: { approval: null, ...given },
    };
  });
}

interface Written {
  readonly name: string;
  readonly who?: KnownIdentity & { readonly groups_include?: readonly string[] };
  readonly tools?: Partial<Statement['tools']>;
  readonly only: readonly Effect[];
  readonly given?: JsonObject;
}

/** Whether a statement speaks of this tool. */
export function speaksOf(
  { tools }: Statement,
  facts: { readonly server: string; readonly name: string; readonly labels: readonly string[]; readonly annotations: JsonObject },
): boolean {
  const { server, name, labels, annotations } = tools;
  if (server !== undefined && server !== facts.server) return false;
  if (name !== undefined && !patternOf(name).test(facts.name)) return false;
  if (!labels.every((label) => facts.labels.includes(label))) return false;
  return Object.entries(annotations).every(([key, value]) => isSame(facts.annotations[key], value));
}

function patternOf(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}

function isSame(left: Json | undefined, right: Json | undefined): boolean {
  return isJsonObject(left) || Array.isArray(left) ? JSON.stringify(left) === JSON.stringify(right) : left === right;
}
