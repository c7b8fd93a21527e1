import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildEndpoint } from '../../src/upstream/endpoint.ts';
import type { UpstreamMessage, UpstreamOptions } from '../../src/upstream/types.ts';
import { options, permit, rig, textOf, until } from './support.ts';

const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));
const everything = join(modules, '@modelcontextprotocol/server-everything/dist/index.js');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts server-everything over HTTP and waits until it listens. */
async function startEverything(kind: 'streamableHttp' | 'sse', port: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [everything, kind], {
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until(() => /listening on port|running on port/i.test(said), 20_000);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** What must work with server-everything, whatever carries it. */
async function exercise(upstream: UpstreamOptions): Promise<void> {
  const bench = await rig([upstream]);
  const { name } = upstream;
  assert.equal(bench.upstreams.status()[0]!.error, undefined);
  const status = bench.upstreams.status()[0]!;
  assert.equal(status.state, 'ready');
  const entry = bench.upstreams.catalogue().upstreams.get(name)!;
  assert.ok(entry.tools.has('echo') && entry.tools.size >= 10);
  assert.ok(entry.prompts.length > 0 && entry.resourceTemplates.length > 0);
  assert.deepEqual(entry.problems, []);
  for (const tool of entry.tools.values()) assert.equal(tool.unusable, undefined, tool.name);
  const told: UpstreamMessage[] = [];
  const owner = bench.owner('agent', { capabilities: { sampling: {}, elicitation: {} }, receives: true });
  assert.equal(textOf(await bench.call(name, owner, 'tools/call', { name: 'echo', arguments: { message: 'hi' } })), 'Echo: hi');
  const long = { name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 3 }, _meta: { progressToken: 'tok' } };
  assert.match(textOf(await bench.call(name, owner, 'tools/call', long, { onMessage: (message) => told.push(message) })), /completed/);
  const progress = told.filter((message) => message.method === 'notifications/progress').map((message) => message.params);
  assert.deepEqual(
    progress.map((params) => [params?.['progressToken'], params?.['progress']]),
    [1, 2, 3].map((at) => ['tok', at]),
  );
  const read = await bench.call(name, owner, 'resources/read', { uri: 'demo://resource/dynamic/text/1' });
  assert.equal(read.kind, 'result');
  const endpoint = buildEndpoint(bench.upstreams.catalogue(), { name: 'all', upstreams: [{ upstream: name }], rename: [], variants: [] });
  assert.equal(endpoint.resolveResource('demo://resource/dynamic/text/1'), name);
  assert.equal(endpoint.tools.size, entry.tools.size);
  assert.deepEqual(endpoint.quarantined, []);
  const unknown = await bench.call(name, owner, 'made/up');
  assert.deepEqual([unknown.kind, unknown.kind === 'error' && unknown.error['code']], ['error', -32601]);
  await bench.upstreams.close();
}

describe('real servers', { concurrency: false }, () => {
  test('server-everything over Streamable HTTP, and a sampling request that reaches its agent', async () => {
    const port = await freePort();
    const child = await startEverything('streamableHttp', port);
    const url = `http://127.0.0.1:${port}/mcp`;
    await exercise(options('everything', url));
    const bench = await rig([options('everything', url)]);
    const agents = ['a', 'b', 'c'].map((id) => bench.owner(id, { capabilities: { sampling: {} }, receives: true }));
    const answers = await Promise.all(
      agents.map(async (agent) => {
        const answerIt = (message: UpstreamMessage): void => {
          if (message.kind !== 'request' || message.method !== 'sampling/createMessage') return;
          const result = { role: 'assistant', model: 'm', content: { type: 'text', text: `said by ${agent.id}` } };
          void bench.upstreams.session('everything', agent).notify(permit('everything', { kind: 'reply', to: message.id, result }));
        };
        Object.assign(agent, { onMessage: answerIt });
        // The server offers its tool only after it has seen who is there.
        await bench.call('everything', agent, 'tools/list');
        await new Promise((resolve) => setTimeout(resolve, 500));
        const params = { name: 'trigger-sampling-request', arguments: { prompt: 'p', maxTokens: 10 } };
        return textOf(await bench.call('everything', agent, 'tools/call', params, { onMessage: answerIt }));
      }),
    );
    answers.forEach((text, at) => assert.match(text, new RegExp(`said by ${agents[at]!.id}`)));
    const before = bench.upstreams.status()[0]!.state;
    assert.equal(before, 'ready');
    await end(child);
    await assert.rejects(bench.call('everything', agents[0]!, 'tools/call', { name: 'echo', arguments: { message: 'x' } }), {
      code: 'upstream.unreachable',
    });
    const again = await startEverything('streamableHttp', port);
    assert.equal(
      textOf(await bench.call('everything', agents[0]!, 'tools/call', { name: 'echo', arguments: { message: 'back' } })),
      'Echo: back',
    );
    await bench.upstreams.close();
    await end(again);
  });

  test('server-everything over HTTP+SSE', async () => {
    const port = await freePort();
    const child = await startEverything('sse', port);
    await exercise(options('legacy', '', { transport: { kind: 'sse', url: `http://127.0.0.1:${port}/sse` } }));
    await end(child);
  });

  test('server-everything over stdio', async () => {
    await exercise(options('child', '', { transport: { kind: 'stdio', command: process.execPath, args: [everything, 'stdio'], env: {} } }));
  });

  test('server-filesystem, server-memory and server-sequential-thinking over stdio', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'castellan-files-'));
    writeFileSync(join(folder, 'note.txt'), 'a note');
    const at = (name: string, args: string[], env: Record<string, string> = {}): UpstreamOptions =>
      options(name, '', {
        transport: {
          kind: 'stdio',
          command: process.execPath,
          args: [join(modules, `@modelcontextprotocol/server-${name}/dist/index.js`), ...args],
          env,
        },
      });
    const bench = await rig([
      at('filesystem', [folder]),
      at('memory', [], { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') }),
      at('sequential-thinking', []),
    ]);
    assert.deepEqual(
      bench.upstreams.status().map(({ name, state }) => [name, state]),
      [
        ['filesystem', 'ready'],
        ['memory', 'ready'],
        ['sequential-thinking', 'ready'],
      ],
    );
    const thought = { thought: 'first', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 };
    const thinking = await bench.call('sequential-thinking', bench.owner('b'), 'tools/call', {
      name: 'sequentialthinking',
      arguments: thought,
    });
    assert.match(textOf(thinking), /"thoughtNumber": 1/);
    const owner = bench.owner('a');
    const read = await bench.call('filesystem', owner, 'tools/call', {
      name: 'read_text_file',
      arguments: { path: join(folder, 'note.txt') },
    });
    assert.equal(textOf(read), 'a note');
    const entities = [{ name: 'n', entityType: 't', observations: ['o'] }];
    await bench.call('memory', owner, 'tools/call', { name: 'create_entities', arguments: { entities } });
    assert.match(textOf(await bench.call('memory', owner, 'tools/call', { name: 'read_graph', arguments: {} })), /"entityType": "t"/);
    const endpoint = buildEndpoint(bench.upstreams.catalogue(), {
      name: 'both',
      upstreams: [{ upstream: 'filesystem' }, { upstream: 'memory' }],
      rename: [],
      variants: [],
    });
    assert.equal(endpoint.resolveTool('read_text_file')!.validate({}) === undefined, false);
    assert.equal(endpoint.resolveTool('read_text_file')!.validate({ path: 'x' }), undefined);
    await bench.upstreams.close();
    rmSync(folder, { recursive: true, force: true });
  });
});
