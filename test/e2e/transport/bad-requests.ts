import { gzipSync } from 'node:zlib';
import type { RawAgent } from '../../support/gateway.ts';
import { echoCall, type HttpRequest, type Refusal } from './rig.ts';

const bad400 = (code: string, rpc: number): Refusal => ({ status: 400, code, rpc });
const notJson = bad400('json.invalid', -32700);
const notRpc = bad400('rpc.invalid', -32600);
const twice = bad400('json.duplicate_key', -32700);
const unknownArgs: Refusal = { status: 200, code: 'rpc.params', rpc: -32602 };

/** Makes the request of a row around its canary; `agent` has an open session. */
type Make = (canary: string, agent: RawAgent) => HttpRequest;
const text =
  (make: (canary: string) => string): Make =>
  (canary) => ({ body: make(canary) });
const value =
  (make: (canary: string) => unknown): Make =>
  (canary) => ({ body: JSON.stringify(make(canary)) });
const call = (canary: string): string => JSON.stringify(echoCall(canary));
const params = (canary: string): string => `"params":{"name":"echo","arguments":{"text":"${canary}"}}`;
const nested = (depth: number, canary: string): string => `${'{"a":'.repeat(depth)}"${canary}"${'}'.repeat(depth)}`;

/** Requests that end in an error: title, how they end, and how they are made. The gateway takes 4096 bytes and a depth of 16. */
export const badRequests: readonly (readonly [string, Refusal, Make])[] = [
  // Bytes that are not one JSON value in UTF-8.
  ['an empty body', notJson, text(() => '')],
  ['a truncated body', notJson, text((canary) => call(canary).slice(0, -2))],
  ['trailing garbage', notJson, text((canary) => `${call(canary)}x`)],
  ['two messages in a row', notJson, text((canary) => `${call(canary)}\n${call(canary)}`)],
  ['a single-quoted body', notJson, text((canary) => call(canary).replaceAll('"', "'"))],
  ['a comment', notJson, text((canary) => `${call(canary)}//`)],
  ['a byte order mark', notJson, text((canary) => `\ufeff${call(canary)}`)],
  ['UTF-16 without saying so', notJson, (canary) => ({ body: Buffer.from(call(canary), 'utf16le') })],
  ['UTF-16 with a mark', notJson, (canary) => ({ body: Buffer.from(`\ufeff${call(canary)}`, 'utf16le') })],
  [
    'UTF-16 that says so',
    { status: 415, code: 'body.media_type' },
    (canary) => ({ body: Buffer.from(call(canary), 'utf16le'), headers: { 'content-type': 'application/json; charset=utf-16' } }),
  ],
  ['invalid UTF-8', notJson, (canary) => ({ body: Buffer.from(call(`${canary}\u00ff`), 'latin1') })],
  ['overlong UTF-8', notJson, (canary) => ({ body: Buffer.from(call(`${canary}\u00c0\u00af`), 'latin1') })],
  ['a lone surrogate', notJson, text((canary) => call(`${canary}X`).replace('X', '\\ud800'))],
  ['a raw line break in a string', notJson, text((canary) => call(`${canary}X`).replace('X', '\n'))],
  ['NaN', notJson, text((canary) => call(canary).replace('"id":1', '"id":NaN'))],
  // Keys that two parsers read in two ways.
  ['a duplicate method', twice, text((canary) => `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call",${params(canary)}}`)],
  [
    'a duplicate params',
    twice,
    text((canary) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"},${params(canary)}}`),
  ],
  [
    'a duplicate tool name',
    twice,
    text(
      (canary) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","name":"echo","arguments":{"text":"${canary}"}}}`,
    ),
  ],
  [
    'a duplicate argument',
    twice,
    text((canary) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x","text":"${canary}"}}}`),
  ],
  [
    'a duplicate key deep inside',
    twice,
    text(
      (canary) =>
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"o":[{"p":{"k":1,"k":"${canary}"}}]}}}`,
    ),
  ],
  [
    'a duplicate key in another spelling',
    twice,
    text(
      (canary) =>
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x","te\\u0078t":"${canary}"}}}`,
    ),
  ],
  [
    '`__proto__` at the top',
    bad400('json.forbidden_key', -32700),
    text((canary) => `{"__proto__":{"a":1},"jsonrpc":"2.0","id":1,"method":"tools/call",${params(canary)}}`),
  ],
  [
    '`__proto__` in the arguments',
    bad400('json.forbidden_key', -32700),
    text(
      (canary) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"__proto__":{"text":"${canary}"}}}}`,
    ),
  ],
  [
    '`__proto__` in another spelling',
    bad400('json.forbidden_key', -32700),
    text(
      (canary) =>
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"__pr\\u006fto__":{"text":"${canary}"}}}}`,
    ),
  ],
  ...['Params', 'PARAMS', 'param\u017f', 'ｐａｒａｍｓ', 'para\u200bms', 'Method', 'ID', 'JSONRPC', 'Result', 'Error'].map(
    (key) =>
      [
        `\`${key}\` beside the reserved names`,
        notRpc,
        text((canary) => `{"${key}":{"name":"echo","arguments":{"text":"${canary}"}},"jsonrpc":"2.0","id":1,"method":"ping"}`),
      ] as const,
  ),
  ...['Name', 'NAME', 'Arguments', 'argument\u017f', 'ＮＡＭＥ', '_Meta'].map(
    (key) =>
      [
        `\`${key}\` beside the params of a call`,
        notRpc,
        value((canary) => ({ ...echoCall(canary), params: { name: 'echo', arguments: {}, [key]: canary } })),
      ] as const,
  ),
  [
    '`URI` beside `uri`',
    notRpc,
    value((canary) => ({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'a:b', URI: canary } })),
  ],
  ['a member that JSON-RPC does not know', notRpc, value((canary) => ({ ...echoCall(canary), extra: canary }))],
  // What is not one message.
  ['a batch', bad400('rpc.batch', -32600), value((canary) => [echoCall(canary)])],
  [
    'a batch of two, one allowed',
    bad400('rpc.batch', -32600),
    value((canary) => [{ jsonrpc: '2.0', id: 1, method: 'ping' }, echoCall(canary, 2)]),
  ],
  ['an empty batch', bad400('rpc.batch', -32600), text(() => '[]')],
  ['a string', notRpc, value((canary) => canary)],
  ['a number', notRpc, text(() => '1')],
  ['null', notRpc, text(() => 'null')],
  ['an empty object', notRpc, text(() => '{}')],
  ['no jsonrpc', notRpc, value((canary) => ({ ...echoCall(canary), jsonrpc: undefined }))],
  ['jsonrpc 1.0', notRpc, value((canary) => ({ ...echoCall(canary), jsonrpc: '1.0' }))],
  ['jsonrpc as a number', notRpc, value((canary) => ({ ...echoCall(canary), jsonrpc: 2 }))],
  ['method and result', notRpc, value((canary) => ({ ...echoCall(canary), result: {} }))],
  ['method and error', notRpc, value((canary) => ({ ...echoCall(canary), error: { code: 1, message: 'x' } }))],
  ['result and error', notRpc, value((canary) => ({ jsonrpc: '2.0', id: 1, result: { canary }, error: { code: 1, message: 'x' } }))],
  ['an answer that nobody asked for', notRpc, value((canary) => ({ jsonrpc: '2.0', id: 'q1', result: { canary } }))],
  ['an error without an id', notRpc, value((canary) => ({ jsonrpc: '2.0', error: { code: 1, message: canary } }))],
  ['a null id', notRpc, value((canary) => echoCall(canary, null))],
  ['a fractional id', notRpc, value((canary) => echoCall(canary, 1.5))],
  ['an id beyond 2^53', notRpc, text((canary) => call(canary).replace('"id":1', '"id":9007199254740993'))],
  ['an id of 10^400', notRpc, text((canary) => call(canary).replace('"id":1', '"id":1e400'))],
  ['an id that is an object', notRpc, value((canary) => echoCall(canary, { a: 1 }))],
  ['an id that is true', notRpc, value((canary) => echoCall(canary, true))],
  ['an id of 1000 characters', notRpc, value((canary) => echoCall(canary, 'i'.repeat(1000)))],
  ['a method that is a number', notRpc, value((canary) => ({ ...echoCall(canary), method: 7 }))],
  ['an empty method', notRpc, value((canary) => ({ ...echoCall(canary), method: '' }))],
  ['a method of 1000 characters', notRpc, value((canary) => ({ ...echoCall(canary), method: 'm'.repeat(1000) }))],
  ['params as an array', notRpc, value((canary) => ({ ...echoCall(canary), params: [canary] }))],
  ['params as null', notRpc, value((canary) => ({ ...echoCall(canary), params: null }))],
  // Size and depth.
  ['an oversized body that is announced', { status: 413, code: 'body.too_large' }, (canary) => ({ body: call(canary + 'x'.repeat(8000)) })],
  [
    'an oversized body in chunks',
    { status: 413, code: 'body.too_large' },
    (canary) => ({ body: call(canary + 'x'.repeat(8000)), chunked: true }),
  ],
  [
    'a body that is too deep',
    bad400('json.too_deep', -32700),
    text((canary) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${nested(20, canary)}}}`),
  ],
  ['brackets only, too deep', bad400('json.too_deep', -32700), text(() => '['.repeat(4000))],
  // Headers.
  [
    'a gzip body',
    { status: 415, code: 'body.media_type' },
    (canary) => ({ body: gzipSync(call(canary)), headers: { 'content-encoding': 'gzip' } }),
  ],
  ['text/plain', { status: 415, code: 'body.media_type' }, (canary) => ({ body: call(canary), headers: { 'content-type': 'text/plain' } })],
  [
    'a form',
    { status: 415, code: 'body.media_type' },
    (canary) => ({ body: call(canary), headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
  ],
  [
    'JSON of another kind',
    { status: 415, code: 'body.media_type' },
    (canary) => ({ body: call(canary), headers: { 'content-type': 'application/json-seq' } }),
  ],
  [
    'no content type',
    { status: 415, code: 'body.media_type' },
    (canary) => ({ body: call(canary), headers: { 'content-type': undefined } }),
  ],
  [
    'an Accept that takes neither',
    { status: 406, code: 'http.not_acceptable' },
    (canary) => ({ body: call(canary), headers: { accept: 'text/html' } }),
  ],
  [
    'an Expect that is not known',
    { status: 417, code: 'request.invalid' },
    (canary) => ({ body: call(canary), headers: { expect: 'miracles' } }),
  ],
  [
    'a Host that is not ours',
    { status: 403, code: 'http.host' },
    (canary) => ({ body: call(canary), headers: { host: 'rebound.example' } }),
  ],
  [
    'our Host with another port',
    { status: 403, code: 'http.host' },
    (canary) => ({ body: call(canary), headers: { host: '127.0.0.1:1' } }),
  ],
  [
    'our Host with a suffix',
    { status: 403, code: 'http.host' },
    (canary, agent) => ({ body: call(canary), headers: { host: `${new URL(agent.url).host}.example` } }),
  ],
  [
    'an Origin that is not listed',
    { status: 403, code: 'http.origin' },
    (canary) => ({ body: call(canary), headers: { origin: 'https://evil.example' } }),
  ],
  ['the Origin `null`', { status: 403, code: 'http.origin' }, (canary) => ({ body: call(canary), headers: { origin: 'null' } })],
  [
    'an Origin that begins like one of ours',
    { status: 403, code: 'http.origin' },
    (canary) => ({ body: call(canary), headers: { origin: 'https://console.example.evil.example' } }),
  ],
  ['an endpoint that is not there', { status: 404, code: 'endpoint.unknown' }, (canary) => ({ body: call(canary), path: '/mcp/other' })],
  ['the endpoint `__proto__`', { status: 404, code: 'endpoint.unknown' }, (canary) => ({ body: call(canary), path: '/mcp/__proto__' })],
  ['a path that is not UTF-8', { status: 400, code: 'request.invalid' }, (canary) => ({ body: call(canary), path: '/mcp/%ff' })],
  [
    'no session',
    { status: 400, code: 'session.required', rpc: -32600 },
    (canary) => ({ body: call(canary), headers: { 'mcp-session-id': undefined } }),
  ],
  [
    'an unknown session',
    { status: 404, code: 'session.unknown' },
    (canary) => ({ body: call(canary), headers: { 'mcp-session-id': 'AAAAAAAAAAAAAAAAAAAAAA' } }),
  ],
  [
    'two session ids',
    { status: 404, code: 'session.unknown' },
    (canary, agent) => ({ body: call(canary), headers: { 'mcp-session-id': [agent.session ?? '', 'x'] } }),
  ],
  [
    'a GET without a session',
    { status: 400, code: 'session.required' },
    () => ({ method: 'GET', headers: { 'mcp-session-id': undefined } }),
  ],
  [
    'a GET that takes no event stream',
    { status: 406, code: 'http.not_acceptable' },
    () => ({ method: 'GET', headers: { accept: 'application/json' } }),
  ],
  [
    'a DELETE without a session',
    { status: 400, code: 'session.required' },
    () => ({ method: 'DELETE', headers: { 'mcp-session-id': undefined } }),
  ],
  ...['PUT', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE'].map(
    (method) => [`the HTTP method ${method}`, { status: 405, code: 'http.method' }, () => ({ method })] as const,
  ),
  // Eras.
  [
    'a version that is not served',
    bad400('protocol.version', -32600),
    (canary) => ({ body: call(canary), headers: { 'mcp-protocol-version': '2099-01-01' } }),
  ],
  [
    'the version of the next era',
    bad400('protocol.version', -32600),
    (canary) => ({ body: call(canary), headers: { 'mcp-protocol-version': '2026-07-28' } }),
  ],
  [
    'a request of the next era',
    bad400('protocol.version', -32600),
    (canary) => ({
      body: JSON.stringify(modern(canary)),
      headers: { 'mcp-session-id': undefined, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'echo' },
    }),
  ],
  [
    'a request of the next era without its header',
    bad400('protocol.version', -32600),
    (canary) => ({ body: JSON.stringify(modern(canary)), headers: { 'mcp-session-id': undefined } }),
  ],
  ['a request of either era', bad400('protocol.version', -32600), (canary) => ({ body: JSON.stringify(modern(canary)) })],
  [
    'an opening of either era',
    bad400('protocol.version', -32600),
    (canary) => ({ body: JSON.stringify(opening(canary)), headers: { 'mcp-session-id': undefined, 'mcp-protocol-version': '2026-07-28' } }),
  ],
  [
    'the discovery of the next era',
    bad400('protocol.version', -32600),
    (canary) => ({
      body: JSON.stringify({ ...modern(canary), method: 'server/discover' }),
      headers: { 'mcp-session-id': undefined, 'mcp-protocol-version': '2026-07-28' },
    }),
  ],
  ['an opening within a session', notRpc, (canary) => ({ body: JSON.stringify(opening(canary)) })],
  [
    'an opening that names no version',
    { status: 200, code: 'rpc.params', rpc: -32602 },
    (canary) => ({ body: JSON.stringify({ ...opening(canary), params: { canary } }), headers: { 'mcp-session-id': undefined } }),
  ],
  // Well-formed, and about nothing that is there.
  [
    'a tool that is not there',
    { status: 200, code: 'target.unknown', rpc: -32602 },
    value((canary) => ({ ...echoCall(canary), params: { name: canary } })),
  ],
  [
    'the tool `constructor`',
    { status: 200, code: 'target.unknown', rpc: -32602 },
    value((canary) => ({ ...echoCall(canary), params: { name: 'constructor', arguments: { canary } } })),
  ],
  ['a call without a name', unknownArgs, value((canary) => ({ ...echoCall(canary), params: { arguments: { canary } } }))],
  ['arguments that are an array', unknownArgs, value((canary) => ({ ...echoCall(canary), params: { name: 'echo', arguments: [canary] } }))],
  [
    'params that tools/call does not have',
    unknownArgs,
    value((canary) => ({ ...echoCall(canary), params: { name: 'echo', arguments: {}, inputResponses: { canary } } })),
  ],
  [
    'a prompt that is not there',
    { status: 200, code: 'target.unknown', rpc: -32602 },
    value((canary) => ({ jsonrpc: '2.0', id: 1, method: 'prompts/get', params: { name: canary } })),
  ],
  [
    'a resource that is not there',
    { status: 200, code: 'resource.unknown', rpc: -32002 },
    value((canary) => ({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: `x://${canary}` } })),
  ],
  [
    'a notification sent as a request',
    { status: 200, code: 'rpc.method_unknown', rpc: -32601 },
    value((canary) => ({ jsonrpc: '2.0', id: 1, method: 'notifications/cancelled', params: { canary } })),
  ],
  [
    'a question of a server, asked by an agent',
    { status: 200, code: 'rpc.method_unknown', rpc: -32601 },
    value((canary) => ({ jsonrpc: '2.0', id: 1, method: 'sampling/createMessage', params: { canary } })),
  ],
];

function modern(canary: string): object {
  const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { text: canary }, _meta: meta } };
}

function opening(canary: string): object {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: canary, version: '1' } };
  return { jsonrpc: '2.0', id: 1, method: 'initialize', params };
}
