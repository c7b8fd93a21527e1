import type { Decision } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import { identityKey } from '../model/identity.ts';
import type { ItemFacts, ToolFacts } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';
import type { EndpointView, ExposedTool } from '../upstream/endpoint.ts';
import { buildInput, type InputParts } from './build-input.ts';
import type { Answer, Call } from './call.ts';
import { decideList } from './decide.ts';
import { actedOn, isObserved, unenforced } from './observed.ts';
import type { Parts } from './parts.ts';
import { decidedRecord, finishedRecord, makeDurable } from './record.ts';
import { refusal } from './reply.ts';
import { toolFacts } from './resolve.ts';
import { ownTools } from './search-tools.ts';

/** One thing that could be listed: the name that policy answers with, and the definition as the agent would see it. */
interface Listed {
  readonly name: string;
  readonly server: string;
  readonly definition: JsonObject;
  /** Of a tool. */
  readonly facts?: ToolFacts;
  /** Of what is no tool. */
  readonly item?: ItemFacts;
}

/** Which member of the result holds a list, and where its items come from. */
const lists: Readonly<Record<string, { readonly member: string; readonly items: (call: Call) => readonly Listed[] }>> = {
  'tools/list': { member: 'tools', items: listedTools },
  'resources/list': { member: 'resources', items: ({ snapshot }) => snapshot.endpoint.resources },
  'resources/templates/list': { member: 'resourceTemplates', items: ({ snapshot }) => snapshot.endpoint.resourceTemplates },
  'prompts/list': { member: 'prompts', items: ({ snapshot }) => snapshot.endpoint.prompts },
};

/** JSON of what an endpoint's catalogue has to list, kept as long as that view of it. */
const jsonKept = new WeakMap<EndpointView, Map<string, string>>();
/** Tools as lists of one era show them, kept as long as the catalogue's entry. */
const modernKept = new WeakMap<ExposedTool, JsonObject>();

/**
 * Answers a list from the catalogue, filtered: one evaluation of `gateway/list` names what the identity may see. Lists are whole, so
 * there is no next page; a cursor is refused. An endpoint with tool search lists its two tools in place of the whole.
 */
export async function answerList(parts: Parts, call: Call): Promise<Answer> {
  const list = lists[call.method];
  if (list === undefined) throw new TypeError(`no list for \`${call.method}\``);
  if (call.subject['cursor'] !== undefined) throw new GatewayError('rpc.params', 'unknown cursor; this list has one page');
  const { decision, shown } = await visibleItems(parts, call);
  if (decision.effect === 'deny') return refusal(call, decision);
  parts.audit.hand(finishedRecord(call, { status: 'ok', bytes: 0, total_ms: parts.now() - call.arrival.receivedAtMs }, parts.now()));
  const { toolSearch } = call.snapshot.endpoint;
  const isSearched = toolSearch !== undefined && call.method === 'tools/list' && shown.length > 0;
  const items = isSearched ? ownTools(toolSearch) : shown.map(({ definition }) => definition);
  return { result: { [list.member]: items } };
}

/** All that a list could show, whoever asks. */
export function listable(listing: Call): readonly Listed[] {
  return lists[listing.method]?.items(listing) ?? [];
}

/**
 * What this call's identity may see of a list, narrowed to what policy does not refuse anyhow. The decision is durable when this resolves.
 * @param listing the call as policy is asked about it, where that is another than the one that is recorded
 */
export async function visibleItems(
  parts: Parts,
  call: Call,
  listing: Call = call,
): Promise<{ readonly decision: Decision; readonly shown: readonly Listed[] }> {
  const { release } = call.snapshot;
  const nowMs = parts.now();
  const items = listable(listing);
  const inputParts: InputParts = {
    entry: 'gateway/list',
    phase: 'list',
    atMs: nowMs,
    findings: [],
    history: parts.history.look(identityKey(call.identity), nowMs, call.session.publicId),
    approval: null,
    listJson: { key: listing.method === 'tools/list' ? 'tools' : 'items', json: listJson(listing, items) },
    environmentJson: parts.settings().environmentJson,
  };
  const input = buildInput(parts.plans, listing, inputParts, parts.settings().keepInputBytes);
  const ask = (): ReturnType<typeof decideList> => decideList(parts, release, input);
  const answered = await parts.lists.get({ plans: parts.plans, call: listing, parts: inputParts, input, ask });
  const { visible } = answered;
  const decision = isObserved(parts, call.session.endpoint) ? unenforced(answered.decision) : answered.decision;
  await makeDurable(parts, decidedRecord({ ...call, phase: 'list' }, decision, parts.now()), input);
  parts.observer.decided(call.method, decision.effect, 'gateway', decision.tookMs);
  if (decision.enforced === false) return { decision: actedOn(decision), shown: items };
  if (decision.effect === 'deny') return { decision, shown: [] };
  const narrow = release && parts.narrow?.({ release, identity: call.identity, environmentJson: parts.settings().environmentJson });
  const shown = items
    .filter((item) => visible.has(item.name))
    .map((item) =>
      item.facts === undefined || narrow === undefined ? item : { ...item, definition: narrow(item.facts, item.definition) },
    );
  return { decision, shown };
}

function listedTools({ snapshot, session }: Call): Listed[] {
  const tools = [...snapshot.endpoint.tools.values()].filter(({ quarantined }) => quarantined === undefined);
  return tools.map((tool) => ({
    name: tool.exposedName,
    server: tool.upstream,
    definition:
      session.isStateless && tool.modernOutputSchema !== undefined ? withOutputSchema(tool, tool.modernOutputSchema) : tool.definition,
    facts: toolFacts(tool).facts,
  }));
}

function withOutputSchema(tool: ExposedTool, outputSchema: JsonObject): JsonObject {
  let definition = modernKept.get(tool);
  if (definition === undefined) modernKept.set(tool, (definition = { ...tool.definition, outputSchema }));
  return definition;
}

function listJson(call: Call, items: readonly Listed[]): string {
  const { endpoint } = call.snapshot;
  const kept = jsonKept.get(endpoint) ?? new Map<string, string>();
  jsonKept.set(endpoint, kept);
  let json = kept.get(call.method);
  if (json === undefined) {
    json =
      call.method === 'tools/list'
        ? `[${[...endpoint.tools.values()].map((tool) => toolFacts(tool).json).join(',')}]`
        : JSON.stringify(items.map(({ item }) => item));
    kept.set(call.method, json);
  }
  return json;
}
