import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { flatPolicy } from '../../support/gateway.ts';
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

/** Nobody is asked to go anywhere. */
const closed = Object.fromEntries(
  Object.entries(flatPolicy('allow')).map(([path, text]) => [
    path,
    text.replace(/^message := .*$/m, (line) => line.replaceAll('"allow"', '"deny"')),
  ]),
);

describe('tasks that end by sending a person somewhere', { concurrency: false, timeout: 120_000 }, () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ policy: closed, prepare: (upstream) => void keepTasks(upstream) });
  });
  after(() => rig.close());
  const error = {
    code: -32042,
    message: 'go',
    data: { elicitations: [{ mode: 'url', elicitationId: 'e', url: 'https://pay.example/1', message: 'pay' }] },
  };

  it('do not show the place where policy forbids it, in either era', async () => {
    const elicitation = { form: {}, url: {} };
    const send = ({ response, request }: Parameters<Parameters<Rig['upstream']['once']>[1]>[0]): void =>
      void response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id: request.message.id, error }));
    const failed = ({ response, request }: Parameters<typeof send>[0]): void =>
      answer(response, request.message.id, { taskId: request.message.params.taskId, status: 'failed' });

    const modern = await ModernAgent.of(rig);
    const capabilities = { elicitation, extensions: { 'io.modelcontextprotocol/tasks': {} } };
    const { taskId } = (await modern.call('needed', {}, { capabilities })).json.result as { taskId: string };
    rig.upstream.once('tasks/get', failed);
    rig.upstream.once('tasks/result', send);
    const got = await modern.send('tasks/get', { taskId }, { capabilities, headers: { 'mcp-name': taskId } });
    assert.equal(got.json.result.status, 'completed', got.text);
    assert.equal(got.json.result.result.isError, true, got.text);
    assert.ok(!got.text.includes('pay.example'), got.text);

    const agent = await rig.agent({ capabilities: { elicitation } });
    const begun = (await agent.request('tools/call', { name: 'needed', arguments: {}, task: {} })).result.task as { taskId: string };
    rig.upstream.once('tasks/result', send);
    const ended = await agent.request('tasks/result', { taskId: begun.taskId });
    assert.match(JSON.stringify(ended), /denied by policy/);
    assert.ok(!JSON.stringify(ended).includes('pay.example'));
  });
});
