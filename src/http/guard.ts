import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { GatewayError } from '../model/errors.ts';
import type { OnBroken } from './broken-http.ts';

/** Which names this server goes by, and which pages may call it. */
export interface GuardOptions {
  readonly allowedHosts: () => ReadonlySet<string>;
  readonly allowedOrigins: () => ReadonlySet<string>;
  /** Hears of each refusal, so that it is recorded. */
  readonly onRefusal: OnBroken;
}

const corsHeaders = 'authorization, content-type, accept, mcp-session-id, mcp-protocol-version, last-event-id, traceparent';

/** Whether {@link guard} lets a request pass and says nothing on its answer: its host is served, and it comes from no browser's page. */
export function passesGuard(options: GuardOptions, { headers }: IncomingMessage): boolean {
  return headers.origin === undefined && headers.host !== undefined && options.allowedHosts().has(headers.host.toLowerCase());
}

/**
 * Host and Origin before anything else: a page that rebinds a name to this address is turned away with 403, and a browser's page may
 * call only from an origin that the configuration lists.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#security-warning
 */
export function guard(options: GuardOptions): (request: Request, response: Response, next: NextFunction) => void {
  return (request, response, next) => {
    if (passesGuard(options, request)) {
      next();
      return;
    }
    const host = request.headers.host?.toLowerCase() ?? '';
    if (host === '') {
      refuse(options, request, response, new GatewayError('request.invalid', 'the `host` header is missing'));
      return;
    }
    if (!options.allowedHosts().has(host)) {
      refuse(
        options,
        request,
        response,
        new GatewayError('http.host', 'this host name is not served here; add it to `listen.allowed_hosts`'),
      );
      return;
    }
    const { origin = '' } = request.headers;
    if (!options.allowedOrigins().has(origin.toLowerCase())) {
      refuse(options, request, response, new GatewayError('http.origin', 'this origin may not call; add it to `listen.allowed_origins`'));
      return;
    }
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('vary', 'origin');
    response.setHeader('access-control-expose-headers', 'mcp-session-id, mcp-protocol-version, www-authenticate');
    if (request.method !== 'OPTIONS') {
      next();
      return;
    }
    response
      .writeHead(204, {
        'access-control-allow-methods': 'GET, POST, DELETE',
        'access-control-allow-headers': corsHeaders,
        'access-control-max-age': '600',
      })
      .end();
  };
}

function refuse(options: GuardOptions, request: Request, response: Response, error: GatewayError): void {
  options.onRefusal(error, request);
  if (!request.complete) response.setHeader('connection', 'close');
  response.status(error.httpStatus).json({ jsonrpc: '2.0', id: null, error: { code: error.rpcCode, message: error.message } });
}
