import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { modernVersion } from '../../../src/call/modern-meta.ts';
import { rawExchange, startRig, type Refusal, type Rig } from '../transport/rig.ts';
import { envelope, mirrored, ModernAgent } from './modern-agent.ts';

const mismatch: Refusal = { status: 400, rpc: -32020, code: 'http.header_mismatch' };
const badMeta: Refusal = { status: 400, rpc: -32602, code: 'protocol.meta' };
const unsupported: Refusal = { status: 400, rpc: -32022, code: 'protocol.unsupported' };

let rig: Rig;
let agent: ModernAgent;

before(async () => {
  rig = await startRig({
    prepare: (upstream) => {
      const properties = {
        region: { type: 'string', 'x-mcp-header': 'Region' },
        size: { type: 'integer', 'x-mcp-header': 'Size' },
        dry: { type: 'boolean', 'x-mcp-header': 'Dry' },
        at: { type: 'object', properties: { zone: { type: 'string', 'x-mcp-header': 'Zone' } } },
        text: { type: 'string' },
      };
      upstream.tools = [...upstream.tools, { name: 'mirror', inputSchema: { type: 'object', properties } }];
    },
  });
  agent = await ModernAgent.of(rig);
});
after(() => rig.close());

describe('headers that repeat the body', { concurrency: false }, () => {
  type Row = readonly [title: string, expected: Refusal, headers: Readonly<Record<string, string | string[] | undefined>>];
  const rows: readonly Row[] = [
    ['no version', mismatch, { 'mcp-protocol-version': undefined }],
    ['the version of a session', mismatch, { 'mcp-protocol-version': '2025-11-25' }],
    ['a version that nobody speaks', mismatch, { 'mcp-protocol-version': '2099-01-01' }],
    ['two versions', mismatch, { 'mcp-protocol-version': [modernVersion, modernVersion] }],
    ['a session as well', mismatch, { 'mcp-session-id': 'AAAAAAAAAAAAAAAAAAAAAA' }],
    ['no method', mismatch, { 'mcp-method': undefined }],
    ['another method', mismatch, { 'mcp-method': 'tools/list' }],
    ['the method in other letters', mismatch, { 'mcp-method': 'Tools/Call' }],
    ['the method twice', mismatch, { 'mcp-method': ['tools/call', 'tools/call'] }],
    [
      'the method encoded, which only names may be',
      mismatch,
      { 'mcp-method': `=?base64?${Buffer.from('tools/call').toString('base64')}?=` },
    ],
    ['no name', mismatch, { 'mcp-name': undefined }],
    ['another name', mismatch, { 'mcp-name': 'read' }],
    ['the name in other letters', mismatch, { 'mcp-name': 'Echo' }],
    ['two names', mismatch, { 'mcp-name': ['echo', 'read'] }],
    ['an encoded name that is another', mismatch, { 'mcp-name': `=?base64?${Buffer.from('read').toString('base64')}?=` }],
    ['an encoded name that is no base64', mismatch, { 'mcp-name': '=?base64?ZWNo*bw==?=' }],
    ['an encoded name with a loose end', mismatch, { 'mcp-name': '=?base64?ZWNobw?=' }],
  ];
  for (const [title, expected, headers] of rows)
    test(title, async () => {
      await rig.refused(title, expected, (canary) =>
        rig.http(agent.raw, agent.request('tools/call', { name: 'echo', arguments: { text: canary } }, { headers })),
      );
    });

  test('a name may be encoded, and white space around a value does not count', async () => {
    const encoded = `=?base64?${Buffer.from('echo').toString('base64')}?=`;
    assert.equal((await agent.call('echo', { text: 'a' }, { headers: { 'mcp-name': encoded } })).status, 200);
    assert.equal((await agent.call('echo', { text: 'a' }, { headers: { 'mcp-name': '  echo ' } })).status, 200);
    assert.equal((await agent.call('echo', { text: 'a' }, { headers: { 'mcp-param-other': 'unknown ones are let be' } })).status, 200);
  });

  const given = { region: 'eu', size: 7, dry: false, at: { zone: 'b' } };
  const right = { 'mcp-param-region': 'eu', 'mcp-param-size': '7', 'mcp-param-dry': 'false', 'mcp-param-zone': 'b' };
  const params: readonly (readonly [string, Readonly<Record<string, string | string[] | undefined>>])[] = [
    ['one is missing', { 'mcp-param-region': undefined }],
    ['a nested one is missing', { 'mcp-param-zone': undefined }],
    ['a string differs', { 'mcp-param-region': 'us' }],
    ['a string differs in case', { 'mcp-param-region': 'EU' }],
    ['a number differs', { 'mcp-param-size': '8' }],
    ['a number is written as something else', { 'mcp-param-size': '0x7' }],
    ['a boolean differs', { 'mcp-param-dry': 'true' }],
    ['one comes twice', { 'mcp-param-region': ['eu', 'us'] }],
    ['an encoded one differs', { 'mcp-param-region': `=?base64?${Buffer.from('us').toString('base64')}?=` }],
    ['an encoded one is no UTF-8', { 'mcp-param-region': '=?base64?/w==?=' }],
  ];
  for (const [title, headers] of params)
    test(`arguments: ${title}`, async () => {
      await rig.refused(title, mismatch, (canary) =>
        rig.http(
          agent.raw,
          agent.request('tools/call', { name: 'mirror', arguments: { ...given, text: canary } }, { headers: { ...right, ...headers } }),
        ),
      );
    });

  test('arguments: a header for what the arguments do not have', async () => {
    await rig.refused('absent', mismatch, (canary) =>
      rig.http(
        agent.raw,
        agent.request('tools/call', { name: 'mirror', arguments: { text: canary } }, { headers: { 'mcp-param-region': 'eu' } }),
      ),
    );
  });

  test('arguments that agree are called, encoded or not, with whole numbers in any writing; null and missing ones have no header', async () => {
    const odd = 'Grüße\n';
    const rows: readonly (readonly [object, Record<string, string>])[] = [
      [given, right],
      [given, { ...right, 'mcp-param-size': '7.0' }],
      [{ region: odd }, { 'mcp-param-region': `=?base64?${Buffer.from(odd).toString('base64')}?=` }],
      [{ text: 'nothing to repeat' }, {}],
    ];
    for (const [args, headers] of rows) {
      const answer = await agent.call('mirror', args, { headers });
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual(rig.upstream.calls('tools/call').at(-1)?.message.params.arguments, args);
    }
  });
});

