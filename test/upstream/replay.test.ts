import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startRecordingUpstream } from '../support/recording-upstream.ts';
import { options, rig, textOf, until } from './support.ts';

test('a session that the upstream lost gets its subscriptions and its log level back', async () => {
  const server = await startRecordingUpstream();
  const bench = await rig([options('rec', server.url)]);
  const [one, two] = [bench.owner('one'), bench.owner('two')];
  await bench.call('rec', one, 'logging/setLevel', { level: 'warning' });
  for (const uri of ['file:///a', 'file:///b', 'file:///c']) await bench.call('rec', one, 'resources/subscribe', { uri });
  await bench.call('rec', one, 'resources/unsubscribe', { uri: 'file:///b' });
  await bench.call('rec', two, 'ping');
  server.forgetSessions();
  const before = server.requests.length;
  assert.equal(textOf(await bench.call('rec', one, 'tools/call', { name: 'echo', arguments: {} })), '{}');
  await bench.call('rec', two, 'tools/call', { name: 'echo', arguments: {} });
  const sinceLoss = () => server.requests.slice(before).map(({ message, headers }) => ({ message, session: headers['mcp-session-id'] }));
  const replayed = () => sinceLoss().filter(({ message }) => /subscribe|setLevel/.test(message.method ?? ''));
  await until(() => replayed().length === 3);
  assert.deepEqual(
    replayed().map(({ message }) => [message.method, message.params]),
    [
      ['logging/setLevel', { level: 'warning' }],
      ['resources/subscribe', { uri: 'file:///a' }],
      ['resources/subscribe', { uri: 'file:///c' }],
    ],
  );
  assert.equal(new Set(replayed().map(({ session }) => session)).size, 1);
  await bench.upstreams.close();
  await server.close();
});

test('an upstream that loses each session at its subscription is not asked without end', async () => {
  const server = await startRecordingUpstream();
  const bench = await rig([options('rec', server.url)]);
  const owner = bench.owner('one');
  await bench.call('rec', owner, 'resources/subscribe', { uri: 'file:///a' });
  server.always('resources/subscribe', ({ behave }) => {
    server.forgetSessions();
    behave();
  });
  server.forgetSessions();
  const before = server.calls('initialize').length;
  await bench.call('rec', owner, 'ping').catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(server.calls('initialize').length - before < 8, String(server.calls('initialize').length - before));
  await bench.upstreams.close();
  await server.close();
});

test('a program that ended and came back is asked again for what its owners asked of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'castellan-replay-'));
  const log = join(folder, 'log');
  const program = `
    require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id, method, params } = JSON.parse(line);
      if (method === 'server/discover') return console.log(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }));
      require('fs').appendFileSync(process.env.LOG, method + ' ' + (params?.uri ?? params?.level ?? '') + '\\n');
      if (params?.name === 'crash') process.exit(1);
      const result = method === 'initialize'
        ? { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'x', version: '1' } }
        : method === 'tools/list' ? { tools: [] } : { content: [] };
      if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });`;
  const transport = { kind: 'stdio', command: process.execPath, args: ['-e', program], env: { LOG: log } } as const;
  const bench = await rig([options('child', '', { transport })]);
  const owner = bench.owner('one');
  await bench.call('child', owner, 'logging/setLevel', { level: 'warning' });
  await bench.call('child', owner, 'resources/subscribe', { uri: 'file:///a' });
  await assert.rejects(bench.call('child', owner, 'tools/call', { name: 'crash' }));
  await bench.call('child', owner, 'tools/call', { name: 'on' });
  const lines = readFileSync(log, 'utf8').split('\n');
  const reopened = lines.slice(lines.lastIndexOf('initialize '));
  assert.ok(reopened.includes('logging/setLevel warning') && reopened.includes('resources/subscribe file:///a'), reopened.join());
  await bench.upstreams.close();
  rmSync(folder, { recursive: true });
});
