import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readMessage } from '../../src/call/rpc.ts';
import { rawNumber, type Json } from '../../src/model/json.ts';

const base = { jsonrpc: '2.0' };

describe('a JSON-RPC message', () => {
  for (const [name, value, expected] of [
    ['a request', { ...base, id: 1, method: 'ping' }, { kind: 'request', id: 1, method: 'ping', params: undefined }],
    ['a request with a text id', { ...base, id: '', method: 'x', params: {} }, { kind: 'request', id: '', method: 'x', params: {} }],
    ['a notification', { ...base, method: 'n', params: { a: 1 } }, { kind: 'notification', method: 'n', params: { a: 1 } }],
    ['a result', { ...base, id: 2, result: {} }, { kind: 'response', id: 2, result: {} }],
    ['an error', { ...base, id: 2, error: { code: 1 } }, { kind: 'response', id: 2, error: { code: 1 } }],
  ] as const)
    it(`is read: ${name}`, () => assert.deepEqual(readMessage(value as unknown as Json), expected));

  for (const [name, value, code = 'rpc.invalid'] of [
    ['a batch', [{ ...base, id: 1, method: 'ping' }], 'rpc.batch'],
    ['an empty batch', [], 'rpc.batch'],
    ['null', null],
    ['text', 'ping'],
    ['no version', { id: 1, method: 'ping' }],
    ['version 1.0', { jsonrpc: '1.0', id: 1, method: 'ping' }],
    ['version as a number', { jsonrpc: 2, id: 1, method: 'ping' }],
    ['a further member', { ...base, id: 1, method: 'ping', extra: 1 }],
    ['a method that is no text', { ...base, id: 1, method: 5 }],
    ['an empty method', { ...base, id: 1, method: '' }],
    ['a very long method', { ...base, id: 1, method: 'm'.repeat(201) }],
    ['params as a list', { ...base, id: 1, method: 'x', params: [] }],
    ['params null', { ...base, id: 1, method: 'x', params: null }],
    ['id null', { ...base, id: null, method: 'x' }],
    ['id true', { ...base, id: true, method: 'x' }],
    ['id as a fraction', { ...base, id: 1.5, method: 'x' }],
    ['id beyond 2^53', { ...base, id: rawNumber('9007199254740993'), method: 'x' }],
    ['a very long id', { ...base, id: 'i'.repeat(257), method: 'x' }],
    ['a request that is a response too', { ...base, id: 1, method: 'x', result: {} }],
    ['a request that is an error too', { ...base, id: 1, method: 'x', error: {} }],
    ['neither request nor response', { ...base, id: 1 }],
    ['result and error', { ...base, id: 1, result: {}, error: {} }],
    ['a response with params', { ...base, id: 1, result: {}, params: {} }],
    ['a result that is no object', { ...base, id: 1, result: 5 }],
    ['an error that is no object', { ...base, id: 1, error: 'no' }],
    ['a response without an id', { ...base, result: {} }],
  ] as const)
    it(`is refused: ${name}`, () => assert.throws(() => readMessage(value), { code }));
});
