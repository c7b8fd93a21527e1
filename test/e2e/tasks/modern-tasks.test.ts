import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { answer, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { ModernAgent } from '../modern/modern-agent.ts';
import { combining } from '../policy/support.ts';
import { startRig, type Rig } from '../transport/rig.ts';

const policy = combining({
  'test/tasks.rego': `package rules.test.tasks

allow contains "fine" if input.phase in {"call", "message"}

redact contains {"message": "no names", "pointer": "/result/content/*/text", "as": "replace", "with": "[gone]"} if {
	input.phase == "result"
	input.target.kind == "tool"
	input.tool.name == "report"
}

deny contains "no passwords" if {
	input.phase == "message"
	input.request.method == "elicitation/create"
	contains(input.arguments.message, "password")
}

deny contains "not that answer" if {
	input.phase == "call"
	input.request.method == "elicitation/create"
	input.arguments.content.name == "Mallory"
}
`,
});
const extension = 'io.modelcontextprotocol/tasks';
const capabilities = { elicitation: { form: {} }, extensions: { [extension]: {} } };
const at = '2026-11-21T08:00:00Z';
const related = { createdAt: at, lastUpdatedAt: at, ttlMs: 60_000, pollIntervalMs: 50 };

/** Makes the recording upstream one of 2026-07-28 that makes a task of each call; gives the state of each, to be set by tests. */
function makeTasks(upstream: RecordingUpstream): Map<string, object> {
  const states = new Map<string, object>();
  const meta = { 'io.modelcontextprotocol/serverInfo': { name: 'modern', version: '1' } };
  const kept = { ttlMs: 0, cacheScope: 'private' };
  upstream.always('server/discover', ({ request, response }) =>
    answer(response, request.message.id, {
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities: { tools: {}, extensions: { [extension]: {} } },
      ...kept,
      _meta: meta,
    }),
  );
  upstream.always('tools/list', ({ request, response }) =>
    answer(response, request.message.id, { resultType: 'complete', tools: [{ name: 'report', inputSchema: { type: 'object' } }], ...kept }),
  );
  upstream.always('tools/call', ({ request, response }) => {
    const taskId = `upstream-task-${String(states.size)}`;
    states.set(taskId, { status: 'working', statusMessage: 'on it' });
    answer(response, request.message.id, { resultType: 'task', taskId, status: 'working', ...related });
  });
  upstream.always('tasks/get', ({ request, response }) => {
    const { taskId } = request.message.params as { taskId: string };
    answer(response, request.message.id, { resultType: 'complete', taskId, ...related, ...states.get(taskId) });
  });
  for (const method of ['tasks/cancel', 'tasks/update'])
    upstream.always(method, ({ request, response }) => answer(response, request.message.id, { resultType: 'complete' }));
  return states;
}

describe('tasks of 2026-07-28', { concurrency: false, timeout: 120_000 }, () => {
  let rig: Rig;
  let alice: ModernAgent;
  let states: Map<string, object>;
  before(async () => {
    rig = await startRig({ policy, prepare: (upstream) => (states = makeTasks(upstream)) });
    alice = await ModernAgent.of(rig);
  });
  after(() => rig.close());

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const send = async (method: string, params: Record<string, unknown>, agent = alice): Promise<any> =>
    (
      await agent.send(method, params, {
        capabilities,
        headers: typeof params['taskId'] === 'string' ? { 'mcp-name': params['taskId'] } : {},
      })
    ).json;
  const begin = async (): Promise<{ taskId: string; upstreamId: string }> => {
    const { result } = await send('tools/call', { name: 'report', arguments: {} });
    return { taskId: result.taskId, upstreamId: `upstream-task-${String(states.size - 1)}` };
  };

  it('are offered, made by the server, asked about and cancelled under the gateway’s own ids', async () => {
    const { result: found } = await send('server/discover', {});
    assert.deepEqual(found.capabilities.extensions, { [extension]: {} });
    const { result } = await send('tools/call', { name: 'report', arguments: {} });
    assert.match(result.taskId, /^[\w-]{22}$/);
    assert.deepEqual({ ...result, taskId: '', _meta: {} }, { resultType: 'task', taskId: '', status: 'working', ...related, _meta: {} });
    const { taskId } = result;
    const got = await send('tasks/get', { taskId });
    assert.deepEqual(
      [got.result.resultType, got.result.taskId, got.result.status, got.result.statusMessage],
      ['complete', taskId, 'working', 'on it'],
    );
    const sent = rig.upstream.calls('tasks/get').at(-1);
    assert.deepEqual([sent?.message.params.taskId, sent?.headers['mcp-name']], ['upstream-task-0', 'upstream-task-0']);
    assert.equal((await send('tasks/cancel', { taskId })).result.resultType, 'complete');
    assert.equal(rig.upstream.calls('tasks/cancel').at(-1)?.message.params.taskId, 'upstream-task-0');
  });

  it('end with a result or an error that is judged as the tool’s', async () => {
    const { taskId, upstreamId } = await begin();
    states.set(upstreamId, { status: 'completed', statusMessage: 'Ada', result: { content: [{ type: 'text', text: 'Ada keeps bees' }] } });
    const { result } = await send('tasks/get', { taskId });
    assert.deepEqual(
      [result.status, result.result.content, result.statusMessage],
      ['completed', [{ type: 'text', text: '[gone]' }], undefined],
    );
    states.set(upstreamId, { status: 'failed', error: { code: -32603, message: 'broken' } });
    const failed = await send('tasks/get', { taskId });
    assert.deepEqual([failed.result.status, failed.result.error], ['failed', { code: -32603, message: 'broken' }]);
  });

  it('ask questions that are judged as messages, and take answers that are judged as calls', async () => {
    const { taskId, upstreamId } = await begin();
    const question = (message: string): object => ({
      method: 'elicitation/create',
      params: { mode: 'form', message, requestedSchema: { type: 'object', properties: {} } },
    });
    states.set(upstreamId, { status: 'input_required', inputRequests: { who: question('your name?') } });
    const { result } = await send('tasks/get', { taskId });
    assert.deepEqual([result.status, result.inputRequests], ['input_required', { who: question('your name?') }]);
    const name = (value: string): object => ({ who: { action: 'accept', content: { name: value } }, other: { action: 'accept' } });
    assert.equal((await send('tasks/update', { taskId, inputResponses: name('Ada') })).result.resultType, 'complete');
    const sent = rig.upstream.calls('tasks/update');
    assert.deepEqual(
      [sent.at(-1)?.message.params.taskId, sent.at(-1)?.message.params.inputResponses],
      [upstreamId, { who: { action: 'accept', content: { name: 'Ada' } } }],
      'what was not asked is not answered',
    );
    assert.match((await send('tasks/update', { taskId, inputResponses: name('Mallory') })).error.message, /not that answer/);
    assert.equal(rig.upstream.calls('tasks/update').length, sent.length);
    states.set(upstreamId, { status: 'input_required', inputRequests: { who: question('your password?') } });
    const refused = await send('tasks/get', { taskId });
    assert.match(refused.error.message, /no passwords/);
    assert.ok(!JSON.stringify(refused).includes('your password'));
    await send('tasks/update', { taskId, inputResponses: name('Ada') });
    const last = rig.upstream.calls('tasks/update').at(-1);
    assert.deepEqual(last?.message.params.inputResponses, {}, 'what answered the question before does not answer the one that was refused');
  });

  it('have questions that no client answers, or this one does not, on record; the agent gets the others', async () => {
    const { taskId, upstreamId } = await begin();
    const fine = {
      method: 'elicitation/create',
      params: { mode: 'form', message: 'name?', requestedSchema: { type: 'object', properties: {} } },
    };
    const inputRequests = { a: { method: 'tools/call', params: {} }, b: { method: 'roots/list' }, c: fine };
    states.set(upstreamId, { status: 'input_required', inputRequests });
    const seq = await rig.lastSeq();
    const { result } = await send('tasks/get', { taskId });
    assert.deepEqual(result.inputRequests, { c: fine });
    const strays = (await rig.recordsAfter(seq)).filter(({ event }) => event?.code === 'message.unplaced');
    assert.deepEqual(
      strays.map(({ what, event }) => [what?.phase, what?.method, event?.message]),
      [
        ['message', 'tools/call', 'no client answers it'],
        ['message', 'roots/list', 'the agent does not offer to answer it'],
      ],
    );
  });

  it('are unknown to others, and to a client that did not declare the extension', async () => {
    const { taskId, upstreamId } = await begin();
    const bob = await ModernAgent.of(rig, 'bob');
    const sent = rig.upstream.requests.length;
    for (const method of ['tasks/get', 'tasks/cancel', 'tasks/update']) {
      const params = method === 'tasks/update' ? { inputResponses: {} } : {};
      assert.equal((await send(method, { taskId, ...params }, bob)).error.code, -32602);
      assert.equal((await send(method, { taskId: upstreamId, ...params })).error.code, -32602);
      const plain = await alice.send(method, { taskId, ...params }, { headers: { 'mcp-name': taskId } });
      assert.deepEqual([plain.status, plain.json.error.code], [400, -32021], plain.text);
      assert.deepEqual(plain.json.error.data.requiredCapabilities, { extensions: { [extension]: {} } });
    }
    assert.deepEqual(
      rig.upstream.requests.slice(sent).filter(({ message }) => message.method?.startsWith('tasks/')),
      [],
    );
    const undeclared = await alice.call('report');
    assert.ok(!undeclared.text.includes('upstream-task'), undeclared.text);
  });
});
