import type { Identity } from '../model/identity.ts';
import type { ToolFacts } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';

/** What is known of who calls. What is left out is unknown: the answer then holds for every value. */
export type KnownIdentity = Partial<
  Pick<Identity, 'issuer' | 'subject' | 'client' | 'kind' | 'groups' | 'scopes' | 'claims'> & { readonly tenant: string }
>;

/** A call of a tool by a class of identities, before anything else is known. */
export interface ToolQuestion {
  readonly identity: KnownIdentity;
  readonly tool: ToolFacts;
  readonly environment: { readonly name: string; readonly labels: JsonObject };
  /** Further members of the input that are known, such as `usage`, whole. */
  readonly given?: JsonObject;
}

const identityMembers = ['issuer', 'subject', 'client', 'kind', 'tenant', 'groups', 'scopes', 'claims', 'auth', 'on_behalf_of'] as const;
const requestMembers = ['id', 'endpoint', 'protocol_version', 'trace_id', 'ip', 'user_agent', 'task'] as const;
/** Parts of the input that differ from call to call. */
const stateKeys = ['at', 'at_ns', 'arguments', 'findings', 'history', 'session', 'usage', 'approval'] as const;

/** What is known of the input of such a call, as JSON text. */
export function knownInput({ identity, tool, environment, given = {} }: ToolQuestion): string {
  return JSON.stringify({
    version: 1,
    phase: 'call',
    request: { method: 'tools/call' },
    identity,
    target: { kind: 'tool', server: tool.server, name: tool.name },
    tool,
    environment,
    ...given,
  });
}

/** What is not known: a member that is neither here nor in {@link knownInput} counts as absent. */
export function unknownsOf({ identity, given = {} }: Pick<ToolQuestion, 'identity' | 'given'>): readonly string[] {
  const open = [
    ...stateKeys.filter((key) => given[key] === undefined),
    ...requestMembers.map((member) => `request.${member}`),
    ...identityMembers.filter((member) => identity[member as keyof KnownIdentity] === undefined).map((member) => `identity.${member}`),
  ];
  return open.map((path) => `input.${path}`);
}

/**
 * A whole input for such a call: what is known, and for the rest a first call in which nothing was found. `more` replaces members, one level
 * down for `identity`.
 */
export function wholeInput({ identity, tool, environment, given = {} }: ToolQuestion, more: JsonObject = {}): JsonObject {
  const { identity: moreIdentity, ...rest } = more;
  return {
    version: 1,
    phase: 'call',
    at: '2026-01-01T00:00:00.000Z',
    at_ns: 1_767_225_600_000_000_000,
    request: {
      id: 'call_example',
      method: 'tools/call',
      endpoint: 'default',
      protocol_version: '2025-11-25',
      ip: '127.0.0.1',
      user_agent: '',
    },
    identity: {
      issuer: 'https://idp.example',
      subject: 'somebody',
      client: 'agent',
      kind: 'user',
      tenant: 'default',
      groups: [],
      scopes: [],
      claims: {},
      auth: { method: 'oidc', age_s: 0 },
      on_behalf_of: null,
      ...identity,
      ...(moreIdentity as JsonObject | undefined),
    },
    target: { kind: 'tool', server: tool.server, name: tool.name },
    tool: { ...tool, findings: (tool.findings ?? []).map((finding) => ({ ...finding })) },
    arguments: {},
    findings: [],
    history: [],
    session: { id: 's-example', started_at: '2026-01-01T00:00:00.000Z', calls: 0, denied: 0, labels: [] },
    usage: { calls_1m: 0, calls_1h: 0, same_call_1m: 0 },
    approval: null,
    environment,
    ...given,
    ...rest,
  };
}
