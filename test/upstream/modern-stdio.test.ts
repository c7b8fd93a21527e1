import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { UpstreamMessage } from '../../src/upstream/types.ts';
import { coded, options, permit, rig, textOf, until, type Rig } from './support.ts';

const program = fileURLToPath(new URL('../support/modern-stdio-server.ts', import.meta.url));
const child = (name: string, ...args: string[]) =>
  options(name, '', {
    transport: { kind: 'stdio', command: process.execPath, args: [program, ...args], env: {} },
    timeoutMs: 20_000,
  });

describe('a program of 2026-07-28', () => {
  let bench: Rig;
  let serial = 0;
  const fresh = (more = {}) => bench.owner(`agent-${++serial}`, more);
  const call = (owner: ReturnType<typeof fresh>, name: string, more = {}) =>
    bench.call('modern', owner, 'tools/call', { name, arguments: {} }, more);
  const stderr = (line: string) => bench.log.some(({ event, detail }) => event === 'stderr' && detail?.['line'] === line);
  before(async () => {
    bench = await rig([child('modern')]);
  });
  after(() => bench.upstreams.close());

  test('is found by asking a sibling process, and its lists are read', () => {
    const [status] = bench.upstreams.status();
    assert.equal(status?.state, 'ready', status?.error);
    assert.equal(status.era, 'modern');
    assert.ok(bench.upstreams.catalogue().upstreams.get('modern')?.tools.has('echo'));
    // The process that was asked is of the right era, so it is the one that goes on.
    assert.equal(bench.log.filter(({ event, detail }) => event === 'stderr' && detail?.['line'] === 'started').length, 1);
  });

  test('calls of many agents share it and do not cross', async () => {
    const replies = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        bench.call('modern', fresh(), 'tools/call', { name: 'echo', arguments: { text: `t${index}` } }),
      ),
    );
    assert.deepEqual(
      replies.map(textOf),
      Array.from({ length: 30 }, (_, index) => `{"text":"t${index}"}`),
    );
  });

  test('progress comes under the agent’s own token', async () => {
    const heard: UpstreamMessage[] = [];
    const params = { name: 'progress', _meta: { progressToken: 'mine' } };
    await bench.call('modern', fresh(), 'tools/call', params, { onMessage: (message) => heard.push(message) });
    assert.deepEqual(
      heard.map(({ params: told }) => [told?.['progressToken'], told?.['progress']]),
      [
        ['mine', 1],
        ['mine', 2],
      ],
    );
  });

  test('questions come as requests, and the call goes on with their answers', async () => {
    const owner = fresh({ capabilities: { elicitation: {}, sampling: {} } });
    const answers: Record<string, object> = {
      'elicitation/create': { action: 'accept', content: { name: 'Ada' } },
      'sampling/createMessage': { role: 'assistant', model: 'none', content: { type: 'text', text: 'a rose' } },
    };
    const onMessage = (message: UpstreamMessage): void => {
      if (message.kind !== 'request') return;
      const reply = { kind: 'reply', to: message.id, result: answers[message.method] as never } as const;
      setImmediate(() => void bench.upstreams.session('modern', owner).notify(permit('modern', reply)));
    };
    assert.equal(textOf(await call(owner, 'ask', { onMessage })), 'Ada: a rose (asked-once)');
  });

  test('a cancelled call is told to the program', async () => {
    const abort = new AbortController();
    const slow = call(fresh(), 'slow', { signal: abort.signal });
    await until(() => stderr('slow began'));
    abort.abort();
    await assert.rejects(slow, coded('call.cancelled', true));
    await until(() => stderr('slow cancelled'));
  });

  test('two agents hear of their own resources only, and of none after they are gone', async () => {
    const [one, two] = [fresh(), fresh()];
    await bench.call('modern', one, 'resources/subscribe', { uri: 'file:///one' });
    await bench.call('modern', two, 'resources/subscribe', { uri: 'file:///two' });
    const touch = (uri: string) => bench.call('modern', fresh(), 'tools/call', { name: 'touch', arguments: { uri } });
    await touch('file:///one');
    await touch('file:///two');
    await until(() => one.heard.length + two.heard.length === 2);
    const updated = (uri: string) => [{ kind: 'notification', method: 'notifications/resources/updated', params: { uri } }];
    assert.deepEqual([one.heard, two.heard], [updated('file:///one'), updated('file:///two')]);
    await bench.upstreams.release(one.id);
    await touch('file:///one');
    await touch('file:///two');
    await until(() => two.heard.length === 2);
    assert.equal(one.heard.length, 1);
    await bench.upstreams.release(two.id);
  });
});

test('a program that crashes comes back with the subscriptions of its agents; no call is answered twice or never', async () => {
  const bench = await rig([child('modern')]);
  const owner = bench.owner('one');
  await bench.call('modern', owner, 'resources/subscribe', { uri: 'file:///one' });
  const calls = ['slow', 'crash'].map((name) => bench.call('modern', bench.owner(name), 'tools/call', { name, arguments: {} }));
  for (const ended of await Promise.allSettled(calls)) assert.equal(ended.status, 'rejected');
  await until(() => bench.log.filter(({ event, detail }) => event === 'stderr' && detail?.['line'] === 'started').length === 2);
  await until(async () => {
    await bench.call('modern', bench.owner('toucher'), 'tools/call', { name: 'touch', arguments: { uri: 'file:///one' } });
    return owner.heard.length > 0;
  });
  assert.equal(owner.heard[0]!.method, 'notifications/resources/updated');
  await bench.upstreams.close();
});

test('a program of both eras is spoken to in the newer one, and as configured where that says so', async () => {
  const bench = await rig([child('dual', 'dual'), { ...child('kept', 'dual'), era: 'legacy' }, { ...child('wrong'), era: 'legacy' }]);
  const status = Object.fromEntries(
    bench.upstreams.status().map((each) => [each.name, `${each.state} ${each.era ?? ''} ${each.protocolVersion ?? ''}`]),
  );
  assert.equal(status['dual'], 'ready modern 2026-07-28');
  assert.equal(status['kept'], 'ready legacy 2025-11-25');
  assert.match(status['wrong']!, /^down/);
  await bench.upstreams.close();
});

test('a program that ends at any first message but `initialize` works', async () => {
  // As rmcp's servers do.
  const strict = `
    let open = false;
    require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id, method, params } = JSON.parse(line);
      if (!open && method !== 'initialize') process.exit(1);
      open = true;
      const result = method === 'initialize'
        ? { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'strict', version: '1' } }
        : method === 'tools/list' ? { tools: [] } : {};
      if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });`;
  const transport = { kind: 'stdio', command: process.execPath, args: ['-e', strict], env: {} } as const;
  const bench = await rig([options('strict', '', { transport })]);
  const [status] = bench.upstreams.status();
  assert.equal(status?.state, 'ready', status?.error);
  assert.equal(status.era, 'legacy');
  await bench.upstreams.close();
});
