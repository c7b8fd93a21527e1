import { createServer, type IncomingMessage, type Server as HttpServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import type { Digest } from '../../src/model/ids.ts';
import type { SinkProduct, SinkRecord } from '../../src/sinks/sink.ts';
import { isPrivateAddress, guardedLookup } from '../../src/upstream/private-network.ts';

export const product: SinkProduct = { version: '1.2.3', host: 'gateway-1', timeoutMs: 2_000 };
export const network = { isPrivate: isPrivateAddress, guardedLookup };

/** A record as a sink gets it. */
export function sinkRecord(seq: number, record: AuditRecord): SinkRecord {
  return { seq, hash: `sha256:${String(seq).padStart(64, '0')}` as Digest, record };
}

export interface Taken {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** Inflated where it was gzip. */
  readonly text: string;
}

/** An HTTP server that keeps what it is sent. `answer` says with which status; it may be started again at its port. */
export interface HttpReceiver {
  readonly port: number;
  readonly taken: readonly Taken[];
  answer: (taken: Taken) => { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string };
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startHttpReceiver(): Promise<HttpReceiver> {
  const taken: Taken[] = [];
  let server: HttpServer | undefined;
  let port = 0;
  const receiver: HttpReceiver = {
    get port() {
      return port;
    },
    taken,
    answer: () => ({ status: 200 }),
    start: async () => {
      server = createServer((request, response) => {
        const parts: Buffer[] = [];
        request.on('data', (part: Buffer) => parts.push(part));
        request.on('end', () => {
          const body = Buffer.concat(parts);
          const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString('utf8');
          const one = { path: request.url ?? '', headers: request.headers, body, text };
          const { status, headers, body: answer } = receiver.answer(one);
          if (status < 300) taken.push(one);
          response.writeHead(status, headers);
          response.end(answer ?? '');
        });
      });
      await new Promise<void>((ready) => server?.listen(port, '127.0.0.1', ready));
      port = (server.address() as AddressInfo).port;
    },
    stop: () =>
      new Promise((ended) => {
        server?.closeAllConnections();
        server?.close(() => ended());
      }),
  };
  await receiver.start();
  return receiver;
}

/** A syslog receiver that takes octet counting alone: a frame that is not `<length> <message>` breaks the connection and the test. */
export interface SyslogReceiver {
  readonly port: number;
  readonly messages: readonly string[];
  readonly faults: readonly string[];
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startSyslogReceiver(tls?: { readonly key: string; readonly cert: string }): Promise<SyslogReceiver> {
  const messages: string[] = [];
  const faults: string[] = [];
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    let waiting = Buffer.alloc(0);
    socket.on('error', () => undefined); // a client that goes away
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (part: Buffer) => {
      waiting = Buffer.concat([waiting, part]);
      for (;;) {
        const space = waiting.indexOf(0x20);
        if (space < 0 && waiting.length < 10) return;
        const length = waiting.subarray(0, Math.max(0, space)).toString('latin1');
        if (!/^[1-9]\d{0,8}$/.test(length)) {
          faults.push(`no length: ${waiting.subarray(0, 40).toString('latin1')}`);
          socket.destroy();
          return;
        }
        const end = space + 1 + Number(length);
        if (waiting.length < end) return;
        messages.push(waiting.subarray(space + 1, end).toString('utf8'));
        waiting = waiting.subarray(end);
      }
    });
  };
  const receiver: SyslogReceiver = {
    get port() {
      return port;
    },
    messages,
    faults,
    start: async () => {
      server = tls === undefined ? createTcpServer(serve) : createTlsServer(tls, serve);
      await new Promise<void>((ready) => server?.listen(port, '127.0.0.1', ready));
      port = (server.address() as AddressInfo).port;
    },
    stop: () =>
      new Promise((ended) => {
        for (const socket of sockets) socket.destroy();
        server?.close(() => ended());
      }),
  };
  await receiver.start();
  return receiver;
}
