import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GatewayError } from '../../src/model/errors.ts';
import type { UpstreamMessage, UpstreamOptions } from '../../src/upstream/types.ts';
import { options, permit, rig, textOf, until } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'castellan-stdio-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A small raw server: what it does is told by the tool's name. */
const raw = `
const { spawn } = require('node:child_process');
const send = (m) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...m }) + '\\n');
console.log('Welcome to a server that greets on standard output');
console.error('to stderr');
let buffer = '';
process.stdin.on('data', (chunk) => { buffer += chunk; let at; while ((at = buffer.indexOf('\\n')) !== -1) { const line = buffer.slice(0, at); buffer = buffer.slice(at + 1); take(JSON.parse(line)); } });
process.stdin.on('end', () => { if (!process.env.STUBBORN) process.exit(0); });
if (process.env.STUBBORN) { process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); }
if (process.env.GRANDCHILD) { const g = spawn(process.execPath, ['-e', 'setInterval(()=>{},1000)'], { stdio: 'ignore' }); send({ method: 'notifications/message', params: {} }); require('node:fs').writeFileSync(process.env.GRANDCHILD, String(g.pid)); }
const replies = [];
function take(m) {
  if (m.method === 'initialize') return send({ id: m.id, result: { protocolVersion: m.params.protocolVersion, capabilities: { tools: {}, resources: { subscribe: true } }, serverInfo: { name: 'raw', version: '1' } } });
  if (m.method === 'tools/list') return send({ id: m.id, result: { tools: ['echo','hang','crash','double','huge','ask','env','progress','late'].map((name) => ({ name, inputSchema: { type: 'object' } })) } });
  if (m.method === 'resources/list') return send({ id: m.id, result: { resources: [] } });
  if (m.method === 'resources/templates/list') return send({ id: m.id, error: { code: -32601, message: 'no' } });
  if (m.method === 'resources/subscribe') { send({ id: m.id, result: {} }); return send({ method: 'notifications/resources/updated', params: { uri: m.params.uri } }); }
  if (m.method === 'notifications/cancelled') return console.error('cancelled ' + m.params.requestId);
  if (m.method === undefined) { console.error('reply ' + JSON.stringify(m)); return; }
  if (m.id === undefined) return;
  const text = (t) => send({ id: m.id, result: { content: [{ type: 'text', text: t }] } });
  switch (m.params && m.params.name) {
    case 'hang': return;
    case 'crash': text('last word'); return setTimeout(() => process.exit(3), 5);
    case 'double': text('one'); text('two'); return send({ id: 'made up', result: {} });
    case 'huge': return text('x'.repeat(5000000));
    case 'ask': send({ id: 0, method: 'sampling/createMessage', params: { messages: [] } }); send({ method: 'notifications/message', params: { data: 'told' } }); return setTimeout(() => text('asked'), 30);
    case 'late': text('answered'); return setTimeout(() => send({ method: 'notifications/message', params: { data: 'of the one before' } }), 50);
    case 'env': return text(JSON.stringify(process.env));
    case 'progress': send({ method: 'notifications/progress', params: { progressToken: m.params._meta.progressToken, progress: 1 } }); return text('done');
    default: setTimeout(() => text(JSON.stringify(m.params && m.params.arguments)), Math.random() * 20);
  }
}`;
const script = join(folder, 'raw.cjs');
writeFileSync(script, raw);

const stdio = (name: string, env: Record<string, string> = {}, more: Partial<UpstreamOptions> = {}): UpstreamOptions =>
  options(name, '', { transport: { kind: 'stdio', command: process.execPath, args: [script], env }, ...more });

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

test('200 owners share one child, and answers and progress never cross', async () => {
  const bench = await rig([stdio('raw')]);
  const replies = await Promise.all(
    Array.from({ length: 200 }, (_, at) => bench.call('raw', bench.owner(`o${at}`), 'tools/call', { name: 'echo', arguments: { at } })),
  );
  assert.deepEqual(
    replies.map(textOf),
    Array.from({ length: 200 }, (_, at) => JSON.stringify({ at })),
  );
  await Promise.all(
    Array.from({ length: 20 }, async (_, at) => {
      const told: UpstreamMessage[] = [];
      const params = { name: 'progress', _meta: { progressToken: `t${at}` } };
      await bench.call('raw', bench.owner(`o${at}`), 'tools/call', params, { onMessage: (message) => told.push(message) });
      assert.deepEqual(told, [
        { kind: 'notification', method: 'notifications/progress', params: { progressToken: `t${at}`, progress: 1 } },
      ]);
    }),
  );
  assert.equal(bench.log.filter((entry) => entry.event === 'stderr' && entry.detail?.['line'] === 'to stderr').length, 1);
  await bench.upstreams.close();
});

