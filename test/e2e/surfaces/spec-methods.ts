import * as sessionEra from '@modelcontextprotocol/sdk/types.js';
import * as bothEras from '@modelcontextprotocol/core';

/** Methods of the tasks extension, which no package of the SDK has. @see https://github.com/modelcontextprotocol/ext-tasks */
const tasksExtension = ['tasks/update', 'notifications/tasks'];

/** Every method that the schemas of the SDK's two versions name: 2025-03-26 to 2025-11-25, and those with 2026-07-28. */
export const specMethods: { readonly session: readonly string[]; readonly all: readonly string[] } = {
  session: methodsOf(sessionEra),
  all: [...new Set([...methodsOf(sessionEra), ...methodsOf(bothEras), ...tasksExtension])].sort(),
};

function methodsOf(schemas: object): string[] {
  const found = Object.values(schemas).flatMap((schema: unknown) => {
    const { shape } = (schema ?? {}) as { shape?: { method?: { value?: unknown } } };
    return typeof shape?.method?.value === 'string' ? [shape.method.value] : [];
  });
  return [...new Set(found)].sort();
}

const uri = 'demo://canary';
/** Well-formed params of each request, whose text would be recognised at an upstream. */
export const requests: Readonly<Record<string, Record<string, unknown> | undefined>> = {
  ping: undefined,
  'tools/list': {},
  'tools/call': { name: 'echo', arguments: { text: 'canary' } },
  'resources/list': {},
  'resources/templates/list': {},
  'resources/read': { uri },
  'resources/subscribe': { uri },
  'resources/unsubscribe': { uri },
  'prompts/list': {},
  'prompts/get': { name: 'canary' },
  'completion/complete': { ref: { type: 'ref/resource', uri }, argument: { name: 'canary', value: 'c' } },
  'logging/setLevel': { level: 'debug' },
  'tasks/get': { taskId: 'canary' },
  'tasks/result': { taskId: 'canary' },
  'tasks/cancel': { taskId: 'canary' },
  'tasks/list': {},
  'tasks/update': { taskId: 'canary', inputResponses: {} },
  'server/discover': {},
  'subscriptions/listen': { notifications: { toolsListChanged: true } },
  'sampling/createMessage': { messages: [{ role: 'user', content: { type: 'text', text: 'canary' } }], maxTokens: 1 },
  'elicitation/create': { message: 'canary', requestedSchema: { type: 'object', properties: {} } },
  'roots/list': {},
};
/** The same of each notification. */
export const notifications: Readonly<Record<string, Record<string, unknown> | undefined>> = {
  'notifications/initialized': undefined,
  'notifications/cancelled': { requestId: 99, reason: 'canary' },
  'notifications/progress': { progressToken: 'canary', progress: 1 },
  'notifications/roots/list_changed': undefined,
  'notifications/message': { level: 'info', data: 'canary' },
  'notifications/resources/updated': { uri },
  'notifications/resources/list_changed': undefined,
  'notifications/tools/list_changed': undefined,
  'notifications/prompts/list_changed': undefined,
  'notifications/elicitation/complete': { elicitationId: 'canary' },
  'notifications/tasks/status': { taskId: 'canary', status: 'working' },
  'notifications/tasks': { taskId: 'canary' },
  'notifications/subscriptions/acknowledged': {},
};

/** Methods that nobody has, among them ones that a sloppy comparison would take for one that somebody has. */
export const madeUp: readonly string[] = [
  ...['tools', 'resources', 'prompts', 'sampling', 'tasks', 'admin', 'x', 'rpc', 'notifications', 'completion'].flatMap((group) =>
    ['call2', 'exec', '../call', 'CALL', 'créer'].map((verb) => `${group}/${verb}`),
  ),
  ...[
    'tools/call ',
    ' tools/call',
    'Tools/Call',
    'tools/call\u0000',
    'tools\u2215call',
    'TOOLS/CALL',
    'tools//call',
    'constructor',
    '__proto__x',
    'toString',
  ],
];
