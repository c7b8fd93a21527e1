import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './markdown.ts';

/** As much of JSON Schema as the policies' schemas use. */
interface Schema {
  readonly description?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly $ref?: string;
  readonly additionalProperties?: boolean | Schema;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

const made = (file: string): string =>
  `<!-- Made by \`node test/docs/generate.ts\` from ${file}; edit that, or the words in test/docs/schema-pages.ts. -->\n`;

function schemaOf(name: string): Schema {
  return JSON.parse(readFileSync(join(root, 'policies', 'schemas', name), 'utf8')) as Schema;
}

/** `docs/reference/policy-input.md`. */
export function inputPage(): string {
  return `${made('policies/schemas/input.json')}
# What policy is asked: the input

For each call, result, list and message the gateway builds one document, which rules read as \`input\`. [\`policies/schemas/input.json\`](../../policies/schemas/input.json)
is its schema: \`castellan policy check\` and \`opa check --schema\` refuse a rule that reads a field which is not there.

- The same input and release give the same answer. Time is \`input.at\`; there is no network and no randomness in policy.
- What policy does not see is not forwarded, and what is forwarded is what policy saw, serialised anew.
- \`tool.labels\` are the configuration's and can be believed. \`tool.annotations\` are the server's own claims.
- \`history\` belongs to the identity, not to a session: a new session does not wash a label off. Calls in flight are in it.
- \`findings\` say what a detector found and where, never the value.

How the answer looks: [the decision](policy-decision.md). How a rule is written: [policies](../../policies/README.md).

| field | type | meaning |
|---|---|---|
${rows(schemaOf('input.json'), '', new Map()).join('\n')}
`;
}

/** `docs/reference/policy-decision.md`. */
export function decisionPage(): string {
  const { definitions = {} } = schemaOf('decision.json');
  const table = (name: string): string =>
    `| field | type | meaning |\n|---|---|---|\n${rows(definitions[name] ?? {}, '', new Map(Object.entries(definitions))).join('\n')}\n`;
  return `${made('policies/schemas/decision.json')}
# What policy answers: the decision

[\`policies/schemas/decision.json\`](../../policies/schemas/decision.json) is the schema that the gateway holds every answer to. An answer that is undefined, malformed, late or has an
unknown field is a denial with the fault as its reason (\`gateway/<fault>\`), in the audit record and in \`castellan_policy_faults_total\`.

Rules do not write this document: each adds to sets (\`allow\`, \`deny\`, \`require_approval\`, \`redact\`, \`label\`, \`limit\`, \`mask\`), and \`policies/gateway/\` combines them. The strongest
effect wins: deny, require_approval, redact, allow; and nothing is allowed by default.

| entrypoint | asked | answers |
|---|---|---|
| \`gateway/call\` | before anything is sent to an upstream | a decision |
| \`gateway/result\` | about what came back, before the agent sees it | a decision; \`deny\` withholds the result |
| \`gateway/message\` | about what an upstream sends toward the agent by itself | a decision |
| \`gateway/list\` | which tools, resources or prompts this identity sees | a list |
| \`gateway/mask\` | before an input is kept beside its record, unless it is proved that it has nothing to say | a mask; a policy may leave it out |

## Decision

${table('decision')}
## List

${table('list')}
## Mask

${table('mask')}
## What the agent is told

For \`tools/call\` a refusal is a tool result with \`isError: true\` and the words of the rules that refused, so that the model can react. For other methods it is a JSON-RPC error with a
code outside −32768…−32000. Either way \`_meta["castellan/decision"]\` (in errors \`data["castellan/decision"]\`) has \`id\`, \`effect\`, for a refusal \`reasons\` (rule, message, hint), and for a
held call \`approval\` (id, state, expires_at). Nothing else of the decision leaves the gateway; the audit record has all of it.
`;
}

function rows(schema: Schema, path: string, definitions: ReadonlyMap<string, Schema>): string[] {
  const found: string[] = [];
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const own = settled(property, definitions);
    const needed = schema.required?.includes(name) === true;
    const field = path === '' ? name : `${path}.${name}`;
    const words = property.description ?? own.schema.description ?? '';
    found.push(`| \`${field}\`${needed ? '' : ' ?'} | ${typeOf(own)} | ${words.replaceAll('|', '\\|')} |`);
    found.push(...rows(own.schema, own.isList ? `${field}[]` : field, definitions));
  }
  return found;
}

interface Settled {
  readonly schema: Schema;
  readonly isList: boolean;
  readonly orNull: boolean;
}

/** What a property is once references, lists and \`or null\` are looked through. */
function settled(schema: Schema, definitions: ReadonlyMap<string, Schema>): Settled {
  const name = schema.$ref?.replace('#/definitions/', '');
  if (name !== undefined) return settled(definitions.get(name) ?? {}, definitions);
  if (schema.anyOf !== undefined) {
    const [first = {}] = schema.anyOf.filter((one) => one.type !== 'null');
    return { ...settled(first, definitions), orNull: schema.anyOf.some((one) => one.type === 'null') };
  }
  if (schema.type === 'array' && schema.items !== undefined) return { ...settled(schema.items, definitions), isList: true };
  return { schema, isList: false, orNull: false };
}

function typeOf({ schema, isList, orNull }: Settled): string {
  const one = schema.enum === undefined ? (schema.type ?? 'any') : schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  return `${isList ? 'array of ' : ''}${one}${orNull ? ', or null' : ''}`;
}
