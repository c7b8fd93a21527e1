import type { Digest } from '../model/ids.ts';
import type { Finding } from '../model/input.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { compileValidator, type Validator } from '../model/validate.ts';
import type { CatalogueTool } from './catalogue-tool.ts';

/** A tool as an endpoint offers it. */
export interface ExposedTool {
  readonly exposedName: string;
  readonly upstream: string;
  /** The upstream's own name for it. */
  readonly name: string;
  /** As agents are listed it: what clients of every revision take. */
  readonly definition: JsonObject;
  /** An output schema that is not an object's, which only 2026-07-28 and later know; left out of {@link definition}. */
  readonly modernOutputSchema: JsonObject | undefined;
  readonly labels: readonly string[];
  /** Of the upstream's whole definition. */
  readonly digest: Digest;
  readonly pinned: boolean;
  /** Why lists leave it out; calls of it are judged all the same. */
  readonly quarantined: string | undefined;
  readonly findings: readonly Finding[];
  readonly annotations: JsonObject;
  /** Checks what an agent passed; `undefined` when it fits. A tool whose schema is broken fits nothing. */
  validate(value: JsonObject): string | undefined;
  /** What the upstream is sent: the agent's arguments with the fixed ones. */
  prepare(value: JsonObject): JsonObject;
}

/** How a restricted variant differs from its tool. */
export interface Restriction {
  /** Arguments with a fixed value: not listed, not to be passed. */
  readonly pin: JsonObject;
  /** What an argument must fit beside the tool's own schema. It must be passed, unless the fragment has a `default`. */
  readonly narrow: Readonly<Record<string, JsonObject>>;
}

/** Words of the configuration in place of the upstream's. */
export interface Wording {
  readonly title?: string | undefined;
  readonly description?: string | undefined;
}

/** The tool under another name, or its own. */
export function exposeTool(tool: CatalogueTool, exposedName: string, wording: Wording): ExposedTool {
  return {
    ...factsOf(tool),
    exposedName,
    definition: listedDefinition(tool, exposedName, wording, schemaOf(tool)),
    validate: (value) => tool.validate(value),
    prepare: (value) => value,
  };
}

/**
 * A variant that can do less than its tool. Its arguments are checked three ways: nothing fixed is passed, each narrowed one fits its
 * fragment, and the whole with the fixed values fits the upstream's schema. So no fragment can widen what the upstream allows.
 */
export function restrictTool(tool: CatalogueTool, exposedName: string, wording: Wording, restriction: Restriction): ExposedTool {
  const { pin, narrow } = restriction;
  const defaults = defaultsOf(narrow);
  const prepare = (value: JsonObject): JsonObject => ({ ...defaults, ...value, ...pin });
  const checks = new Map<string, Validator>();
  const checkOf = (argument: string, fragment: JsonObject): Validator => {
    let check = checks.get(argument);
    if (check === undefined) checks.set(argument, (check = compileValidator(fragment)));
    return check;
  };
  return {
    ...factsOf(tool),
    exposedName,
    definition: listedDefinition(tool, exposedName, wording, restrictedSchema(schemaOf(tool), restriction)),
    prepare,
    validate: (value) => {
      for (const argument of Object.keys(pin)) if (Object.hasOwn(value, argument)) return `\`${argument}\` is fixed here; leave it out`;
      const whole = prepare(value);
      for (const [argument, fragment] of Object.entries(narrow)) {
        if (!Object.hasOwn(whole, argument)) return `\`${argument}\` is missing`;
        const problem = checkOf(argument, fragment)(whole[argument]);
        if (problem !== undefined) return `\`/${argument}\`: ${problem}`;
      }
      return tool.validate(whole);
    },
  };
}

/** Why the restriction cannot work, or `undefined`. */
export function restrictionProblem({ narrow, pin }: Restriction): string | undefined {
  for (const [argument, fragment] of Object.entries(narrow)) {
    if (Object.hasOwn(pin, argument)) return `\`${argument}\` is both fixed and narrowed`;
    try {
      compileValidator(fragment);
    } catch (error) {
      return `the schema that narrows \`${argument}\` is broken: ${error instanceof Error ? error.message : 'unknown'}`;
    }
  }
  return undefined;
}

function factsOf(tool: CatalogueTool): Omit<ExposedTool, 'exposedName' | 'definition' | 'validate' | 'prepare'> {
  const { upstream, name, labels, digest, pinned, quarantined, findings, annotations } = tool;
  return { upstream, name, labels, digest, pinned, quarantined, findings, annotations, modernOutputSchema: modernOutputSchema(tool) };
}

function schemaOf(tool: CatalogueTool): JsonObject {
  const schema = tool.definition['inputSchema'];
  // Older clients refuse a whole list for one schema that does not say `type: object`.
  return { ...(isJsonObject(schema) ? schema : {}), type: 'object' };
}

function listedDefinition(tool: CatalogueTool, exposedName: string, wording: Wording, inputSchema: JsonObject): JsonObject {
  const { outputSchema, ...rest } = tool.definition;
  return {
    ...rest,
    name: exposedName,
    ...(wording.title === undefined ? {} : { title: wording.title }),
    ...(wording.description === undefined ? {} : { description: wording.description }),
    inputSchema,
    // The same holds for an output schema that is not an object's: it is left out, and results pass unchecked by the client.
    ...(isObjectSchema(outputSchema) ? { outputSchema } : {}),
  };
}

function isObjectSchema(schema: Json | undefined): schema is JsonObject {
  return isJsonObject(schema) && schema['type'] === 'object';
}

function modernOutputSchema(tool: CatalogueTool): JsonObject | undefined {
  const schema = tool.definition['outputSchema'];
  return isJsonObject(schema) && !isObjectSchema(schema) ? schema : undefined;
}

function restrictedSchema(schema: JsonObject, { pin, narrow }: Restriction): JsonObject {
  const properties = isJsonObject(schema['properties']) ? schema['properties'] : {};
  const listed: Record<string, Json | undefined> = {};
  for (const [name, property] of Object.entries(properties)) if (!Object.hasOwn(pin, name)) listed[name] = property;
  for (const [name, fragment] of Object.entries(narrow)) {
    const own = listed[name];
    listed[name] = { ...(isJsonObject(own) ? own : {}), ...fragment };
  }
  const before = Array.isArray(schema['required']) ? (schema['required'] as readonly Json[]) : [];
  const needed = Object.entries(narrow).filter(([, fragment]) => fragment['default'] === undefined);
  const required = new Set([
    ...before.filter((name) => typeof name === 'string' && !Object.hasOwn(pin, name)),
    ...needed.map(([name]) => name),
  ]);
  for (const [name, fragment] of Object.entries(narrow)) if (fragment['default'] !== undefined) required.delete(name);
  return { ...schema, properties: listed, required: [...required] };
}

function defaultsOf(narrow: Readonly<Record<string, JsonObject>>): JsonObject {
  const defaults: Record<string, Json> = {};
  for (const [name, fragment] of Object.entries(narrow)) if (fragment['default'] !== undefined) defaults[name] = fragment['default'];
  return defaults;
}
