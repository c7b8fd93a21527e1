import type { Phase } from '../model/decision.ts';
import { digestJson } from '../model/digest.ts';
import { GatewayError } from '../model/errors.ts';
import type { Identity } from '../model/identity.ts';
import { newId } from '../model/ids.ts';
import type { ItemFacts, Target, ToolFacts } from '../model/input.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import { callToolName, findToolName } from '../model/own-tools.ts';
import { assertRpcKeys } from '../model/rpc-keys.ts';
import type { EndpointView, ExposedTool } from '../upstream/endpoint.ts';
import { member, type Arrival, type Call, type Snapshot } from './call.ts';
import { lookAlike } from './look-alike-arguments.ts';
import { kindOf } from './methods.ts';
import { checkParamHeaders } from './param-headers.ts';
import type { inspect } from './inspect.ts';
import { calledTool } from './search-tools.ts';
import { assertTakesTasks, knowsTasks, taskTerms } from './task-terms.ts';
import type { Session } from './session.ts';

/** A call with the way it will take once it is allowed. */
export interface Resolved {
  readonly call: Call;
  /** The upstream that owns the target; `null` where the gateway answers or all upstreams are meant. */
  readonly upstream: string | null;
  /** The params to forward, given the subject as policy left it. */
  readonly outgoing: (subject: JsonObject) => JsonObject | undefined;
  /** Judges what comes back, in place of the usual {@link inspect}. */
  readonly inspect?: typeof inspect;
  /** `false`: leaves no trace in the identity's history. */
  readonly isTracked?: boolean;
  /** Whether the agent asked that the call goes on as a task. */
  readonly isTask?: boolean;
}

/** Facts of a tool as policy sees them, and their JSON, kept as long as the catalogue's entry. */
const factsKept = new WeakMap<ExposedTool, { readonly facts: ToolFacts; readonly json: string }>();

/** The facts of `tool`: what the upstream claims and what the configuration says, apart. */
export function toolFacts(tool: ExposedTool): { readonly facts: ToolFacts; readonly json: string } {
  let kept = factsKept.get(tool);
  if (kept === undefined) {
    const title = tool.definition['title'];
    const facts: ToolFacts = {
      server: tool.upstream,
      name: tool.name,
      exposed_name: tool.exposedName,
      ...(typeof title === 'string' ? { title } : {}),
      annotations: tool.annotations,
      labels: tool.labels,
      definition_digest: tool.digest,
      pinned: tool.pinned,
      findings: tool.findings,
    };
    kept = { facts, json: JSON.stringify(facts) };
    factsKept.set(tool, kept);
  }
  return kept;
}

/** A message of an agent's with the state that it is judged under. */
export interface Arriving {
  readonly session: Session;
  readonly identity: Identity;
  readonly arrival: Arrival;
  readonly snapshot: Snapshot;
  readonly method: string;
  readonly params: JsonObject | undefined;
}

/**
 * Finds what an agent's message is about. Nothing is asked of an upstream here: the pinned catalogue answers.
 * @throws GatewayError `target.unknown`, `resource.unknown`, `rpc.params`
 */
export function resolve(arriving: Arriving): Resolved {
  const { method, params, snapshot } = arriving;
  if (method === 'tools/call') return resolveTool(arriving);
  const { meta, rest } = withoutMeta(params);
  // Answers are judged as answers, so they come only where something was asked; what is left of them here was asked by nobody.
  for (const key of ['inputResponses', 'requestState'])
    if (Object.hasOwn(rest, key)) throw new GatewayError('rpc.params', `\`params.${key}\` is not supported on \`${method}\` here`);
  const { target, upstream, item, rename } = locate(method, rest, snapshot.endpoint);
  const call = makeCall(arriving, target, rest);
  return {
    call: item === undefined ? call : { ...call, item },
    upstream,
    outgoing: (subject) => (params === undefined ? undefined : { ...subject, ...rename, ...meta }),
  };
}

/** A message whose method the era does not know: policy is asked about it, and it goes nowhere. */
export function resolveUnknown(arriving: Arriving): Resolved {
  const { method } = arriving;
  const target = { kind: kindOf(method), server: null, name: method };
  return { call: makeCall(arriving, target, withoutMeta(arriving.params).rest), upstream: null, outgoing: () => undefined };
}

function resolveTool(arriving: Arriving): Resolved {
  const { snapshot } = arriving;
  let { params } = arriving;
  let name = member(params, 'name');
  if (snapshot.endpoint.toolSearch !== undefined) {
    if (name === findToolName) return resolveFindTool(arriving);
    if (name === callToolName) name = member((params = calledTool(params)), 'name');
  }
  if (typeof name !== 'string') throw new GatewayError('rpc.params', '`params.name` must be the name of a tool');
  const tool = snapshot.endpoint.resolveTool(name);
  if (tool === undefined)
    throw new GatewayError('target.unknown', `unknown tool \`${name.slice(0, 100)}\`; ask \`tools/list\` for the tools of this endpoint`);
  const given = member(params, 'arguments') ?? {};
  if (!isJsonObject(given)) throw new GatewayError('rpc.params', '`params.arguments` must be an object');
  for (const key of Object.keys(params ?? {})) {
    if (key !== 'name' && key !== 'arguments' && key !== '_meta' && (key !== 'task' || !knowsTasks(arriving.session)))
      throw new GatewayError('rpc.params', `\`params.${key.slice(0, 40)}\` is not supported on \`tools/call\``);
  }
  // Under a name that is the gateway's own, the agent knows nothing of the tool's headers.
  if (arriving.arrival.paramHeaders !== undefined && member(arriving.params, 'name') === name)
    checkParamHeaders(tool, given, arriving.arrival.paramHeaders);
  const problem = tool.validate(given);
  if (problem !== undefined) throw new GatewayError('rpc.params', `the arguments of \`${name}\` do not fit its schema: ${problem}`);
  const prepared = tool.prepare(given);
  const twin = lookAlike(prepared, tool);
  if (twin !== undefined)
    throw new GatewayError(
      'rpc.params',
      `the arguments of \`${name}\` do not fit its schema: \`${twin.slice(0, 40)}\` can be taken for another argument`,
    );
  const facts = toolFacts(tool);
  const { meta } = withoutMeta(params);
  const call = makeCall(arriving, { kind: 'tool', server: tool.upstream, name: tool.name }, prepared, facts);
  const asked = member(params, 'task');
  if (asked !== undefined) {
    const task = taskTerms(asked);
    assertTakesTasks(tool, snapshot.endpoint);
    const asTask = { ...call, task };
    return {
      call: asTask,
      upstream: tool.upstream,
      outgoing: (subject) => ({ name: tool.name, arguments: subject, task, ...meta }),
      isTask: true,
    };
  }
  return { call, upstream: tool.upstream, outgoing: (subject) => ({ name: tool.name, arguments: subject, ...meta }) };
}

