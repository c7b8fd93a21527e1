import { identityKey } from '../model/identity.ts';
import type { ToolFacts } from '../model/input.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { EndpointView } from '../upstream/endpoint.ts';
import { buildInput } from './build-input.ts';
import type { Answer, Call } from './call.ts';
import { decideList } from './decide.ts';
import { kindOf } from './methods.ts';
import type { Parts } from './parts.ts';
import { decidedRecord, finishedRecord, makeDurable } from './record.ts';
import { failure, refusal } from './reply.ts';
import { GatewayError } from '../model/errors.ts';
import { toolFacts } from './resolve.ts';

/** One thing that could be listed: the name that policy answers with, and the definition as the agent would see it. */
interface Listed {
  readonly name: string;
  readonly server: string;
  readonly definition: JsonObject;
  /** Of a tool. */
  readonly facts?: ToolFacts;
}

/** Which member of the result holds a list, and where its items come from. */
const lists: Readonly<Record<string, { readonly member: string; readonly items: (endpoint: EndpointView) => readonly Listed[] }>> = {
  'tools/list': {
    member: 'tools',
    items: (endpoint) =>
      [...endpoint.tools.values()].map((tool) => ({
        name: tool.exposedName,
        server: tool.upstream,
        definition: tool.definition,
        facts: toolFacts(tool).facts,
      })),
  },
  'resources/list': { member: 'resources', items: (endpoint) => endpoint.resources },
  'resources/templates/list': { member: 'resourceTemplates', items: (endpoint) => endpoint.resourceTemplates },
  'prompts/list': { member: 'prompts', items: (endpoint) => endpoint.prompts },
};

/** JSON of what an endpoint's catalogue has to list, kept as long as that view of it. */
const jsonKept = new WeakMap<EndpointView, Map<string, string>>();

/**
 * Answers a list from the catalogue, filtered: one evaluation of `gateway/list` names what the identity may see. Lists are whole, so
 * there is no next page; a cursor is refused.
 */
export async function answerList(parts: Parts, call: Call): Promise<Answer> {
  const list = lists[call.method];
  if (list === undefined) throw new TypeError(`no list for \`${call.method}\``);
  if (call.subject['cursor'] !== undefined) return failure(call, new GatewayError('rpc.params', 'unknown cursor; this list has one page'));
  const { endpoint, release } = call.snapshot;
  const nowMs = parts.now();
  const items = list.items(endpoint);
  const input = buildInput(parts.plans, call, {
    entry: 'gateway/list',
    phase: 'list',
    atMs: nowMs,
    findings: [],
    history: parts.history.look(identityKey(call.identity), nowMs, call.session.publicId),
    approval: null,
    listJson: { key: call.method === 'tools/list' ? 'tools' : 'items', json: listJson(call, items) },
    environmentJson: parts.settings().environmentJson,
  });
  const { visible, decision } = await decideList(parts, release, input);
  await makeDurable(parts, decidedRecord(call, decision, parts.now()));
  parts.observer.decided(call.method, decision.effect, 'gateway', decision.tookMs);
  if (decision.effect === 'deny') return refusal(call, decision);
  const narrow = release && parts.narrow?.({ release, identity: call.identity, environmentJson: parts.settings().environmentJson });
  const shown: Json[] = items
    .filter((item) => visible.has(item.name))
    .map(({ facts, definition }) => (facts === undefined || narrow === undefined ? definition : narrow(facts, definition)));
  parts.audit.hand(finishedRecord(call, { status: 'ok', bytes: 0, total_ms: parts.now() - call.arrival.receivedAtMs }, parts.now()));
  return { result: { [list.member]: shown } };
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
        : JSON.stringify(items.map(({ name, server }) => ({ kind: kindOf(call.method), server, name })));
    kept.set(call.method, json);
  }
  return json;
}
