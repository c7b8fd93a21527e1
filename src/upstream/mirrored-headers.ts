import { isJsonObject, valueAt, type Json, type JsonObject } from '../model/json.ts';

/** An argument that a tool wants to see in a header too. */
export interface ParamHeader {
  readonly header: string;
  readonly path: readonly string[];
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const headerTypes: ReadonlySet<Json | undefined> = new Set(['string', 'integer', 'boolean']);
/** Keywords whose value is data, not a schema. */
const dataKeywords: ReadonlySet<string> = new Set(['enum', 'const', 'default', 'examples', 'required', 'type']);
/** Keywords whose value names schemas. */
const mapKeywords: ReadonlySet<string> = new Set(['$defs', 'definitions', 'patternProperties', 'dependentSchemas']);
const annotation = 'x-mcp-header';

/**
 * The headers that a tool's input schema asks for with `x-mcp-header`.
 * @throws Error in words for the log when an annotation breaks a rule, which makes the tool's definition invalid
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#custom-headers-from-tool-parameters
 */
export function paramHeadersOf(schema: JsonObject): readonly ParamHeader[] {
  const found: ParamHeader[] = [];
  const names = new Set<string>();
  const take = (node: JsonObject, path: readonly string[], reachable: boolean): void => {
    const name = node[annotation];
    const at = path.join('/');
    if (typeof name !== 'string' || !token.test(name)) throw new Error(`\`${annotation}\` at \`${at}\` is not a header name`);
    if (!reachable || path.length === 0) throw new Error(`\`${annotation}\` stands where no argument is reached by properties alone`);
    if (!headerTypes.has(node['type'])) throw new Error(`\`${annotation}\` at \`${at}\` is not on a string, an integer or a boolean`);
    if (names.has(name.toLowerCase())) throw new Error(`two arguments want the header \`${name}\``);
    names.add(name.toLowerCase());
    found.push({ header: `mcp-param-${name}`, path });
  };
  const walk = (node: Json | undefined, path: readonly string[], reachable: boolean): void => {
    if (Array.isArray(node)) for (const item of node as readonly Json[]) walk(item, path, false);
    if (!isJsonObject(node)) return;
    if (Object.hasOwn(node, annotation)) take(node, path, reachable);
    for (const [keyword, value] of Object.entries(node)) {
      if (dataKeywords.has(keyword)) continue;
      if (isJsonObject(value) && keyword === 'properties')
        for (const [name, property] of Object.entries(value)) walk(property, [...path, name], reachable);
      else if (isJsonObject(value) && mapKeywords.has(keyword)) for (const each of Object.values(value)) walk(each, path, false);
      else walk(value, path, false);
    }
  };
  walk(schema, [], true);
  return found;
}

/** Which member of the params the `Mcp-Name` header repeats. */
const namedBy: Readonly<Record<string, string>> = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' };

/** Headers, name and value in turn, that repeat parts of this very request. */
export function mirroredHeaders(method: string, params: JsonObject | undefined, wanted: readonly ParamHeader[]): string[] {
  const headers = ['mcp-method', headerValue(method)];
  const member = Object.hasOwn(namedBy, method) ? namedBy[method] : method.startsWith('tasks/') ? 'taskId' : undefined;
  const name = member === undefined ? undefined : params?.[member];
  if (typeof name === 'string') headers.push('mcp-name', headerValue(name));
  for (const { header, path } of wanted) {
    const text = textOf(valueAt(params?.['arguments'], path));
    if (text !== undefined) headers.push(header, headerValue(text));
  }
  return headers;
}

function textOf(value: Json | undefined): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  return typeof value === 'boolean' ? String(value) : undefined;
}

/** What may stand in a header as it is. */
export const plainHeader = /^(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?$/;

/** A header value as it is where that is safe and cannot be taken for an encoded one; else encoded. */
export function headerValue(text: string): string {
  const isPlain = plainHeader.test(text) && !(text.startsWith('=?base64?') && text.endsWith('?='));
  return isPlain ? text : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`;
}
