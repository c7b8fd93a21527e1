import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** A wire between the program and its database that a test can cut, freeze and mend. */
export interface TcpProxy {
  readonly port: number;
  /** `open`: bytes pass. `cut`: connections are reset and refused. `frozen`: they are taken, and nothing passes. */
  set(state: 'open' | 'cut' | 'frozen'): void;
  close(): Promise<void>;
}

export async function tcpProxy(host: string, port: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let state = 'open';
  const server = createServer((client) => {
    if (state === 'cut') return void client.resetAndDestroy();
    const upstream = connect(port, host);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => to.write(bytes));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (state === 'frozen') from.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    set: (next) => {
      state = next;
      for (const socket of sockets) {
        if (next === 'cut') socket.resetAndDestroy();
        else if (next === 'frozen') socket.pause();
        else socket.resume();
      }
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