/** The gateway's own tool: no upstream has it. */
function resolveFindTool(arriving: Arriving): Resolved {
  const given = member(arriving.params, 'arguments') ?? {};
  if (!isJsonObject(given)) throw new GatewayError('rpc.params', '`params.arguments` must be an object');
  const call = makeCall(arriving, { kind: 'tool', server: null, name: findToolName }, given);
  return { call, upstream: null, outgoing: () => undefined };
}

interface Located {
  readonly target: Target;
  readonly upstream: string | null;
  /** What is known of the resource or prompt, where it is listed. */
  readonly item?: ItemFacts | undefined;
  readonly rename?: JsonObject;
}

function locate(method: string, params: JsonObject, endpoint: EndpointView): Located {
  const kind = kindOf(method);
  switch (method) {
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return locateResource(text(params, 'uri'), endpoint);
    case 'prompts/get':
      return locatePrompt(text(params, 'name'), endpoint);
    case 'completion/complete':
      return locateCompletion(params, endpoint);
    default:
      return { target: { kind, server: null, name: method }, upstream: null };
  }
}

function locateResource(uri: string, endpoint: EndpointView): Located {
  const upstream = endpoint.resolveResource(uri);
  if (upstream === undefined)
    throw new GatewayError('resource.unknown', `unknown resource \`${uri.slice(0, 200)}\`; ask \`resources/list\``, { detail: { uri } });
  return { target: { kind: 'resource', server: upstream, name: uri }, upstream, item: endpoint.itemOfResource(uri) };
}

function locatePrompt(name: string, endpoint: EndpointView): Located {
  const prompt = endpoint.resolvePrompt(name);
  if (prompt === undefined) throw new GatewayError('target.unknown', `unknown prompt \`${name.slice(0, 100)}\`; ask \`prompts/list\``);
  return {
    target: { kind: 'prompt', server: prompt.upstream, name: prompt.name },
    upstream: prompt.upstream,
    item: prompt.item,
    rename: { name: prompt.name },
  };
}

function locateCompletion(params: JsonObject, endpoint: EndpointView): Located {
  const ref = member(params, 'ref');
  if (!isJsonObject(ref)) throw new GatewayError('rpc.params', '`params.ref` must name a prompt or a resource template');
  assertRpcKeys(ref, new Set(['type', 'name', 'uri']));
  if (ref['type'] === 'ref/prompt') {
    const found = locatePrompt(text(ref, 'name'), endpoint);
    return { ...found, target: { ...found.target, kind: 'completion' }, rename: { ref: { ...ref, ...found.rename } } };
  }
  if (ref['type'] !== 'ref/resource') throw new GatewayError('rpc.params', '`params.ref.type` must be `ref/prompt` or `ref/resource`');
  const found = locateResource(text(ref, 'uri'), endpoint);
  return { ...found, target: { ...found.target, kind: 'completion' } };
}

function text(params: JsonObject, key: string): string {
  const value = member(params, key);
  if (typeof value !== 'string' || value === '') throw new GatewayError('rpc.params', `\`${key}\` must be a non-empty string`);
  return value;
}

/**
 * Splits off `_meta`. Of it only what MCP itself defines for a request goes on: policy does not see the rest, and what policy does not
 * see cannot be forwarded. The progress token is rewritten on the way by the upstream's session.
 */
function withoutMeta(params: JsonObject | undefined): { readonly meta: JsonObject; readonly rest: JsonObject } {
  if (params === undefined) return { meta: {}, rest: {} };
  if (!('_meta' in params)) return { meta: {}, rest: params };
  const { _meta: meta, ...rest } = params;
  const token = isJsonObject(meta) ? member(meta, 'progressToken') : undefined;
  return { meta: typeof token === 'string' || typeof token === 'number' ? { _meta: { progressToken: token } } : {}, rest };
}

function makeCall(
  arriving: Arriving,
  target: Target,
  subject: JsonObject,
  tool?: { readonly facts: ToolFacts; readonly json: string },
): Call {
  return callOf({ ...arriving, phase: 'call', target, subject, tool: tool?.facts });
}

/** A call with an id and the digest of its subject. */
export function callOf(
  options: Omit<Arriving, 'params'> & {
    phase: Phase;
    target: Target;
    subject: JsonObject;
    tool?: ToolFacts | undefined;
  },
): Call {
  const { session, identity, arrival, snapshot, phase, method, target, subject, tool } = options;
  return {
    id: newId('call'),
    arrival,
    session,
    identity,
    snapshot,
    phase,
    method,
    target,
    tool,
    subject,
    subjectDigest: digestJson(subject),
  };
}
