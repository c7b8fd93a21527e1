import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineReader } from '../../src/upstream/line-reader.ts';
import { guardedLookup, isPrivateAddress } from '../../src/upstream/private-network.ts';
import { misbehaviours, startRecordingUpstream } from '../support/recording-upstream.ts';
import { modern } from './modern-support.ts';
import { options, rig, textOf, until } from './support.ts';

test('lines come out whole wherever the bytes were split; too long ones are dropped to their end', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'ä', '🦊', ' '), minLength: 1, maxLength: 12 })),
      fc.integer({ min: 1, max: 9 }),
      (lines, size) => {
        const got: string[] = [];
        let tooLong = 0;
        const reader = new LineReader(24, { onLine: (line) => got.push(line.toString()), onTooLong: () => tooLong++ });
        const bytes = Buffer.from(lines.map((line) => `${line}\r\n`).join(''));
        for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
        reader.end();
        const long = lines.filter((line) => Buffer.byteLength(line) + 1 > 24);
        assert.deepEqual(
          got,
          lines.filter((line) => !long.includes(line)),
        );
        assert.equal(tooLong, long.length);
      },
    ),
  );
});

test('private addresses in every notation', () => {
  for (const address of [
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '::1',
    '::',
    'fe80::1',
    'fd00::1',
    '::ffff:169.254.169.254',
    '::ffff:7f00:1',
    '64:ff9b::a9fe:a9fe',
    'localhost',
    'x.localhost',
    '224.0.0.1',
    '255.255.255.255',
  ]) {
    assert.ok(isPrivateAddress(address), address);
  }
  for (const address of ['1.1.1.1', '172.32.0.1', '2606:4700::1111', 'example.com', '::ffff:1.1.1.1'])
    assert.ok(!isPrivateAddress(address), address);
});

test('a name that resolves to a private address is not connected to', async () => {
  const error = await new Promise<NodeJS.ErrnoException | null>((resolve) =>
    guardedLookup('localhost', { all: true }, (failure) => resolve(failure)),
  );
  assert.equal(error?.code, 'EPRIVATE');
  const server = await startRecordingUpstream();
  // An address in decimal notation is one that `URL` itself turns into dots.
  await assert.rejects(rig([options('rec', server.url.replace('127.0.0.1', '2130706433'), { allowPrivateNetwork: false })]), TypeError);
  assert.equal(server.bytes(), '');
  await server.close();
});

