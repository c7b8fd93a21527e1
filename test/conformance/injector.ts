import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A relay on loopback that adds one header and changes nothing else. */
export interface Injector {
  readonly origin: string;
  /** Where it relays to, and the Authorization header that it adds; until this is called it answers 503. */
  use(target: string, authorization: string): void;
  close(): Promise<void>;
}

/**
 * The suite cannot send a token. This stands in front of the gateway and adds one to each request. Method, path, Host, all other headers
 * and bodies pass as they are, in both directions and piece by piece; where one side goes away, the other is cut.
 */
export async function startInjector(): Promise<Injector> {
  let target: URL | undefined;
  let authorization = '';
  const server = createServer((incoming, outgoing) => {
    if (target === undefined) outgoing.writeHead(503).end();
    else relay(target, authorization, incoming, outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    use: (url, value) => {
      target = new URL(url);
      authorization = value;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function relay(target: URL, authorization: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const onward = request({
    host: target.hostname,
    port: target.port,
    method: incoming.method,
    path: incoming.url,
    headers: { ...incoming.headers, authorization },
  });
  onward.on('response', (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    // An event stream may be open long before its first event.
    outgoing.flushHeaders();
    answer.pipe(outgoing);
    answer.on('error', () => outgoing.destroy());
  });
  onward.on('error', () => {
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(502).end();
  });
  outgoing.on('close', () => onward.destroy());
  incoming.pipe(onward);
}
