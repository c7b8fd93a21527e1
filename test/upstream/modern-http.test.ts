import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { UpstreamMessage } from '../../src/upstream/types.ts';
import { startModernServer, type ModernServer } from '../support/modern-server.ts';
import { coded, options, permit, rig, textOf, until, type Rig } from './support.ts';

describe('an upstream of 2026-07-28 over HTTP', () => {
  let server: ModernServer;
  let bench: Rig;
  let serial = 0;
  const slow: string[] = [];
  const fresh = (more = {}) => bench.owner(`agent-${++serial}`, more);
  before(async () => {
    server = await startModernServer({ events: { onSlow: (what) => slow.push(what) } });
    bench = await rig([options('modern', server.url)]);
  });
  after(async () => {
    await bench.upstreams.close();
    await server.close();
  });

  test('is found by asking, and its lists are read', () => {
    const [status] = bench.upstreams.status();
    assert.equal(status?.state, 'ready', status?.error);
    assert.equal(status.era, 'modern');
    assert.equal(status.protocolVersion, '2026-07-28');
    assert.equal(status.serverInfo?.['name'], 'modern');
    const entry = bench.upstreams.catalogue().upstreams.get('modern');
    assert.ok(entry);
    assert.ok(entry.tools.has('echo'));
    assert.deepEqual(entry.resources, [{ uri: 'file:///notes', name: 'notes' }]);
    assert.equal(entry.handshake.instructions, 'Use `echo` first.');
    assert.ok(!server.requests.some(({ body }) => body.includes('"initialize"')));
  });

  test('a call carries its agent’s introduction and mirrored headers, and its result is one that sessions know', async () => {
    const owner = fresh({ clientInfo: { name: 'me', version: '7' }, capabilities: { sampling: {}, tasks: {} } });
    const reply = await bench.call('modern', owner, 'tools/call', { name: 'echo', arguments: { text: 'hé' }, _meta: { trace: 1 } });
    assert.deepEqual(reply, {
      kind: 'result',
      result: { content: [{ type: 'text', text: '{"text":"hé"}' }] },
      bytes: reply.bytes,
      requestId: reply.requestId,
    });
    const { headers, body } = server.requests.at(-1)!;
    assert.equal(headers['mcp-protocol-version'], '2026-07-28');
    assert.equal(headers['mcp-method'], 'tools/call');
    assert.equal(headers['mcp-name'], 'echo');
    assert.equal(headers['mcp-session-id'], undefined);
    assert.deepEqual(JSON.parse(body).params._meta, {
      trace: 1,
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'me', version: '7' },
      'io.modelcontextprotocol/clientCapabilities': { sampling: {} },
    });
  });

  test('arguments that a schema wants in headers are there, encoded where they must be', async () => {
    const reply = await bench.call('modern', fresh(), 'tools/call', { name: 'region', arguments: { region: 'Zürich', deep: { n: 7 } } });
    assert.equal(textOf(reply), '{"region":"Zürich","deep":{"n":7}}');
    const { headers } = server.requests.at(-1)!;
    assert.equal(headers['mcp-param-region'], `=?base64?${Buffer.from('Zürich').toString('base64')}?=`);
    assert.equal(headers['mcp-param-n'], '7');
  });

  test('progress comes under the agent’s own token, log messages at the level it set', async () => {
    const owner = fresh();
    const heard: UpstreamMessage[] = [];
    await bench.call('modern', owner, 'logging/setLevel', { level: 'info' });
    const params = { name: 'progress', _meta: { progressToken: 'mine' } };
    const reply = await bench.call('modern', owner, 'tools/call', params, { onMessage: (message) => heard.push(message) });
    assert.equal(textOf(reply), 'done');
    assert.deepEqual(
      heard.map(({ method, params: told }) => [method, told?.['progressToken'] ?? told?.['data'], told?.['progress']]),
      [
        ['notifications/progress', 'mine', 1],
        ['notifications/progress', 'mine', 2],
        ['notifications/message', 'half way', undefined],
      ],
    );
  });

  const answering = (owner: ReturnType<typeof fresh>, answers: Record<string, object>, heard: UpstreamMessage[] = []) => ({
    onMessage(message: UpstreamMessage): void {
      heard.push(message);
      if (message.kind !== 'request') return;
      const answer = answers[message.method] ?? { error: { code: -32601, message: 'not here' } };
      // A question may be withdrawn before its answer is here.
      const tell = (): Promise<void> =>
        bench.upstreams.session('modern', owner).notify(permit('modern', { kind: 'reply', to: message.id, ...answer }));
      setImmediate(() => void tell().catch(() => undefined));
    },
  });
  const able = { capabilities: { elicitation: {}, sampling: {} } };
  const named = { result: { action: 'accept', content: { name: 'Ada' } } };
  const sampled = { result: { role: 'assistant', model: 'none', content: { type: 'text', text: 'a rose' } } };

  test('questions come as requests, and the call goes on with their answers and the upstream’s state', async () => {
    const owner = fresh(able);
    const port = answering(owner, { 'elicitation/create': named, 'sampling/createMessage': sampled });
    const reply = await bench.call('modern', owner, 'tools/call', { name: 'ask' }, port);
    assert.equal(textOf(reply), 'Ada: a rose (asked-once)');
    const [first, second] = server.requests.slice(-2).map(({ body }) => JSON.parse(body));
    assert.notEqual(first.id, second.id);
    assert.equal(second.params.requestState, 'asked-once');
  });

  test('a prompt may ask too', async () => {
    const owner = fresh(able);
    const reply = await bench.call('modern', owner, 'prompts/get', { name: 'grill' }, answering(owner, { 'elicitation/create': named }));
    assert.match(JSON.stringify(reply), /hello Ada/);
  });

  test('a question that is refused ends the call with an error that says so, and withdraws the others', async () => {
    const owner = fresh(able);
    const heard: UpstreamMessage[] = [];
    const reply = await bench.call('modern', owner, 'tools/call', { name: 'ask' }, answering(owner, {}, heard));
    assert.match(textOf(reply), /asked for `elicitation\/create`, which was refused: not here/);
    assert.equal(reply.kind === 'result' && reply.result['isError'], true);
    assert.equal(heard.filter(({ method }) => method === 'notifications/cancelled').length, 1);
  });

  test('asked to, it hands an input-required result on as it is, and sends what comes back', async () => {
    const owner = fresh(able);
    const reply = await bench.call('modern', owner, 'tools/call', { name: 'ask' }, { inputRequired: 'return' });
    assert.equal(reply.kind === 'result' && reply.result['resultType'], 'input_required');
    assert.equal(reply.kind === 'result' && reply.result['requestState'], 'asked-once');
    const inputResponses = { who: named.result, line: sampled.result };
    const params = { name: 'ask', inputResponses, requestState: 'asked-once' };
    const second = await bench.call('modern', owner, 'tools/call', params, { inputRequired: 'return' });
    assert.equal(textOf(second), 'Ada: a rose (asked-once)');
  });

  test('an upstream that asks without end is stopped', async () => {
    const owner = fresh(able);
    const port = answering(owner, { 'elicitation/create': named });
    await assert.rejects(bench.call('modern', owner, 'tools/call', { name: 'insist' }, port), coded('upstream.protocol', true));
  });

  test('one that only asks to come again is asked again', async () => {
    assert.equal(textOf(await bench.call('modern', fresh(), 'tools/call', { name: 'later' })), 'now');
  });

  test('what a client lacks is said in words, not in the code of the other era', async () => {
    const reply = await bench.call('modern', fresh(), 'tools/call', { name: 'sample' });
    assert.equal(reply.kind, 'error');
    assert.deepEqual(reply.error, {
      code: -32600,
      message: 'the upstream `modern` needs a client that offers `sampling`; use one that does',
      data: { required_capabilities: ['sampling'] },
    });
  });

  test('a cancelled call is left, and the upstream hears it', async () => {
    const abort = new AbortController();
    slow.length = 0;
    const call = bench.call('modern', fresh(), 'tools/call', { name: 'slow' }, { signal: abort.signal });
    await until(() => slow.includes('began'));
    abort.abort();
    await assert.rejects(call, coded('call.cancelled', true));
    await until(() => slow.includes('cancelled'));
    assert.ok(!server.requests.some(({ body }) => body.includes('notifications/cancelled')));
  });

  test('a ping is answered here', async () => {
    const before = server.requests.length;
    assert.deepEqual(await bench.call('modern', fresh(), 'ping'), { kind: 'result', result: {}, bytes: 0 });
    assert.equal(server.requests.length, before);
  });

  test('a subscribed resource is heard of, until it is unsubscribed', async () => {
    const owner = fresh();
    assert.equal((await bench.call('modern', owner, 'resources/subscribe', { uri: 'file:///notes' })).kind, 'result');
    server.resourceUpdated('file:///notes');
    await until(() => owner.heard.length === 1);
    assert.deepEqual(owner.heard, [{ kind: 'notification', method: 'notifications/resources/updated', params: { uri: 'file:///notes' } }]);
    await bench.call('modern', owner, 'resources/subscribe', { uri: 'file:///other' });
    server.resourceUpdated('file:///other');
    await until(() => owner.heard.length === 2);
    await bench.call('modern', owner, 'resources/unsubscribe', { uri: 'file:///notes' });
    await until(() => server.requests.at(-1)!.body.includes('"resourceSubscriptions":["file:///other"]'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    server.resourceUpdated('file:///notes');
    server.resourceUpdated('file:///other');
    await until(() => owner.heard.length === 3);
    assert.deepEqual(owner.heard[2], {
      kind: 'notification',
      method: 'notifications/resources/updated',
      params: { uri: 'file:///other' },
    });
    await bench.upstreams.release(owner.id);
  });

  test('a changed list is read again', async () => {
    const before = server.requests.filter(({ headers }) => headers['mcp-method'] === 'tools/list').length;
    server.toolsChanged();
    await until(() => server.requests.filter(({ headers }) => headers['mcp-method'] === 'tools/list').length > before);
  });
});
