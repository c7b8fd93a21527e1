import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../model/errors.ts';

/**
 * The whole body as bytes, never more than `maxBytes`. A body that is announced too large is refused before it is read; a compressed
 * one is refused too, so that nothing can unfold behind the limit.
 * @throws GatewayError `body.too_large`, `body.media_type`, `body.timeout`
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    return Promise.reject(
      new GatewayError('body.media_type', `content encoding \`${encoding.slice(0, 40)}\` is not accepted; send the body as it is`),
    );
  }
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.reject(tooLarge(maxBytes));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        request.pause();
        reject(tooLarge(maxBytes));
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.on('error', (cause) => reject(new GatewayError('body.timeout', 'the body did not arrive whole', { cause })));
    request.on('close', () => {
      if (!request.complete) reject(new GatewayError('body.timeout', 'the connection closed before the body was whole'));
    });
  });
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('body.too_large', `the body is larger than ${maxBytes} bytes`);
}

/** Whether the request says that its body is JSON in UTF-8 (no charset means UTF-8, RFC 8259). */
export function isJson(request: IncomingMessage): boolean {
  const type = request.headers['content-type'];
  if (type === 'application/json') return true;
  if (type === undefined) return false;
  const [essence, ...parameters] = type.toLowerCase().split(';');
  return (
    essence?.trim() === 'application/json' &&
    parameters.every((parameter) => !parameter.includes('charset') || /charset="?utf-8"?\s*$/.test(parameter))
  );
}
