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
  /** Which requests may name it: those of a session, those that stand for themselves (2026-07-28), or both. */
  readonly era: 'session' | 'stateless' | 'both';
}

const rule = (
  kind: TargetKind,
  from: MethodRule['from'],
  form: MethodRule['form'],
  route: MethodRule['route'],
  era: MethodRule['era'] = 'both',
): MethodRule => ({ kind, from, form, route, era });

/**
 * Every method of MCP 2025-03-26 to 2026-07-28. A method that is not here has kind `unknown`: policy is asked about it all the same.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/schema
 */
export const methodTable: Readonly<Record<string, MethodRule>> = {
  initialize: rule('protocol', 'agent', 'request', 'answer', 'session'),
  'server/discover': rule('protocol', 'agent', 'request', 'answer', 'stateless'),
  ping: rule('protocol', 'either', 'request', 'answer', 'session'),
  'tools/list': rule('tool', 'agent', 'request', 'list'),
  'tools/call': rule('tool', 'agent', 'request', 'one'),
  'resources/list': rule('resource', 'agent', 'request', 'list'),
  'resources/templates/list': rule('resource', 'agent', 'request', 'list'),
  'resources/read': rule('resource', 'agent', 'request', 'one'),
  'resources/subscribe': rule('resource', 'agent', 'request', 'one', 'session'),
  'resources/unsubscribe': rule('resource', 'agent', 'request', 'one', 'session'),
  'subscriptions/listen': rule('notification', 'agent', 'request', 'answer', 'stateless'),
  'prompts/list': rule('prompt', 'agent', 'request', 'list'),
  'prompts/get': rule('prompt', 'agent', 'request', 'one'),
  'completion/complete': rule('completion', 'agent', 'request', 'one'),
  'logging/setLevel': rule('logging', 'agent', 'request', 'every', 'session'),
  'tasks/get': rule('task', 'either', 'request', 'one'),
  'tasks/cancel': rule('task', 'either', 'request', 'one'),
  'tasks/result': rule('task', 'either', 'request', 'one', 'session'),
  'tasks/list': rule('task', 'agent', 'request', 'answer', 'session'),
  'tasks/update': rule('task', 'agent', 'request', 'one', 'stateless'),
  'notifications/initialized': rule('protocol', 'agent', 'notification', 'answer', 'session'),
  'notifications/cancelled': rule('protocol', 'either', 'notification', 'answer'),
  'notifications/progress': rule('notification', 'either', 'notification', 'deliver'),
  'notifications/roots/list_changed': rule('roots', 'agent', 'notification', 'every', 'session'),
  'notifications/message': rule('logging', 'upstream', 'notification', 'deliver'),
  'notifications/tasks/status': rule('task', 'either', 'notification', 'deliver', 'session'),
  'notifications/tasks': rule('task', 'upstream', 'notification', 'deliver', 'stateless'),
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

/** The rule of a method in one era; `undefined` where that era does not know it. */
export function ruleOf(method: string, isStateless: boolean): MethodRule | undefined {
  const found = Object.hasOwn(methodTable, method) ? methodTable[method] : undefined;
  return found === undefined || found.era === 'both' || (found.era === 'stateless') === isStateless ? found : undefined;
}

/** Which kind of target a method speaks about. */
export function kindOf(method: string): TargetKind {
  return Object.hasOwn(methodTable, method) ? (methodTable[method]?.kind ?? 'unknown') : method.startsWith('tasks/') ? 'task' : 'unknown';
}

/** Revisions that sessions speak, newest first. */
export const sessionVersions = ['2025-11-25', '2025-06-18', '2025-03-26'] as const;
