import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { GatewayError } from '../model/errors.ts';

/** Hears of a request that never became one; `from` has what is known of its sender. */
export type OnBroken = (
  error: GatewayError,
  from: { readonly socket: Pick<Socket, 'remoteAddress'>; readonly originalUrl: string },
) => void;

interface Answer {
  readonly line: string;
  readonly error: GatewayError;
}

/** What Node's parser refuses, by its code; everything else is a plain bad request. */
const answers: Readonly<Record<string, Answer>> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    line: '408 Request Timeout',
    error: new GatewayError('body.timeout', 'the request did not arrive whole in time'),
  },
  HPE_HEADER_OVERFLOW: {
    line: '431 Request Header Fields Too Large',
    error: new GatewayError('request.invalid', 'the headers are too large'),
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    line: '413 Payload Too Large',
    error: new GatewayError('body.too_large', 'the chunk extensions are too large'),
  },
};
const badRequest: Answer = { line: '400 Bad Request', error: new GatewayError('request.invalid', 'the bytes are not one HTTP request') };

/**
 * Answers bytes that are no HTTP request (a request that could be read in two ways, headers that drip) and closes the connection, as Node
 * does itself; and tells, so that each is recorded once. A connection that was cut, or never said anything, is no request.
 */
export function answerBrokenHttp(server: Server, onBroken: OnBroken): void {
  const open = new WeakMap<Socket, ServerResponse>();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => void open.set(request.socket, response));
  server.on('clientError', (fault: NodeJS.ErrnoException, socket) => {
    if (!(socket instanceof Socket)) return void socket.destroy();
    const { line, error } = answers[fault.code ?? ''] ?? badRequest;
    const response = open.get(socket);
    // A request whose body breaks off has a handler already, which records it; its answer may have begun.
    const isHandled = response !== undefined && !response.writableEnded;
    if (!isHandled && fault.code !== 'ECONNRESET' && fault.code !== 'EPIPE' && socket.bytesRead > 0)
      onBroken(error, { socket, originalUrl: '' });
    if (socket.writable && !(isHandled && response.headersSent)) socket.end(`HTTP/1.1 ${line}\r\nConnection: close\r\n\r\n`);
    socket.destroySoon();
  });
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    onBroken(new GatewayError('request.invalid', 'only `expect: 100-continue` is served'), {
      socket: request.socket,
      originalUrl: request.url ?? '',
    });
    response.writeHead(417, { connection: 'close' }).end();
  });
}