describe('what a request says of itself', { concurrency: false }, () => {
  const metas: readonly (readonly [string, Refusal, unknown])[] = [
    ['no `_meta`', badMeta, undefined],
    ['no version', badMeta, { ...envelope(), 'io.modelcontextprotocol/protocolVersion': undefined }],
    ['no capabilities', badMeta, { ...envelope(), 'io.modelcontextprotocol/clientCapabilities': undefined }],
    ['capabilities that are a list', badMeta, { ...envelope(), 'io.modelcontextprotocol/clientCapabilities': [] }],
    ['client info that is text', badMeta, { ...envelope(), 'io.modelcontextprotocol/clientInfo': 'x' }],
    ['a log level that is none', badMeta, { ...envelope(), 'io.modelcontextprotocol/logLevel': 'loud' }],
    ['capabilities without end', badMeta, envelope({ experimental: { text: 'x'.repeat(9000) } })],
  ];
  for (const [title, expected, _meta] of metas)
    test(title, async () => {
      await rig.refused(title, expected, (canary) => {
        const params = { name: 'echo', arguments: { text: canary }, ...(_meta === undefined ? {} : { _meta }) };
        const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
        return rig.http(agent.raw, { headers: mirrored('tools/call', params), body });
      });
    });

  test('a revision that is not served names those that are', async () => {
    const answer = await rig.refused('unsupported', unsupported, (canary) => {
      const params = {
        name: 'echo',
        arguments: { text: canary },
        _meta: { ...envelope(), 'io.modelcontextprotocol/protocolVersion': '2099-01-01' },
      };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
      return rig.http(agent.raw, { headers: { ...mirrored('tools/call', params), 'mcp-protocol-version': '2099-01-01' }, body });
    });
    assert.deepEqual(answer.json.error.data, { supported: [modernVersion], requested: '2099-01-01' });
  });

  test('who the client is need not be said', async () => {
    const params = { name: 'echo', arguments: {}, _meta: { ...envelope(), 'io.modelcontextprotocol/clientInfo': undefined } };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    assert.equal((await rig.http(agent.raw, { headers: mirrored('tools/call', params), body })).status, 200);
  });

  test('a response is refused: nobody asked', async () => {
    const body = (canary: string): string => JSON.stringify({ jsonrpc: '2.0', id: 'q1', result: { canary } });
    await rig.refused('response', { status: 400, rpc: -32600, code: 'rpc.invalid' }, (canary) =>
      rig.http(agent.raw, { headers: { 'mcp-protocol-version': modernVersion }, body: body(canary) }),
    );
  });

  test('GET and DELETE are for sessions', async () => {
    for (const method of ['GET', 'DELETE'])
      await rig.refused(method, { status: 405, rpc: -32600, code: 'http.method' }, () =>
        rig.http(agent.raw, { method, headers: { 'mcp-protocol-version': modernVersion } }),
      );
  });
});

