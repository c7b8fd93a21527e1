import schema from './castellan.schema.json' with { type: 'json' };

/** A node of the configuration's schema, as far as this room reads it. Keys that begin with `x-` are our own annotations. */
export interface SchemaNode {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: string | number;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly propertyNames?: SchemaNode;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly oneOf?: readonly SchemaNode[];
  /** What fits here, in words; used where a value does not. */
  readonly 'x-expects'?: string;
  /** Words for keys that people look for here in vain. */
  readonly 'x-unknown'?: Readonly<Record<string, string>>;
  /** `path`: starts at the file's folder. `command`: the same, only where it begins with `./` or `../`. */
  readonly 'x-path'?: 'path' | 'command';
  readonly 'x-secret'?: 'only' | 'or text';
  readonly 'x-url'?: UrlRule;
  /** Any JSON: nothing in it is looked at. */
  readonly 'x-json'?: boolean;
  /** The TypeScript type, where the schema cannot say it. */
  readonly 'x-type'?: string;
}

/** `http`: http or https. `https`: http on loopback only. `origin`: as `https`, without a path. */
export type UrlRule = 'http' | 'https' | 'origin';

/** The schema of the configuration file; `castellan.schema.json` is published for editors. */
export const configSchema: SchemaNode = schema as SchemaNode;

/** The node behind a `$ref`, with the description and default that stand beside the reference. */
export function dereference(node: SchemaNode): SchemaNode {
  if (node.$ref === undefined) return node;
  const { $ref, ...beside } = node;
  const target = configSchema.$defs?.[$ref.replace('#/$defs/', '')];
  if (target === undefined) throw new TypeError(`the schema has no \`${$ref}\``);
  return { ...dereference(target), ...beside };
}