test('a second answer and an answer that nobody waits for are strays', async () => {
  const bench = await rig([stdio('raw')]);
  const owner = bench.owner('a');
  assert.equal(textOf(await bench.call('raw', owner, 'tools/call', { name: 'double' })), 'one');
  assert.equal(textOf(await bench.call('raw', owner, 'tools/call', { name: 'echo', arguments: {} })), '{}');
  assert.deepEqual(
    bench.strays.map(({ form, method }) => [form, method]),
    [
      ['response', undefined],
      ['response', undefined],
    ],
  );
  await bench.upstreams.close();
});

test('a crash with 20 calls in flight ends each once; what was answered before stands; the child comes back', async () => {
  const bench = await rig([stdio('raw')]);
  let settled = 0;
  const hanging = Array.from({ length: 20 }, (_, at) =>
    bench
      .call('raw', bench.owner(`o${at}`), 'tools/call', { name: 'hang' })
      .then(
        () => 'answered',
        (error: unknown) => (error instanceof GatewayError ? `${error.code} ${String(error.detail?.['may_have_run'])}` : String(error)),
      )
      .finally(() => settled++),
  );
  assert.equal(textOf(await bench.call('raw', bench.owner('c'), 'tools/call', { name: 'crash' })), 'last word');
  assert.deepEqual(await Promise.all(hanging), Array(20).fill('upstream.unreachable true'));
  assert.equal(settled, 20);
  assert.equal(textOf(await bench.call('raw', bench.owner('c'), 'tools/call', { name: 'echo', arguments: {} })), '{}');
  await until(() => bench.upstreams.status()[0]!.state === 'ready');
  await bench.upstreams.close();
});

test('a child that dies at once is started five times more within a minute, then it is down and calls fail at once', async () => {
  const bench = await rig([
    options('dead', '', { transport: { kind: 'stdio', command: process.execPath, args: ['-e', 'process.exit(1)'], env: {} } }),
  ]);
  await until(() => bench.upstreams.status()[0]!.error?.includes('within a minute') === true, 20_000);
  assert.equal(bench.upstreams.status()[0]!.state, 'down');
  assert.equal(bench.log.filter((entry) => entry.event === 'child_ended').length, 6);
  const startMs = performance.now();
  await assert.rejects(bench.call('dead', bench.owner('a'), 'ping'), { code: 'upstream.unreachable', detail: undefined });
  assert.ok(performance.now() - startMs < 100);
  await bench.upstreams.close();
});

test('a command that does not exist is down, not a crash of the gateway', async () => {
  const bench = await rig([
    options('none', '', { transport: { kind: 'stdio', command: '/nonexistent/x;touch y', args: ['$(id)'], env: {} } }),
  ]);
  assert.equal(bench.upstreams.status()[0]!.state, 'down');
  assert.match(bench.upstreams.status()[0]!.error ?? '', /ENOENT/);
  await bench.upstreams.close();
});

test('a child gets the named environment and a short safe list, nothing else', async () => {
  process.env['CASTELLAN_CANARY_SECRET'] = 'canary';
  const bench = await rig([stdio('raw', { NAMED: 'yes; $(id)' })]);
  const reply = textOf(await bench.call('raw', bench.owner('a'), 'tools/call', { name: 'env' }));
  delete process.env['CASTELLAN_CANARY_SECRET'];
  const environment = JSON.parse(reply) as Record<string, string>;
  assert.equal(environment['NAMED'], 'yes; $(id)');
  assert.equal(environment['PATH'], process.env['PATH']);
  assert.doesNotMatch(reply, /canary/);
  const safe = new Set(['NAMED', 'PATH', 'HOME', 'LANG', 'LC_ALL', 'LOGNAME', 'SHELL', 'TERM', 'TMPDIR', 'TZ', 'USER']);
  assert.deepEqual(
    Object.keys(environment).filter((name) => !safe.has(name)),
    [],
  );
  await bench.upstreams.close();
});

test('a line over the limit ends the calls in flight, and the child serves on', async () => {
  const bench = await rig([stdio('raw', {}, { maxResponseBytes: 8_000_000 })]);
  const owner = bench.owner('a');
  await assert.rejects(bench.call('raw', owner, 'tools/call', { name: 'huge' }), { code: 'upstream.too_large' });
  assert.equal(textOf(await bench.call('raw', owner, 'tools/call', { name: 'echo', arguments: {} })), '{}');
  await bench.upstreams.close();
});