/** An OAuth server that counts what it gives. */
async function startIssuer(): Promise<{
  url: string;
  grants: string[];
  named: string | undefined;
  expiresInS: number;
  close: () => Promise<void>;
}> {
  const grants: string[] = [];
  const issuer = {
    url: '',
    grants,
    named: undefined as string | undefined,
    expiresInS: 3_600,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
  const server = createServer((request, response) => {
    const json = (body: object): void => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.url?.includes('.well-known') === true) {
      json({
        issuer: issuer.named ?? issuer.url,
        token_endpoint: `${issuer.url}/token`,
        jwks_uri: `${issuer.url}/jwks`,
        authorization_endpoint: `${issuer.url}/a`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256'],
      });
      return;
    }
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      grants.push(`${request.headers.authorization ?? ''} ${body}`);
      json({ access_token: `token-${grants.length}`, token_type: 'Bearer', expires_in: issuer.expiresInS });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A test that fails must not keep the process waiting.
  server.unref();
  issuer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return issuer;
}

test('client credentials: one grant for all calls at once, renewed when refused or near its end, secret nowhere else', async () => {
  const issuer = await startIssuer();
  const server = await startRecordingUpstream();
  const credential = {
    kind: 'client_credentials',
    issuer: issuer.url,
    clientId: 'gw',
    clientSecret: 'canarysecret',
    scope: 'mcp',
    resource: 'https://up.example/',
  } as const;
  const bench = await rig([options('rec', server.url, { credential })]);
  await Promise.all(
    Array.from({ length: 20 }, (_, at) => bench.call('rec', bench.owner(`o${at}`), 'tools/call', { name: 'echo', arguments: {} })),
  );
  assert.deepEqual(issuer.grants, [
    `Basic ${Buffer.from('gw:canarysecret').toString('base64')} scope=mcp&resource=https%3A%2F%2Fup.example%2F&grant_type=client_credentials`,
  ]);
  assert.equal(server.calls('tools/call')[0]!.headers.authorization, 'Bearer token-1');
  server.once('tools/call', misbehaviours.unauthorized);
  assert.equal(textOf(await bench.call('rec', bench.owner('o1'), 'tools/call', { name: 'echo', arguments: {} })), '{}');
  assert.equal(server.calls('tools/call').at(-1)!.headers.authorization, 'Bearer token-2');
  server.once('tools/call', misbehaviours.unauthorized);
  server.once('tools/call', misbehaviours.unauthorized);
  await assert.rejects(bench.call('rec', bench.owner('o1'), 'tools/call', { name: 'echo', arguments: {} }), {
    code: 'upstream.credential',
  });
  issuer.expiresInS = 1;
  server.once('tools/call', misbehaviours.unauthorized);
  await bench.call('rec', bench.owner('o1'), 'ping');
  const before = issuer.grants.length;
  await new Promise((resolve) => setTimeout(resolve, 700));
  await bench.call('rec', bench.owner('o1'), 'ping');
  assert.ok(issuer.grants.length >= before);
  assert.doesNotMatch(server.bytes() + JSON.stringify(bench.log), /canarysecret/);
  await bench.upstreams.close();
  await server.close();
  await issuer.close();
});

test('a refused token is renewed for a question of era, a call and a stream of notices of the modern era too', async () => {
  const issuer = await startIssuer();
  const server = await startRecordingUpstream({ stateless: true });
  server.always('server/discover', modern);
  for (const method of ['server/discover', 'tools/call', 'subscriptions/listen']) server.once(method, misbehaviours.unauthorized);
  const credential = { kind: 'client_credentials', issuer: issuer.url, clientId: 'gw', clientSecret: 's' } as const;
  const bench = await rig([options('rec', server.url, { credential })]);
  assert.equal(bench.upstreams.status()[0]?.era, 'modern', bench.upstreams.status()[0]?.error);
  assert.equal(textOf(await bench.call('rec', bench.owner('a'), 'tools/call', { name: 'echo', arguments: {} })), '{}');
  await until(() => server.calls('subscriptions/listen').length >= 2);
  for (const method of ['server/discover', 'tools/call', 'subscriptions/listen']) {
    const used = server.calls(method).map(({ headers }) => headers.authorization);
    assert.notEqual(used[0], used[1], method);
  }
  assert.equal(server.calls('tools/call').length, 2);
  await bench.upstreams.close();
  await server.close();
  await issuer.close();
});

test('an issuer whose metadata names another issuer gets no secret', async () => {
  const issuer = await startIssuer();
  issuer.named = 'https://evil.example';
  const server = await startRecordingUpstream();
  const credential = { kind: 'client_credentials', issuer: issuer.url, clientId: 'gw', clientSecret: 's' } as const;
  const bench = await rig([options('rec', server.url, { credential })]);
  await assert.rejects(bench.call('rec', bench.owner('a'), 'ping'), { code: 'upstream.credential' });
  assert.deepEqual([issuer.grants, server.bytes()], [[], '']);
  await bench.upstreams.close();
  await server.close();
  await issuer.close();
});

test('a static credential goes to its upstream only, in its header', async () => {
  const server = await startRecordingUpstream();
  const bench = await rig([options('rec', server.url, { credential: { kind: 'static', header: 'X-Api-Key', value: 'k' } })]);
  await bench.call('rec', bench.owner('a'), 'ping');
  assert.ok(server.requests.every((request) => request.headers['x-api-key'] === 'k'));
  await bench.upstreams.close();
  await server.close();
});
