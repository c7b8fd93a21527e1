import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { errorTable, GatewayError, type ErrorCode } from '../../src/model/errors.ts';

const page = readFileSync(new URL('../../docs/reference/errors.md', import.meta.url), 'utf8');

it('the page of errors names every code of the table, in its order, with its HTTP status and JSON-RPC code', () => {
  const rows = [...page.matchAll(/^\| `([a-z_.]+)` \| (\d+) \| (-?\d+) \| (.+?) \| (.+?) \|$/gm)];
  const said = rows.map(([, code, http, rpc]) => [code, Number(http), Number(rpc)]);
  const table = Object.entries(errorTable).map(([code, { http, rpc }]) => [code, http, rpc]);
  assert.deepEqual(said, table);
  for (const [, code, , , meaning, cure] of rows) assert.ok((meaning ?? '').length > 10 && (cure ?? '').length > 5, code);
});

it('codes of our own lie outside what JSON-RPC and MCP reserve, and are told apart', () => {
  const reserved = new Set([-32700, -32600, -32601, -32602, -32603, -32002, -32020, -32021, -32022]);
  for (const code of Object.keys(errorTable) as ErrorCode[]) {
    const { rpcCode } = new GatewayError(code, 'x');
    assert.ok(reserved.has(rpcCode) || rpcCode > 0, code);
  }
  const own = Object.values(errorTable).flatMap(({ rpc }) => (rpc > 0 ? [rpc] : []));
  assert.deepEqual(
    own.filter((rpc, at) => own.indexOf(rpc) !== at),
    [4010],
    'only the two ways of not being signed in share a code',
  );
});
