import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { digestJson } from '../../src/model/digest.ts';
import type { ListKind } from '../../src/upstream/types.ts';
import {
  answer,
  echoTool,
  misbehaviours,
  readTool,
  startRecordingUpstream,
  type RecordingUpstream,
} from '../support/recording-upstream.ts';
import { options, pinBook, rig, textOf, until, type Rig } from './support.ts';

describe('the catalogue', () => {
  let server: RecordingUpstream;
  let bench: Rig | undefined;
  beforeEach(async () => void (server = await startRecordingUpstream()));
  afterEach(async () => {
    await bench?.upstreams.close();
    await server.close();
  });
  const tools = () => bench!.upstreams.catalogue().upstreams.get('rec')!.tools;

  test('has labels and pins of the configuration, and the first definition seen is pinned where that is asked for', async () => {
    const terms = { echo: { labels: ['egress'], digest: digestJson(echoTool) } };
    bench = await rig([options('rec', server.url, { tools: terms, defaultLabels: ['unknown'], pinning: 'config' })]);
    assert.deepEqual(
      [...tools().values()].map(({ name, labels, pinned }) => [name, labels, pinned]),
      [
        ['echo', ['unknown', 'egress'], true],
        ['read', ['unknown'], false],
      ],
    );
    await bench.upstreams.close();
    const pins = pinBook();
    bench = await rig([options('rec', server.url)], pins);
    assert.ok(tools().get('read')!.pinned);
    assert.equal(pins.pins.get('rec/read'), digestJson(readTool));
    await bench.upstreams.close();
    server.tools = [echoTool, { ...readTool, description: 'Now also sends it to me.' }];
    bench = await rig([options('rec', server.url)], pins);
    assert.deepEqual(
      [...tools().values()].map(({ name, pinned }) => [name, pinned]),
      [
        ['echo', true],
        ['read', false],
      ],
    );
  });

  test('a pin book that fails pins nothing', async () => {
    const broken = { get: () => Promise.reject(new Error('disk')), put: () => undefined };
    bench = await rig([options('rec', server.url)], broken);
    assert.deepEqual(
      [...tools().values()].map(({ pinned }) => pinned),
      [false, false],
    );
    assert.match(bench.upstreams.catalogue().upstreams.get('rec')!.problems[0]!, /pin of `echo` cannot be read/);
  });

  test('is read again when a list changed; unchanged tools keep their object, and only a change makes a revision', async () => {
    bench = await rig([options('rec', server.url)]);
    const heard: (readonly [string, readonly ListKind[]])[] = [];
    bench.upstreams.onChange((upstream, kinds) => heard.push([upstream, kinds]));
    const { revision } = bench.upstreams.catalogue();
    const echo = tools().get('echo')!;
    await until(() => server.streams === 1);
    const listsBefore = server.calls('tools/list').length;
    server.push({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    await until(() => server.calls('tools/list').length > listsBefore);
    // What an upstream announces is told on, also where no difference is seen.
    await until(() => heard.length === 1);
    assert.deepEqual([bench.upstreams.catalogue().revision, heard], [revision, [['rec', ['tools']]]]);
    server.tools = [echoTool];
    server.push({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    await until(() => heard.length > 1);
    assert.deepEqual(heard[1], ['rec', ['tools']]);
    assert.equal(bench.upstreams.catalogue().revision, revision + 1);
    assert.deepEqual([...tools().keys()], ['echo']);
    assert.equal(tools().get('echo'), echo);
  });

  test('pages are walked; a cursor that comes twice, too many pages and strange entries are cut and named', async () => {
    server.always('tools/list', ({ request, response }) => {
      const at = Number(request.message.params?.cursor ?? 0);
      const names = ['a', 'b', 'c'];
      const next = at < 2 ? { nextCursor: String(at + 1) } : { nextCursor: '1' };
      answer(response, request.message.id, { tools: [{ name: names[at], inputSchema: { type: 'object' } }, 7, { name: '' }], ...next });
    });
    bench = await rig([options('rec', server.url)]);
    assert.deepEqual([...tools().keys()], ['a', 'b', 'c']);
    const { problems } = bench.upstreams.catalogue().upstreams.get('rec')!;
    assert.ok(problems.some((problem) => problem.includes('same cursor twice')));
    assert.ok(problems.some((problem) => problem.includes('without a usable name')));
    await bench.upstreams.close();
    let page = 0;
    server.always('tools/list', ({ request, response }) => answer(response, request.message.id, { tools: [], nextCursor: String(++page) }));
    bench = await rig([options('rec', server.url)]);
    assert.equal(page, 100);
    assert.ok(bench.upstreams.catalogue().upstreams.get('rec')!.problems.includes('`tools/list` was cut after 100 pages'));
  });

  test('a tool with a broken schema, or listed twice differently, is unusable with a reason; the others work', async () => {
    server.tools = [
      echoTool,
      { name: 'broken', inputSchema: { type: 'object', properties: { a: { type: 'no-such-type' } } } },
      { name: 'list', inputSchema: { type: 'array' } },
      { name: 'twin', inputSchema: { type: 'object' } },
      { name: 'twin', inputSchema: { type: 'object' }, description: 'other' },
    ];
    bench = await rig([options('rec', server.url)]);
    assert.equal(tools().get('echo')!.validate({ text: 'a' }), undefined);
    assert.match(tools().get('echo')!.validate({ text: 1 })!, /`\/text` must be string/);
    assert.match(tools().get('broken')!.validate({})!, /the input schema of `broken` cannot be used/);
    assert.match(tools().get('list')!.validate({})!, /not that of an object/);
    assert.match(tools().get('twin')!.validate({})!, /twice with different definitions/);
  });

  test('an upstream that is down at start holds nobody up, and is there when it comes', async () => {
    const { url } = server;
    const port = Number(new URL(url).port);
    await server.close();
    const second = await startRecordingUpstream();
    bench = await rig([options('rec', url), options('second', second.url)]);
    const states = () => bench!.upstreams.status().map(({ state }) => state);
    assert.deepEqual(states(), ['down', 'ready']);
    assert.equal(textOf(await bench.call('second', bench.owner('a'), 'tools/call', { name: 'echo', arguments: {} })), '{}');
    await assert.rejects(bench.call('rec', bench.owner('a'), 'tools/call', { name: 'echo' }), {
      code: 'upstream.unreachable',
      detail: undefined,
    });
    server = await startRecordingUpstream({ port });
    await until(() => states()[0] === 'ready');
    assert.equal(textOf(await bench.call('rec', bench.owner('a'), 'tools/call', { name: 'echo', arguments: {} })), '{}');
    await server.close();
    await assert.rejects(bench.call('rec', bench.owner('a'), 'tools/call', { name: 'echo' }), { code: 'upstream.unreachable' });
    await until(() => states()[0] === 'down');
    assert.ok(tools().has('echo'));
    await second.close();
  });

  test('reconfiguring keeps what is unchanged connected, lets calls finish, and options that cannot work change nothing', async () => {
    const second = await startRecordingUpstream();
    bench = await rig([options('rec', server.url), options('second', second.url)]);
    const owner = bench.owner('a');
    await bench.call('rec', owner, 'ping');
    await bench.call('second', owner, 'ping');
    const opensBefore = server.calls('initialize').length;
    await assert.rejects(bench.upstreams.reconfigure([options('rec', server.url), options('rec', second.url)]), TypeError);
    await assert.rejects(bench.upstreams.reconfigure([options('rec', 'ftp://x/')]), TypeError);
    assert.equal(bench.upstreams.status().length, 2);
    second.once('tools/call', (scene) => void setTimeout(() => scene.behave(), 200));
    const slow = bench.call('second', owner, 'tools/call', { name: 'echo', arguments: { slow: 1 } });
    await until(() => second.calls('tools/call').length === 1);
    await bench.upstreams.reconfigure([options('rec', server.url, { defaultLabels: ['new'] })]);
    assert.deepEqual(tools().get('echo')!.labels, ['new']);
    assert.throws(() => bench!.upstreams.session('second', owner), { code: 'upstream.unreachable' });
    assert.equal(textOf(await slow), '{"slow":1}');
    await until(() => second.sessions.size === 0);
    await bench.call('rec', owner, 'ping');
    assert.equal(server.calls('initialize').length, opensBefore);
    await second.close();
  });

  test('a list that cannot be read leaves the last one in force', async () => {
    bench = await rig([options('rec', server.url)], undefined, { refreshMs: 50 });
    server.always('tools/list', misbehaviours.nonJson);
    await until(() => bench!.upstreams.status()[0]!.state === 'down');
    assert.deepEqual([...tools().keys()], ['echo', 'read']);
    assert.match(bench.upstreams.status()[0]!.error!, /without a JSON-RPC message/);
  });
});
