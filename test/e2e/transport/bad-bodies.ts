import { bad400, call, notJson, notRpc, params, text, twice, value, type BadRequest } from './bad-request.ts';
import { echoCall } from './rig.ts';

/** Bodies that are not one message that can be read in one way. */
export const badBodies: readonly BadRequest[] = [
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
];
