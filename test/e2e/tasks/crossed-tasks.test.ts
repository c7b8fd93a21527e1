import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { answer } from '../../support/recording-upstream.ts';
import { ModernAgent } from '../modern/modern-agent.ts';
import { startRig, type Rig } from '../transport/rig.ts';
import { keepTasks } from './keeping-upstream.ts';

describe('tasks of a server with sessions', { concurrency: false, timeout: 120_000 }, () => {
  let rig: Rig;
  let done: Map<string, object>;
  before(async () => {
    rig = await startRig({ prepare: (upstream) => (done = keepTasks(upstream)) });
  });
  after(() => rig.close());

  it('of a tool that must be called as one are had by an agent without a session too', async () => {
    const extension = 'io.modelcontextprotocol/tasks';
    const modern = await ModernAgent.of(rig);
    const capabilities = { extensions: { [extension]: {} } };
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    const send = async (method: string, params: Record<string, unknown>): Promise<any> =>
      (
        await modern.send(method, params, {
          capabilities,
          headers: typeof params['taskId'] === 'string' ? { 'mcp-name': params['taskId'] } : {},
        })
      ).json;
    assert.deepEqual((await send('server/discover', {})).result.capabilities.extensions, { [extension]: {} });
    const { result } = await send('tools/call', { name: 'needed', arguments: { topic: 'bees' } });
    assert.deepEqual(
      [result.resultType, result.status, result.ttlMs, result.pollIntervalMs, result.ttl, result.task],
      ['task', 'working', null, 50, undefined, undefined],
    );
    const { taskId } = result;
    assert.deepEqual((await send('tasks/get', { taskId })).result.status, 'working');
    done.set(rig.upstream.calls('tasks/get').at(-1)?.message.params.taskId as string, {
      content: [{ type: 'text', text: 'Ada keeps bees' }],
    });
    const ended = await send('tasks/get', { taskId });
    assert.deepEqual(
      [ended.result.status, ended.result.taskId, ended.result.result.content[0].text],
      ['completed', taskId, 'Ada keeps bees'],
    );
    assert.ok(!JSON.stringify(ended).includes('upstream-task'), JSON.stringify(ended));
    const other = (await send('tools/call', { name: 'needed', arguments: {} })).result.taskId as string;
    rig.upstream.once('tasks/get', ({ request, response }) =>
      answer(response, request.message.id, { taskId: request.message.params.taskId, status: 'input_required' }),
    );
    const asking = await send('tasks/get', { taskId: other });
    assert.deepEqual([asking.result.status, asking.result.error.code], ['failed', -32600]);
    const [asked, cancelled] = ['tasks/get', 'tasks/cancel'].map(
      (method) => rig.upstream.calls(method).at(-1)?.message.params.taskId as string,
    );
    assert.equal(cancelled, asked);
    assert.equal((await send('tasks/update', { taskId: other, inputResponses: {} })).error.code, -32602);
    const plain = await modern.call('needed');
    assert.ok(!plain.text.includes('upstream-task'), 'one that did not declare the extension gets none');
  });
});
