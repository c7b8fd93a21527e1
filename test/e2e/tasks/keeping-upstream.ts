import { answer, type RecordingUpstream } from '../../support/recording-upstream.ts';

const asTask = (name: string, taskSupport: string): object => ({
  name,
  inputSchema: { type: 'object', properties: { topic: { type: 'string' } } },
  execution: { taskSupport },
});
/** The id that the upstream gives its `n`th task. */
export const upstreamId = (n: number): string => `upstream-task-${String(n)}`;

/** Makes the recording upstream one that keeps tasks, of which `done` says how each ends. */
export function keepTasks(upstream: RecordingUpstream): Map<string, object> {
  upstream.capabilities = { tools: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } };
  upstream.tools = [asTask('report', 'optional'), asTask('sealed', 'required'), asTask('plain', 'forbidden'), asTask('needed', 'required')];
  const state = new Map<string, Record<string, unknown>>();
  const done = new Map<string, object>();
  upstream.always('tools/call', ({ request, response, behave }) => {
    const { id, params } = request.message;
    if (params.task === undefined) {
      behave();
      return;
    }
    const taskId = upstreamId(state.size);
    const at = '2026-11-21T08:00:00Z';
    state.set(taskId, { taskId, status: 'working', createdAt: at, lastUpdatedAt: at, ttl: params.task.ttl ?? null, pollInterval: 50 });
    answer(response, id, { task: state.get(taskId) ?? {} });
  });
  const found = (params: { taskId: string }): Record<string, unknown> =>
    state.get(params.taskId) ?? { taskId: params.taskId, status: 'failed' };
  upstream.always('tasks/get', ({ request, response }) =>
    answer(response, request.message.id, {
      ...found(request.message.params),
      ...(done.has(request.message.params.taskId) ? { status: 'completed' } : {}),
    }),
  );
  upstream.always('tasks/cancel', ({ request, response }) =>
    answer(response, request.message.id, { ...found(request.message.params), status: 'cancelled' }),
  );
  upstream.always('tasks/result', ({ request, response }) => {
    const { id, params } = request.message;
    const meta = { _meta: { 'io.modelcontextprotocol/related-task': { taskId: params.taskId } } };
    answer(response, id, { ...(done.get(params.taskId) ?? { content: [] }), ...meta });
  });
  return done;
}
