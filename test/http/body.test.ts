import assert from 'node:assert/strict';
import { createServer, IncomingMessage, type Server } from 'node:http';
import { connect, Socket, type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { isJson, readBody } from '../../src/http/body.ts';
import { GatewayError } from '../../src/model/errors.ts';

let server: Server;
let heard: string;
let settled: () => void;

before(async () => {
  server = createServer((request, response) => {
    void readBody(request, 10)
      .then((body) => `read ${body.toString()}`)
      .catch((error: unknown) => (error instanceof GatewayError ? error.code : 'another error'))
      .then((outcome) => {
        heard = outcome;
        response.writeHead(200, { connection: 'close' }).end();
        settled();
      });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
});
after(() => {
  server.closeAllConnections();
  server.close();
});

/** How a body is taken that is sent as `parts`; `end` cuts the connection after them. */
async function outcome(headers: string, parts: readonly string[], end = false): Promise<string> {
  const done = new Promise<void>((resolve) => (settled = resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`POST / HTTP/1.1\r\nhost: x\r\n${headers}\r\n\r\n`);
  for (const part of parts) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    socket.write(part);
  }
  if (end) socket.destroy();
  await done;
  socket.destroy();
  return heard;
}

test('a body within the bound is read whole, however it is cut', async () => {
  assert.equal(await outcome('content-length: 10', ['0123456789']), 'read 0123456789');
  assert.equal(await outcome('content-length: 10', ['01', '2345', '6789']), 'read 0123456789');
  assert.equal(await outcome('transfer-encoding: chunked', ['5\r\n01234\r\n', '5\r\n56789\r\n', '0\r\n\r\n']), 'read 0123456789');
  assert.equal(await outcome('content-length: 0', []), 'read ');
  assert.equal(await outcome('content-length: 2\r\ncontent-encoding: identity', ['{}']), 'read {}');
});

test('a body beyond the bound is refused: before it comes where it is announced, else at the first byte too many', async () => {
  assert.equal(await outcome('content-length: 11', []), 'body.too_large');
  assert.equal(await outcome('transfer-encoding: chunked', ['6\r\n012345\r\n', '5\r\n67890\r\n']), 'body.too_large');
});

test('a body that breaks off is refused', async () => {
  assert.equal(await outcome('content-length: 10', ['01234'], true), 'body.timeout');
  assert.equal(await outcome('transfer-encoding: chunked', ['5\r\n01'], true), 'body.timeout');
});

test('a compressed body is refused unread: nothing unfolds behind the bound', async () => {
  for (const coding of ['gzip', 'br', 'deflate', 'zstd', 'gzip, gzip', 'x'.repeat(200)])
    assert.equal(await outcome(`content-length: 2\r\ncontent-encoding: ${coding}`, []), 'body.media_type', coding);
});

test('only JSON in UTF-8 is JSON', () => {
  const typed = (type: string | undefined): boolean =>
    isJson(Object.assign(new IncomingMessage(new Socket()), { headers: type === undefined ? {} : { 'content-type': type } }));
  for (const type of [
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'application/json; profile=x',
  ])
    assert.equal(typed(type), true, type);
  for (const type of [
    undefined,
    '',
    'text/json',
    'application/json-rpc',
    'application/jsonx',
    'application/json; charset=utf-16',
    'application/json; charset=latin1',
    'application/json; charset=utf-8x',
    'text/plain; application/json',
  ])
    assert.equal(typed(type), false, type);
});
