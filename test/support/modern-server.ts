import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { modernDefinition, type DefinitionEvents } from './modern-definition.ts';

/** A running server of the modern era. */
export interface ModernServer {
  readonly url: string;
  /** The headers and the body of each request, in the order in which they came. */
  readonly requests: readonly { readonly headers: Readonly<Record<string, string>>; readonly body: string }[];
  /** Another tool from now on; nobody is told. */
  addTool(tool: object): void;
  toolsChanged(): void;
  resourceUpdated(uri: string): void;
  close(): Promise<void>;
}

/** Serves the SDK's second version on a loopback port; `dual` also speaks the eras with sessions. */
export async function startModernServer(
  options: { readonly dual?: boolean; readonly events?: DefinitionEvents } = {},
): Promise<ModernServer> {
  const more: object[] = [];
  const handler = createMcpHandler(
    modernDefinition({ onTouch: (_server, uri) => handler.notify.resourceUpdated(uri), ...options.events }, more),
    { legacy: options.dual === true ? 'stateless' : 'reject' },
  );
  const requests: { headers: Record<string, string>; body: string }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    const leaving = new AbortController();
    response.on('close', () => leaving.abort());
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      requests.push({ headers, body });
      const { method = 'GET', url = '/' } = request;
      const asked = new Request(`http://${headers['host'] ?? ''}${url}`, {
        method,
        headers,
        signal: leaving.signal,
        ...(method === 'POST' ? { body } : {}),
      });
      void handler.fetch(asked).then((answer) => {
        response.writeHead(answer.status, Object.fromEntries(answer.headers));
        if (answer.body === null) return void response.end();
        response.flushHeaders();
        const stream = Readable.fromWeb(answer.body);
        // A client that leaves ends the stream; that is no fault of the server's.
        stream.on('error', () => response.destroy());
        response.on('close', () => stream.destroy());
        stream.pipe(response);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    requests,
    addTool: (tool) => void more.push(tool),
    toolsChanged: () => handler.notify.toolsChanged(),
    resourceUpdated: (uri) => handler.notify.resourceUpdated(uri),
    async close() {
      await handler.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
