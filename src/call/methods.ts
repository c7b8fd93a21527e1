import type { TargetKind } from '../model/input.ts';

/** Who may send a method, and what the gateway does with it once it is allowed. */
export interface MethodRule {
  readonly kind: TargetKind;
  readonly from: 'agent' | 'upstream' | 'either';
  readonly form: 'request' | 'notification';
  /**
   * `answer`: the gateway answers. `list`: merged and filtered. `one`: goes to the upstream that owns the target.
   * `every`: goes to each upstream of the endpoint. `deliver`: from an upstream to the agent.
   */
  readonly route: 'answer' | 'list' | 'one' | 'every' | 'deliver';
}

const rule = (kind: TargetKind, from: MethodRule['from'], form: MethodRule['form'], route: MethodRule['route']): MethodRule => ({
  kind,
  from,
  form,
  route,
});

/**
 * Every method of MCP 2025-03-26 to 2025-11-25. A method that is not here has kind `unknown`: policy is asked about it all the same.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/schema
 */
export const methodTable: Readonly<Record<string, MethodRule>> = {
  initialize: rule('protocol', 'agent', 'request', 'answer'),
  ping: rule('protocol', 'either', 'request', 'answer'),
  'tools/list': rule('tool', 'agent', 'request', 'list'),
  'tools/call': rule('tool', 'agent', 'request', 'one'),
  'resources/list': rule('resource', 'agent', 'request', 'list'),
  'resources/templates/list': rule('resource', 'agent', 'request', 'list'),
  'resources/read': rule('resource', 'agent', 'request', 'one'),
  'resources/subscribe': rule('resource', 'agent', 'request', 'one'),
  'resources/unsubscribe': rule('resource', 'agent', 'request', 'one'),
  'prompts/list': rule('prompt', 'agent', 'request', 'list'),
  'prompts/get': rule('prompt', 'agent', 'request', 'one'),
  'completion/complete': rule('completion', 'agent', 'request', 'one'),
  'logging/setLevel': rule('logging', 'agent', 'request', 'every'),
  'notifications/initialized': rule('protocol', 'agent', 'notification', 'answer'),
  'notifications/cancelled': rule('protocol', 'either', 'notification', 'answer'),
  'notifications/progress': rule('notification', 'either', 'notification', 'deliver'),
  'notifications/roots/list_changed': rule('roots', 'agent', 'notification', 'every'),
  'notifications/message': rule('logging', 'upstream', 'notification', 'deliver'),
  'notifications/resources/updated': rule('resource', 'upstream', 'notification', 'deliver'),
  'notifications/elicitation/complete': rule('elicitation', 'upstream', 'notification', 'deliver'),
  'sampling/createMessage': rule('sampling', 'upstream', 'request', 'deliver'),
  'elicitation/create': rule('elicitation', 'upstream', 'request', 'deliver'),
  'roots/list': rule('roots', 'upstream', 'request', 'deliver'),
};

/** The client capability without which a request of the upstream is refused before the agent sees it. */
export const clientCapability: Readonly<Record<string, string>> = {
  'sampling/createMessage': 'sampling',
  'elicitation/create': 'elicitation',
  'roots/list': 'roots',
};

/** Which kind of target a method speaks about. */
export function kindOf(method: string): TargetKind {
  return Object.hasOwn(methodTable, method) ? (methodTable[method]?.kind ?? 'unknown') : method.startsWith('tasks/') ? 'task' : 'unknown';
}

/** Revisions that sessions speak, newest first. */
export const sessionVersions = ['2025-11-25', '2025-06-18', '2025-03-26'] as const;
