import type MiniSearch from 'minisearch';
import type { JsonObject } from '../model/json.ts';
import { findToolName } from '../model/own-tools.ts';
import type { EndpointView, ToolSearch } from '../upstream/endpoint.ts';
import type { Answer, Call } from './call.ts';
import { visibleItems } from './lists.ts';
import type { Parts } from './parts.ts';
import { finishedRecord } from './record.ts';
import { refusal, stamped } from './reply.ts';
import { maxQueryLength, unfit } from './search-tools.ts';

/** Of a description only this much is searched: the rest is prose that finds everything. */
const maxIndexedLength = 2_000;

interface Entry {
  readonly id: string;
  readonly name: string;
  readonly title: string;
  readonly description: string;
}

/** Words of an endpoint's tools, kept as long as that view of its catalogue. */
const indexes = new WeakMap<EndpointView, Promise<MiniSearch<Entry>>>();

/**
 * Answers `find_tool`: the tools that fit the query best, of those that a list would show this identity. One evaluation of `gateway/list`
 * says which these are; the record names `find_tool`.
 * @throws GatewayError `rpc.params`
 */
export async function answerFindTool(parts: Parts, call: Call, search: ToolSearch): Promise<Answer> {
  const { query, limit } = askedFor(call.subject, search);
  const listing: Call = { ...call, method: 'tools/list', target: { kind: 'tool', server: null, name: 'tools/list' } };
  const { decision, shown } = await visibleItems(parts, call, listing);
  if (decision.effect === 'deny') return refusal(call, decision);
  const visible = new Map(shown.map((item) => [item.name, item.definition]));
  const index = await indexOf(call.snapshot.endpoint);
  const found = index.search(query, { filter: ({ id }) => visible.has(id as string) }).slice(0, limit);
  const tools = found.flatMap(({ id }): JsonObject[] => [visible.get(id as string) ?? {}]);
  const text = tools.length === 0 ? `no tool that you may use fits these words; try others` : JSON.stringify(tools);
  const result = { content: [{ type: 'text', text }], structuredContent: { tools } };
  parts.audit.hand(finishedRecord(call, { status: 'ok', bytes: 0, total_ms: parts.now() - call.arrival.receivedAtMs }, parts.now()));
  return { result: stamped(result, call, decision.effect) };
}

function askedFor(given: JsonObject, { results, maxResults }: ToolSearch): { readonly query: string; readonly limit: number } {
  const { query, limit = results, ...others } = given;
  const [wrong] = Object.keys(others);
  if (wrong !== undefined) throw unfit(findToolName, `\`${wrong.slice(0, 40)}\` is not known`);
  if (typeof query !== 'string' || query === '' || query.length > maxQueryLength)
    throw unfit(findToolName, `\`query\` must be a text of 1 to ${maxQueryLength} characters`);
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1 || limit > maxResults)
    throw unfit(findToolName, `\`limit\` must be a whole number from 1 to ${maxResults}`);
  return { query, limit };
}

function indexOf(endpoint: EndpointView): Promise<MiniSearch<Entry>> {
  let index = indexes.get(endpoint);
  if (index === undefined) indexes.set(endpoint, (index = makeIndex(endpoint)));
  return index;
}

async function makeIndex(endpoint: EndpointView): Promise<MiniSearch<Entry>> {
  // Loaded by the first search: most gateways have none.
  const { default: Search } = await import('minisearch');
  const index = new Search<Entry>({
    fields: ['name', 'title', 'description'],
    tokenize: (text) => words(text),
    searchOptions: { boost: { name: 3, title: 2 }, prefix: (term) => term.length > 2, fuzzy: (term) => (term.length > 4 ? 0.2 : false) },
  });
  index.addAll(
    [...endpoint.tools.values()].map(({ exposedName, definition }) => ({
      id: exposedName,
      name: exposedName,
      title: textOf(definition['title']),
      description: textOf(definition['description']),
    })),
  );
  return index;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, maxIndexedLength) : '';
}

/** Words of a text; a name such as `createIssueComment` or `create_issue` is several. */
function words(text: string): string[] {
  return text
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}
