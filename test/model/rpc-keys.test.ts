import assert from 'node:assert/strict';
import { it } from 'node:test';
import { assertRpcKeys } from '../../src/model/rpc-keys.ts';

for (const key of [
  'Params',
  'paramſ',
  'METHOD',
  'Id',
  'ID',
  'ıd',
  'İD',
  'jsonRPC',
  'ＪＳＯＮＲＰＣ',
  'reſult',
  'error\u200b',
  'para\u0301ms',
  ' id',
  'ｍｅｔｈｏｄ',
]) {
  it(`refuses a message with ${JSON.stringify(key)} beside the reserved names`, () => {
    assert.throws(() => assertRpcKeys({ jsonrpc: '2.0', [key]: 1 }), {
      code: 'rpc.invalid',
      message: /^the name `[\x20-\x7e]*` can be taken for `[a-z]+`/,
    });
  });
}

it('lets reserved names and unlike ones pass', () => {
  assertRpcKeys({ jsonrpc: '2.0', id: 1, method: 'ping', params: {}, result: {}, error: {}, _meta: {}, parameters: 1, ids: 2 });
});

it('guards another set of names in the same way', () => {
  assert.throws(() => assertRpcKeys({ Name: 'x' }, new Set(['name', 'arguments'])), { code: 'rpc.invalid' });
});
