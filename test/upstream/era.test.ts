import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { answer, frame, misbehaviours, stream, type Script } from '../support/recording-upstream.ts';
import { discovered, error, modern, modernVersion, refuse, withServer } from './modern-support.ts';
import { options, rig, textOf, until } from './support.ts';

describe('which era an HTTP upstream speaks', () => {
  const rows: readonly (readonly [title: string, script: Script, era: string])[] = [
    ['an answer that names the modern version', modern, 'modern'],
    [
      'the same on an event stream',
      ({ response, request }) =>
        void stream(response).end(`: hi\n\n${frame({ jsonrpc: '2.0', id: request.message.id, result: discovered() })}`),
      'modern',
    ],
    [
      'the same behind a question, which is a stray',
      ({ response, request }) =>
        void stream(response).end(
          `${frame({ jsonrpc: '2.0', id: 'q', method: 'roots/list' })}${frame({ jsonrpc: '2.0', id: request.message.id, result: discovered() })}`,
        ),
      'modern',
    ],
    [
      'success that names older versions only',
      ({ response, request }) => answer(response, request.message.id, discovered(['2025-11-25'])),
      'legacy',
    ],
    ['an answer without versions', ({ response, request }) => answer(response, request.message.id, {}), 'legacy'],
    ['200 with an error', refuse(200, error(-32601, 0)), 'legacy'],
    ['400 of a server with sessions', refuse(400, error(-32000, null)), 'legacy'],
    ['400 that asks for a session', refuse(400, error(-32602, 0)), 'legacy'],
    ['400 without a body', refuse(400, ''), 'legacy'],
    ['404 without a message', refuse(404, '<html>'), 'legacy'],
    ['404 that says the method is unknown', refuse(404, error(-32601, 0)), 'legacy'],
    ['405', refuse(405, ''), 'legacy'],
    ['415', refuse(415, ''), 'legacy'],
    ['202 without an answer', refuse(202, ''), 'legacy'],
    ['a refused version, beside older ones', refuse(400, error(-32022, 0, { supported: ['2025-06-18'] })), 'legacy'],
  ];
  for (const [title, script, era] of rows)
    test(`${title}: ${era}`, () =>
      withServer(script, async (server) => {
        const bench = await rig([options('up', server.url)]);
        const [status] = bench.upstreams.status();
        assert.equal(status?.state, 'ready', status?.error);
        assert.equal(status.era, era);
        assert.equal(server.calls('initialize').length, era === 'legacy' ? 1 : 0);
        assert.equal(server.calls('server/discover').length, era === 'legacy' ? 1 : 2);
        if (title.includes('stray')) assert.deepEqual([...new Set(bench.strays.map(({ method }) => method))], ['roots/list']);
        await bench.upstreams.close();
      }));

  const faults: readonly (readonly [title: string, script: Script])[] = [
    ['401', misbehaviours.unauthorized],
    ['403', refuse(403, '')],
    ['500', misbehaviours.serverError],
    ['503 with an error of the modern era', refuse(503, error(-32022, 0))],
    ['429', refuse(429, '')],
    ['a reset', misbehaviours.reset],
    ['silence', misbehaviours.hang],
    ['a redirect', misbehaviours.redirect],
    ['versions of which none is known', refuse(400, error(-32022, 0, { supported: ['2031-01-01'] }))],
  ];
  for (const [title, script] of faults)
    test(`${title} says nothing of an era: it is asked again`, () =>
      withServer(script, async (server) => {
        const bench = await rig([options('up', server.url, { timeoutMs: 150 })]);
        assert.equal(bench.upstreams.status()[0]?.state, 'down');
        assert.equal(bench.upstreams.status()[0]?.era, undefined);
        assert.equal(server.calls('initialize').length, 0);
        server.always('server/discover', modern);
        await until(() => bench.upstreams.status()[0]?.state === 'ready');
        assert.equal(bench.upstreams.status()[0]?.era, 'modern');
        await bench.upstreams.close();
      }));

  test('a configured era is not asked for', () =>
    withServer(misbehaviours.hang, async (server) => {
      const bench = await rig([options('up', server.url, { era: 'legacy' })]);
      assert.equal(bench.upstreams.status()[0]?.state, 'ready');
      assert.equal(server.calls('server/discover').length, 0);
      await bench.upstreams.close();
    }));

  test('an upstream that no longer speaks the modern era is spoken to in the other, and no call is lost', () =>
    withServer(modern, async (server) => {
      const bench = await rig([options('up', server.url)]);
      const owner = bench.owner('one');
      assert.equal(textOf(await bench.call('up', owner, 'tools/call', { name: 'echo', arguments: { a: 1 } })), '{"a":1}');
      assert.equal(server.calls('initialize').length, 0);
      // As a server with sessions answers what comes without one.
      const older: Script = (scene) => {
        if (scene.request.headers['mcp-protocol-version'] === modernVersion) void refuse(400, error(-32000, null))(scene);
        else scene.behave();
      };
      server.always('server/discover', older);
      server.always('tools/call', older);
      assert.equal(textOf(await bench.call('up', owner, 'tools/call', { name: 'echo', arguments: { a: 2 } })), '{"a":2}');
      assert.equal(server.calls('tools/call').length, 3);
      assert.ok(server.calls('initialize').length >= 1);
      await bench.upstreams.close();
    }));

  test('an upstream that only speaks the modern era any more is found out by its reader', () =>
    withServer(refuse(400, error(-32000, null)), async (server) => {
      const bench = await rig([options('up', server.url)]);
      const owner = bench.owner('one');
      await bench.call('up', owner, 'tools/call', { name: 'echo', arguments: {} });
      server.always('server/discover', modern);
      server.always('initialize', refuse(400, error(-32022, null, { supported: [modernVersion] })));
      server.always('tools/call', (scene) => {
        if (scene.request.headers['mcp-method'] === undefined) void refuse(404, error(-32001, null))(scene);
        else scene.behave();
      });
      const later = bench.owner('two');
      assert.equal(textOf(await bench.call('up', later, 'tools/call', { name: 'echo', arguments: { a: 3 } })), '{"a":3}');
      await bench.upstreams.close();
    }));
});
