import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { headerValue, mirroredHeaders, paramHeadersOf } from '../../src/upstream/mirrored-headers.ts';

/** As a server reads it. @see https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#value-encoding */
function decoded(value: string): string {
  const sentinel = /^=\?base64\?(.*)\?=$/s.exec(value);
  return sentinel === null ? value : Buffer.from(sentinel[1] ?? '', 'base64').toString('utf8');
}

test('a value goes out as the specification’s examples have it', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['us-west1', 'us-west1'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
    ['', ''],
  ];
  for (const [value, header] of rows) assert.equal(headerValue(value), header);
});

test('any text is carried whole, in characters that a header may have', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary-ascii' }),
    fc.string().map((inner) => `=?base64?${inner}?=`),
  );
  fc.assert(
    fc.property(text, (value) => {
      const header = headerValue(value);
      assert.match(header, /^(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?$/);
      assert.equal(decoded(header), value);
    }),
  );
});

test('arguments are taken from their very path, and only where they are of a kind that a header carries', () => {
  const string = { type: 'string' };
  const wanted = paramHeadersOf({
    type: 'object',
    properties: {
      region: { ...string, 'x-mcp-header': 'Region' },
      deep: { type: 'object', properties: { n: { type: 'integer', 'x-mcp-header': 'N' }, ok: { type: 'boolean', 'x-mcp-header': 'Ok' } } },
      constructor: { ...string, 'x-mcp-header': 'C' },
    },
  });
  const headersOf = (args: object): string[] => mirroredHeaders('tools/call', { name: 't', arguments: args as never }, wanted).slice(4);
  assert.deepEqual(headersOf({ region: 'eu', deep: { n: -7, ok: false } }), [
    'mcp-param-Region',
    'eu',
    'mcp-param-N',
    '-7',
    'mcp-param-Ok',
    'false',
  ]);
  assert.deepEqual(headersOf({ region: null, deep: { n: 1.5 } }), []);
  assert.deepEqual(headersOf({ deep: [{ n: 1 }], n: 1 }), []);
  assert.deepEqual(headersOf({}), []);
});

test('the name is that of the request’s own kind', () => {
  const rows: readonly (readonly [string, object | undefined, string | undefined])[] = [
    ['tools/call', { name: 'a' }, 'a'],
    ['prompts/get', { name: 'b' }, 'b'],
    ['resources/read', { uri: 'file:///c' }, 'file:///c'],
    ['tasks/get', { taskId: 'd' }, 'd'],
    ['tools/list', { name: 'e' }, undefined],
    ['tools/call', { uri: 'f' }, undefined],
    ['server/discover', undefined, undefined],
  ];
  for (const [method, params, name] of rows)
    assert.deepEqual(mirroredHeaders(method, params as never, []), [
      'mcp-method',
      method,
      ...(name === undefined ? [] : ['mcp-name', name]),
    ]);
});
