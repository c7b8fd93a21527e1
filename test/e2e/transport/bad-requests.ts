import { gzipSync } from 'node:zlib';
import { bad400, call, nested, notRpc, text, unknownArgs, value, type BadRequest } from './bad-request.ts';
import { echoCall } from './rig.ts';

/** Requests that are too large, say the wrong thing on themselves, or are about nothing that is there. 4096 bytes and a depth of 16 are taken. */
export const badRequests: readonly BadRequest[] = [
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
  ['a GET without a session', { status: 405, code: 'http.method' }, () => ({ method: 'GET', headers: { 'mcp-session-id': undefined } })],
  [
    'a GET that takes no event stream',
    { status: 406, code: 'http.not_acceptable' },
    () => ({ method: 'GET', headers: { accept: 'application/json' } }),
  ],
  [
    'a DELETE without a session',
    { status: 405, code: 'http.method' },
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
    'the version of the other era, in a session',
    bad400('http.header_mismatch', -32020),
    (canary) => ({ body: call(canary), headers: { 'mcp-protocol-version': '2026-07-28' } }),
  ],
  [
    'a request of the other era without its header',
    bad400('http.header_mismatch', -32020),
    (canary) => ({ body: JSON.stringify(modern(canary)), headers: { 'mcp-session-id': undefined } }),
  ],
  ['a request of either era', bad400('http.header_mismatch', -32020), (canary) => ({ body: JSON.stringify(modern(canary)) })],
  [
    'an opening of either era',
    bad400('http.header_mismatch', -32020),
    (canary) => ({ body: JSON.stringify(opening(canary)), headers: { 'mcp-session-id': undefined, 'mcp-protocol-version': '2026-07-28' } }),
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