describe('methods that only sessions have', { concurrency: false }, () => {
  const methods: readonly (readonly [string, Record<string, unknown>])[] = [
    ['initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }],
    ['ping', {}],
    ['logging/setLevel', { level: 'debug' }],
    ['resources/subscribe', { uri: 'demo://x' }],
    ['resources/unsubscribe', { uri: 'demo://x' }],
    ['tools/forge', {}],
  ];
  for (const [method, params] of methods)
    test(`${method} is answered as unknown, with 404, and recorded`, async () => {
      const seq = await rig.lastSeq();
      const sent = rig.upstream.requests.length;
      const answer = await agent.send(method, params);
      assert.equal(answer.status, 404, answer.text);
      assert.equal(answer.json.error.code, -32601);
      assert.deepEqual(rig.upstream.requests.slice(sent), []);
      assert.deepEqual(
        (await rig.recordsAfter(seq)).map((record) => record.what?.method),
        [method],
      );
    });

  test('a method that is not of a session is unknown there', async () => {
    const old = await rig.agent();
    for (const method of ['server/discover', 'subscriptions/listen']) {
      const { error } = await old.request(method, { notifications: {} });
      assert.equal(error.code, -32601);
    }
  });

  test('a notification is taken, recorded and sent nowhere', async () => {
    const seq = await rig.lastSeq();
    const sent = rig.upstream.requests.length;
    const headers = { 'mcp-protocol-version': modernVersion, 'mcp-method': 'notifications/cancelled' };
    const body = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    assert.equal((await rig.http(agent.raw, { headers, body })).status, 202);
    assert.deepEqual(rig.upstream.requests.slice(sent), []);
    assert.deepEqual(
      (await rig.recordsAfter(seq)).map((record) => record.what?.method),
      ['notifications/cancelled'],
    );
  });
});

test('on a bare connection, a header that is folded or not ASCII never gets to a call', async () => {
  const { pathname, host } = new URL(agent.raw.url);
  const { body } = agent.request('tools/call', { name: 'echo', arguments: { text: 'canary-on-the-wire' } });
  const head = (name: string): string =>
    `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${agent.raw.token ?? ''}\r\nContent-Type: application/json\r\n` +
    `Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: ${modernVersion}\r\nMcp-Method: tools/call\r\n${name}\r\n` +
    `Content-Length: ${String(Buffer.byteLength(body))}\r\nConnection: close\r\n\r\n${body}`;
  for (const name of ['Mcp-Name: echo\u00e9', 'Mcp-Name: ec\r\n ho', 'Mcp-Name: echo\r\nMcp-Name: read', 'Mcp-Name:', 'Mcp-Name : echo']) {
    const said = await rawExchange(rig.gateway.url, [head(name)]);
    assert.match(said, /^HTTP\/1\.1 400 /, `${name}: ${said}`);
  }
  assert.ok(!rig.upstream.bytes().includes('canary-on-the-wire'));
  assert.match(await rawExchange(rig.gateway.url, [head('mCP-nAME:echo')]), /^HTTP\/1\.1 200 /);
});
