import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RawAgent } from '../../support/gateway.ts';
import { answer, frame, stream } from '../../support/recording-upstream.ts';
import { combining, until } from '../policy/support.ts';
import { Listening } from '../transport/listening.ts';
import { startRig, type Rig } from '../transport/rig.ts';
import { keepTasks, upstreamId } from './keeping-upstream.ts';

const policy = combining({
  'test/tasks.rego': `package rules.test.tasks

allow contains "fine" if input.phase in {"call", "message"}

deny contains "not this tool" if {
	input.target == {"kind": "task", "server": "rec", "name": "sealed"}
	input.tool.name == "sealed"
}

deny contains "kept for too long" if {
	input.phase == "call"
	input.request.task.ttl > 3600000
}

redact contains {"message": "no names", "pointer": "/result/content/*/text", "as": "replace", "with": "[gone]"} if {
	input.phase == "result"
	input.tool.name == "report"
	input.request.method == "tools/call"
	input.arguments.topic == "secret"
}

require_approval contains {"message": "a human decides", "groups": ["security"], "expires_s": 600} if input.arguments.topic == "held"

label contains {"message": "was private", "name": "private"} if {
	input.phase == "result"
	input.tool.name == "report"
	input.request.method == "tools/call"
}

deny contains "quiet" if {
	input.phase == "message"
	input.arguments.statusMessage == "forbidden words"
}
`,
});
describe('tasks of 2025-11-25', { concurrency: false, timeout: 120_000 }, () => {
  let rig: Rig;
  let alice: RawAgent;
  let done: Map<string, object>;
  before(async () => {
    rig = await startRig({ policy, extra: 'approvals: { wait_ms: 0 }', prepare: (upstream) => (done = keepTasks(upstream)) });
    alice = await rig.agent();
  });
  after(() => rig.close());

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const begin = (agent: RawAgent, topic = 'bees', name = 'report'): Promise<any> =>
    agent.request('tools/call', { name, arguments: { topic }, task: { ttl: 60_000 } });

  it('are offered, begun under the gateway’s own ids, asked about and ended', async () => {
    const { result } = await begin(alice);
    const { taskId, ...rest } = result.task;
    assert.match(taskId, /^[\w-]{22}$/);
    assert.deepEqual(rest, {
      status: 'working',
      createdAt: '2026-11-21T08:00:00Z',
      lastUpdatedAt: '2026-11-21T08:00:00Z',
      ttl: 60_000,
      pollInterval: 50,
    });
    assert.deepEqual(rig.upstream.calls('tools/call').at(-1)?.message.params.task, { ttl: 60_000 });
    const got = await alice.request('tasks/get', { taskId });
    assert.equal(got.result.taskId, taskId);
    assert.equal(rig.upstream.calls('tasks/get').at(-1)?.message.params.taskId, upstreamId(0));
    const cancelled = await alice.request('tasks/cancel', { taskId });
    assert.deepEqual([cancelled.result.taskId, cancelled.result.status], [taskId, 'cancelled']);
    const listed = await alice.request('tasks/list');
    assert.deepEqual(
      listed.result.tasks.map((task: { taskId: string; status: string }) => [task.taskId, task.status]),
      [[taskId, 'cancelled']],
    );
  });

  it('end with a result that is judged as that of the call, arguments included, and redacted as it would be', async () => {
    for (const [topic, shown] of [
      ['secret', '[gone]'],
      ['bees', 'Ada keeps bees'],
    ] as const) {
      const { taskId } = (await begin(alice, topic)).result.task as { taskId: string };
      const sent = rig.upstream.calls('tools/call').length - 1;
      done.set(upstreamId(sent), { content: [{ type: 'text', text: 'Ada keeps bees' }] });
      const { result } = await alice.request('tasks/result', { taskId });
      assert.equal(result.content[0].text, shown);
      assert.deepEqual(result._meta['io.modelcontextprotocol/related-task'], { taskId });
      assert.ok(!JSON.stringify(result).includes('upstream-task'));
    }
  });

  it('are unknown to everybody else', async () => {
    const { taskId } = (await begin(alice)).result.task as { taskId: string };
    const bob = await rig.agent({ subject: 'bob' });
    const sent = rig.upstream.requests.length;
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
      const { error } = await bob.request(method, { taskId });
      assert.deepEqual([error.code, error.message], [-32602, `unknown task \`${taskId}\`; it may have expired`], method);
      assert.deepEqual((await alice.request(method, { taskId: upstreamId(0) })).error.code, -32602, 'the upstream’s id is nobody’s');
    }
    assert.deepEqual((await bob.request('tasks/list')).result.tasks, []);
    assert.deepEqual(
      rig.upstream.requests.slice(sent).filter(({ message }) => message.method?.startsWith('tasks/')),
      [],
    );
    const other = await rig.agent();
    assert.equal((await other.request('tasks/get', { taskId })).result.taskId, taskId, 'another session of hers knows it');
  });

  it('can be refused by policy at each step, by the tool that was called', async () => {
    const { taskId } = (await begin(alice, 'bees', 'sealed')).result.task as { taskId: string };
    const sent = rig.upstream.calls('tasks/get').length;
    const seq = await rig.lastSeq();
    const { error } = await alice.request('tasks/get', { taskId });
    assert.match(error.message, /not this tool/);
    assert.equal(rig.upstream.calls('tasks/get').length, sent);
    const [record] = await rig.recordsAfter(seq);
    assert.deepEqual(
      [record?.what?.kind, record?.what?.name, record?.what?.method, record?.decision?.effect],
      ['task', 'sealed', 'tasks/get', 'deny'],
    );
  });

  it('can be refused by policy for the terms that the agent asks', async () => {
    const { result } = await alice.request('tools/call', { name: 'report', arguments: {}, task: { ttl: 3_600_001 } });
    assert.match(result.content[0].text, /kept for too long/);
  });

  it('are refused for a tool, or with terms, that have none', async () => {
    assert.equal((await begin(alice, 'bees', 'plain')).error.code, -32601);
    for (const task of [7, { ttl: 'long' }, { ttl: -1 }, { ttl: 1, more: true }])
      assert.equal((await alice.request('tools/call', { name: 'report', arguments: {}, task })).error.code, -32602, JSON.stringify(task));
    const old = await rig.agent({ version: '2025-06-18' });
    assert.equal((await begin(old)).error.code, -32602, 'a revision without tasks');
  });

  it('tell their status under the agent’s id, each word judged; those of others are not told', async () => {
    const { taskId } = (await begin(alice)).result.task as { taskId: string };
    const own = rig.upstream.calls('tools/call').length - 1;
    const before = rig.upstream.streams;
    const listening = await Listening.open(alice);
    await until('the upstream’s stream', () => rig.upstream.streams > before);
    const status = (id: string, statusMessage: string): void =>
      rig.upstream.push({
        jsonrpc: '2.0',
        method: 'notifications/tasks/status',
        params: { taskId: id, status: 'working', createdAt: 'a', lastUpdatedAt: 'b', ttl: null, statusMessage },
      });
    status(upstreamId(own), 'forbidden words');
    status('upstream-task-of-others', 'hello');
    status(upstreamId(own), 'half done');
    await until('the status', () => listening.messages.length > 0);
    assert.deepEqual(listening.messages, [
      {
        jsonrpc: '2.0',
        method: 'notifications/tasks/status',
        params: { taskId, status: 'working', createdAt: 'a', lastUpdatedAt: 'b', ttl: null, statusMessage: 'half done' },
      },
    ]);
    listening.close();
  });

  it('put questions through the stream of `tasks/result`, under the agent’s id', async () => {
    const asking = await rig.agent({ capabilities: { elicitation: {} } });
    const { taskId } = (await begin(asking)).result.task as { taskId: string };
    const own = rig.upstream.calls('tools/call').length - 1;
    const related = (id: string): object => ({ 'io.modelcontextprotocol/related-task': { taskId: id } });
    rig.upstream.once('tasks/result', ({ request, response }) => {
      const params = {
        message: 'which?',
        requestedSchema: { type: 'object', properties: {} },
        task: { ttl: 1 },
        _meta: related(upstreamId(own)),
      };
      stream(response).write(frame({ jsonrpc: '2.0', id: 'u1', method: 'elicitation/create', params }));
      rig.upstream.once('reply', (reply) => {
        reply.behave();
        response.end(frame({ jsonrpc: '2.0', id: request.message.id, result: { content: [{ type: 'text', text: 'told' }] } }));
      });
    });
    const waiting = await Listening.post(asking, { jsonrpc: '2.0', id: 77, method: 'tasks/result', params: { taskId } });
    const question = await until('the question', () => waiting.messages.find(({ method }) => method === 'elicitation/create'));
    assert.deepEqual(question.params._meta, related(taskId));
    assert.equal(question.params.task, undefined);
    await asking.post({ jsonrpc: '2.0', id: question.id, result: { action: 'accept', content: {}, _meta: related(taskId) } });
    await until('the result', () => waiting.messages.some(({ id }) => id === 77));
    const reply = rig.upstream.requests.find(({ message }) => message.id === 'u1' && message.result !== undefined);
    assert.deepEqual(reply?.message.result, { action: 'accept', content: {}, _meta: related(upstreamId(own)) });
  });

  it('of the agent’s own are made of questions, and asked about by who asked', async () => {
    const tasks = { list: {}, cancel: {}, requests: { elicitation: { create: {} } } };
    const asking = await rig.agent({ capabilities: { elicitation: {}, tasks } });
    const seq = await rig.lastSeq();
    const ended = Promise.withResolvers<undefined>();
    const replies = (): typeof rig.upstream.requests => rig.upstream.requests.filter(({ message }) => /^q\d$/.test(String(message.id)));
    rig.upstream.once('tools/call', ({ request, response }) => {
      stream(response);
      const ask = (id: string, method: string, params: object): void => void response.write(frame({ jsonrpc: '2.0', id, method, params }));
      const next = (id: string, method: string, params: object): void =>
        rig.upstream.once('reply', (reply) => {
          reply.behave();
          ask(id, method, params);
        });
      const question = { message: 'which?', requestedSchema: { type: 'object', properties: {} }, task: { ttl: 1000 } };
      ask('q1', 'elicitation/create', question);
      next('q2', 'tasks/result', { taskId: 'agent-task' });
      rig.upstream.once('reply', (reply) => {
        reply.behave();
        ask('q3', 'tasks/get', { taskId: 'agent-task-of-others' });
        rig.upstream.once('reply', (last) => {
          last.behave();
          response.end(frame({ jsonrpc: '2.0', id: request.message.id, result: { content: [] } }));
          ended.resolve(undefined);
        });
      });
    });
    const waiting = await Listening.post(asking, { jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'plain', arguments: {} } });
    const first = await until('the question', () => waiting.messages.find(({ method }) => method === 'elicitation/create'));
    assert.deepEqual(first.params.task, { ttl: 1000 });
    const at = '2026-11-21T08:00:00Z';
    const task = { taskId: 'agent-task', status: 'working', createdAt: at, lastUpdatedAt: at, ttl: 1000 };
    await asking.post({ jsonrpc: '2.0', id: first.id, result: { task } });
    const second = await until('the question about the task', () => waiting.messages.find(({ method }) => method === 'tasks/result'));
    assert.deepEqual(second.params, { taskId: 'agent-task' });
    await asking.post({ jsonrpc: '2.0', id: second.id, result: { action: 'accept', content: { which: 'this' } } });
    await ended.promise;
    await until('the end', () => waiting.messages.some(({ id }) => id === 5));
    assert.ok(
      !waiting.messages.some(({ params }) => params?.taskId === 'agent-task-of-others'),
      'a task of another upstream’s is not asked about',
    );
    const sent = replies().map(({ message }) => [
      message.id,
      message.result?.task?.taskId ?? message.result?.content?.which ?? message.error?.message,
    ]);
    assert.deepEqual(sent, [
      ['q1', 'agent-task'],
      ['q2', 'this'],
      ['q3', 'unknown task'],
    ]);
    const answers = (await rig.recordsAfter(seq)).filter(
      ({ what }) => what?.phase === 'call' && what.server === 'rec' && what.kind !== 'tool',
    );
    assert.deepEqual(
      answers.map(({ what }) => [what?.kind, what?.method]),
      [
        ['elicitation', 'elicitation/create'],
        ['elicitation', 'elicitation/create'],
      ],
      'what the task ended with is judged as the answer to the question',
    );
    const offered = rig.upstream
      .calls('initialize')
      .map(({ message }) => message.params.capabilities.tasks)
      .filter(Boolean);
    assert.deepEqual(offered, [{ cancel: {}, requests: { elicitation: { create: {} } } }]);
  });

  it('are forgotten when the upstream gives their id to another task, whose result would be judged as theirs', async () => {
    const at = { createdAt: 'a', lastUpdatedAt: 'b', ttl: null };
    for (let times = 0; times < 2; times++)
      rig.upstream.once('tools/call', ({ request, response }) =>
        answer(response, request.message.id, { task: { taskId: 'task-1', status: 'working', ...at } }),
      );
    const { taskId } = (await begin(alice)).result.task as { taskId: string };
    const second = (await begin(await rig.agent(), 'secret')).result.task as { taskId: string };
    done.set('task-1', { content: [{ type: 'text', text: 'Ada keeps bees' }] });
    assert.equal((await alice.request('tasks/result', { taskId })).error?.code, -32602);
    assert.equal((await alice.request('tasks/result', { taskId: second.taskId })).result.content[0].text, '[gone]');
  });

  it('are approved with the terms that were asked for, and with no others', async () => {
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    const held = async (task?: object): Promise<any> => {
      const { result } = await alice.request('tools/call', { name: 'report', arguments: { topic: 'held' }, ...(task && { task }) });
      return result._meta?.['castellan/decision']?.approval ?? result;
    };
    const { id } = await held({ ttl: 1_000 });
    assert.equal((await rig.gateway.admin('POST', `/approvals/${String(id)}/approve`)).body.state, 'approved');
    for (const task of [{ ttl: 3_000_000 }, {}, undefined]) {
      const other = await held(task);
      assert.equal(other.state, 'pending', JSON.stringify(other));
      assert.notEqual(other.id, id);
    }
    assert.equal((await held({ ttl: 1_000 })).task.status, 'working');
  });
});
