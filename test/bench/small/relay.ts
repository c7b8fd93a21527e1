/** The floor of the small comparison: passes requests on with undici and does nothing else. Prints its port; `/cpu` tells its CPU time in ms. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';

const pool = new Pool(`http://127.0.0.1:${process.argv[2] ?? ''}`, { connections: 64, pipelining: 1 });
const kept = ['content-type', 'accept', 'mcp-session-id', 'mcp-protocol-version'];

const server = createServer((request, response) => {
  if (request.url === '/cpu') {
    const { user, system } = process.cpuUsage();
    response.end(String((user + system) / 1_000));
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const headers = Object.fromEntries(kept.map((name) => [name, request.headers[name]]).filter(([, value]) => value !== undefined));
    pool
      .stream({ path: '/mcp', method: 'POST', headers: headers as Record<string, string>, body: Buffer.concat(chunks) }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers as Record<string, string>);
        return response;
      })
      .catch(() => response.destroy());
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
