import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { formattedLine } from './format.ts';
import { SinkFault, type Sink, type SinkProduct, type SinkRecord, type SinkTarget } from './sink.ts';

type SyslogTarget = Extract<SinkTarget, { kind: 'syslog' }>;

/** Facility 13, log audit; severities 4 and 6. */
const facility = 13;
const severities = { warning: 4, informational: 6 } as const;
/** A private enterprise number for documentation, RFC 5612. */
const structuredId = 'castellan@32473';

/**
 * Writes RFC 5424 messages over TCP or TLS, each with its length before it (RFC 6587 section 3.4.1, RFC 5425 section 4.3.1). Syslog knows no answer: a batch
 * counts as taken when the connection has stood until all of it was handed to the network and the other side did not close it. What was
 * under way when a connection breaks is sent again.
 */
export function syslogSink(target: SyslogTarget, product: SinkProduct): Sink {
  let socket: Socket | undefined;
  const timeoutMs = product.timeoutMs ?? 10_000;
  const open = async (): Promise<Socket> => {
    if (socket !== undefined && !socket.destroyed && socket.writable) return socket;
    socket = await connected(target, timeoutMs);
    return socket;
  };
  return {
    send: async (batch) => {
      const current = await open();
      const text = batch.map((one) => framed(one, target, product)).join('');
      try {
        await written(current, text, timeoutMs);
      } catch (error) {
        current.destroy();
        throw error;
      }
    },
    close: async () => {
      const last = socket;
      if (last === undefined || last.destroyed) return;
      await new Promise<void>((ended) => {
        last.once('close', () => ended());
        last.end();
        setTimeout(() => last.destroy(), 500).unref();
      });
    },
  };
}

function framed(one: SinkRecord, target: SyslogTarget, product: SinkProduct): string {
  const message = syslogMessage(one, target, product);
  return `${Buffer.byteLength(message)} ${message}`;
}

/** One RFC 5424 message, without a frame. */
export function syslogMessage(one: SinkRecord, target: Pick<SyslogTarget, 'format'>, product: SinkProduct): string {
  const { record, seq, hash } = one;
  const isTrouble = record.decision?.effect === 'deny' || record.kind === 'refused';
  const priority = facility * 8 + (isTrouble ? severities.warning : severities.informational);
  const data = `[${structuredId} seq="${seq}" hash="${parameter(hash)}" tenant="${parameter(record.tenant)}"${record.call === undefined ? '' : ` call="${parameter(record.call)}"`}]`;
  return `<${priority}>1 ${record.at} ${printable(product.host, 255)} castellan ${process.pid} ${printable(record.kind, 32)} ${data} \ufeff${formattedLine(one, target.format, product)}`;
}

function printable(text: string, maxChars: number): string {
  return text.replace(/[^\x21-\x7e]/g, '_').slice(0, maxChars) || '-';
}

function parameter(text: string): string {
  return text.replace(/[\\"\]]/g, '\\$&').replace(/[\u0000-\u001f\u007f]/g, ' ');
}

function connected({ host, port, tls, ca }: SyslogTarget, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      socket.destroy();
      reject(new SinkFault(`\`${host}:${port}\` cannot be reached: ${error.message}`, { cause: error }));
    };
    const socket: Socket = tls
      ? connectTls({
          host,
          port,
          ...(isIP(host) === 0 ? { servername: host } : {}),
          minVersion: 'TLSv1.2',
          ...(ca === undefined ? {} : { ca }),
        })
      : connectTcp({ host, port });
    socket.setKeepAlive(true);
    socket.setTimeout(timeoutMs, () => fail(new Error('it takes too long')));
    socket.once('error', fail);
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      socket.setTimeout(0);
      socket.off('error', fail);
      socket.on('error', () => socket.destroy()); // the write that waits on it is told by its close
      socket.on('end', () => socket.destroy()); // the other side takes no more
      socket.resume();
      resolve(socket);
    });
  });
}

function written(socket: Socket, text: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(new Error('it takes too long')), timeoutMs);
    const closed = (): void => done(new Error('the connection was closed'));
    const done = (error?: Error | null): void => {
      clearTimeout(timer);
      socket.off('close', closed);
      if (error === undefined || error === null) resolve();
      else reject(new SinkFault(`syslog: ${error.message}`, { cause: error }));
    };
    socket.once('close', closed);
    // A turn of the loop after the write: a reset that had come meanwhile is known by then.
    socket.write(text, (error) => (error ? done(error) : setImmediate(() => (socket.destroyed ? closed() : done()))));
  });
}