test('a request of the child goes to the one call in flight, and is refused when it could be another’s', async () => {
  const bench = await rig([stdio('raw')]);
  const told: UpstreamMessage[] = [];
  const asking = bench.call('raw', bench.owner('a'), 'tools/call', { name: 'ask' }, { onMessage: (message) => told.push(message) });
  await until(() => told.length === 2);
  const [question, note] = told;
  assert.ok(question?.kind === 'request' && question.method === 'sampling/createMessage');
  assert.deepEqual(note, { kind: 'notification', method: 'notifications/message', params: { data: 'told' } });
  await bench.upstreams.session('raw', bench.owner('a')).notify(permit('raw', { kind: 'reply', to: question.id, result: { model: 'm' } }));
  await asking;
  await until(() => bench.log.some((entry) => entry.detail?.['line'] === 'reply {"jsonrpc":"2.0","id":0,"result":{"model":"m"}}'));
  const abort = new AbortController();
  const hanging = assert.rejects(bench.call('raw', bench.owner('b'), 'tools/call', { name: 'hang' }, { signal: abort.signal }), {
    code: 'call.cancelled',
  });
  await bench.call('raw', bench.owner('a'), 'tools/call', { name: 'ask' }, { onMessage: (message) => told.push(message) });
  assert.equal(told.length, 2);
  await until(() => bench.log.some((entry) => String(entry.detail?.['line']).includes('"error":{"code":-32600')));
  abort.abort();
  await hanging;
  await until(() => bench.log.some((entry) => String(entry.detail?.['line']).startsWith('cancelled ')));
  await bench.upstreams.close();
});

test('words that come after an answer are not taken for those of another agent’s call', async () => {
  const bench = await rig([stdio('raw')]);
  const told: UpstreamMessage[] = [];
  const onMessage = (message: UpstreamMessage): void => void told.push(message);
  await bench.call('raw', bench.owner('a'), 'tools/call', { name: 'late' });
  const abort = new AbortController();
  const hanging = (name: string) =>
    assert.rejects(bench.call('raw', bench.owner(name), 'tools/call', { name: 'hang' }, { signal: abort.signal, onMessage }), {
      code: 'call.cancelled',
    });
  const other = hanging('b');
  await until(() => bench.strays.some(({ method }) => method === 'notifications/message'));
  assert.deepEqual(told, []);
  abort.abort();
  await other;
  await bench.upstreams.close();
});

test('only a session that subscribed hears of a changed resource', async () => {
  const bench = await rig([stdio('raw')]);
  const [one, two] = [bench.owner('one'), bench.owner('two')];
  await bench.call('raw', two, 'tools/call', { name: 'echo', arguments: {} });
  await bench.call('raw', one, 'resources/subscribe', { uri: 'a:1' });
  await until(() => one.heard.length > 0);
  assert.deepEqual(one.heard[0], { kind: 'notification', method: 'notifications/resources/updated', params: { uri: 'a:1' } });
  assert.deepEqual(two.heard, []);
  await bench.upstreams.close();
});

test('closing ends a stubborn child and its grandchildren', async () => {
  const file = join(folder, 'grandchild');
  const bench = await rig([stdio('raw', { STUBBORN: '1', GRANDCHILD: file })]);
  const child = Number(
    textOf(await bench.call('raw', bench.owner('a'), 'tools/call', { name: 'env' })) !== '' &&
      execFileSync('pgrep', ['-f', script]).toString().trim().split('\n')[0],
  );
  const grandchild = Number(readFileSync(file, 'utf8'));
  assert.ok(alive(child) && alive(grandchild));
  const startMs = performance.now();
  await bench.upstreams.close();
  assert.ok(performance.now() - startMs < 2_000);
  await until(() => !alive(child) && !alive(grandchild), 1_000);
});

for (const signal of ['SIGKILL', 'exit'] as const) {
  test(`no child outlives a gateway that ends by ${signal}`, async () => {
    const file = join(folder, `pid-${signal}`);
    const program = `
      import { createUpstreams } from ${JSON.stringify(fileURLToPath(new URL('../../src/upstream/upstreams.ts', import.meta.url)))};
      const env = ${JSON.stringify(signal === 'exit' ? { STUBBORN: '1', GRANDCHILD: file } : {})};
      const upstreams = createUpstreams([{ name: 'raw', transport: { kind: 'stdio', command: process.execPath, args: [${JSON.stringify(script)}, 'of-${signal}'], env }, credential: { kind: 'none' }, timeoutMs: 5000, maxResponseBytes: 100000, tools: {}, pinning: 'config' }],
        { pins: { get: () => undefined, put: () => undefined }, log: () => undefined, clientInfo: { name: 'x', version: '1' }, scan: () => [] });
      await upstreams.settled();
      console.log(upstreams.status()[0].state);
      process.stdin.on('data', () => process.exit(0));`;
    const gateway = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
    const said = await new Promise<string>((resolve) => gateway.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim())));
    assert.equal(said, 'ready');
    const find = () => {
      try {
        return execFileSync('pgrep', ['-f', `raw.cjs of-${signal}$`])
          .toString()
          .trim()
          .split('\n')
          .map(Number);
      } catch {
        return [];
      }
    };
    const [child] = find();
    assert.ok(child !== undefined && alive(child));
    if (signal === 'SIGKILL') gateway.kill('SIGKILL');
    else gateway.stdin.write('end\n');
    await new Promise((resolve) => gateway.once('exit', resolve));
    await until(() => !alive(child), 2_000);
    if (signal === 'exit') await until(() => !alive(Number(readFileSync(file, 'utf8'))), 1_000);
  });
}
