import type { RequestListener, Server, ServerResponse } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { asGatewayError, GatewayError } from '../model/errors.ts';
import { nodeHttp } from '../model/node-http.ts';
import { adminRouter, type AdminPorts } from './admin.ts';
import { answerBrokenHttp, type OnBroken } from './broken-http.ts';
import { guard, passesGuard, type GuardOptions } from './guard.ts';
import { mcpEndpoint, type McpEndpoint, type McpEndpointPorts } from './mcp-endpoint.ts';

/** What health says of the whole: ready or not, and each part's state in words. */
export interface Readiness {
  readonly ready: boolean;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface ServerPorts {
  readonly guard: GuardOptions;
  readonly mcp: McpEndpointPorts;
  readonly admin: AdminPorts | undefined;
  /** RFC 9728 metadata of an endpoint; of the admin API for `undefined`. */
  readonly resourceMetadata: (endpoint: string | undefined) => Readonly<Record<string, unknown>> | undefined;
  /** The endpoint whose metadata the root document shows, for clients that look there: the only one, if there is only one. */
  readonly rootEndpoint: () => string | undefined;
  readonly metrics: (() => Promise<{ readonly contentType: string; readonly text: string }>) | undefined;
  readonly readiness: () => Promise<Readiness>;
  readonly failed: (error: unknown) => void;
}

/** An endpoint's path as clients write it; other spellings of it (escapes, other case, a slash behind) are the router's. */
const plainPath = /^\/mcp\/([\w-]+)$/;

/**
 * Every route of the gateway. A request to an endpoint on which the guard has nothing to say goes straight there: the router costs a call
 * as much CPU as judging it.
 */
export function createApp(ports: ServerPorts): RequestListener {
  const serve = mcpEndpoint(ports.mcp);
  const app = router(ports, serve);
  return (request, response) => {
    const endpoint = plainPath.exec(request.url ?? '')?.[1];
    if (endpoint === undefined || !passesGuard(ports.guard, request)) app(request as Request, response as Response);
    else serve(endpoint, request, response).catch((thrown: unknown) => failed(ports, thrown, response));
  };
}

function router(ports: ServerPorts, serve: McpEndpoint): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.get('/healthz', (_request, response) => void response.json({ status: 'ok' }));
  app.get('/readyz', async (_request, response) => {
    const { ready, detail } = await ports.readiness();
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not ready', ...detail });
  });
  const { metrics } = ports;
  if (metrics !== undefined) {
    app.get('/metrics', async (_request, response) => {
      const { contentType, text } = await metrics();
      response.type(contentType).send(text);
    });
  }
  app.use(guard(ports.guard));
  const metadata = (endpoint: string | undefined, response: Response): void => {
    const document = ports.resourceMetadata(endpoint);
    if (document === undefined) response.status(404).json({ error: { code: 'endpoint.unknown', message: 'there is no such endpoint' } });
    else response.json(document);
  };
  app.get('/.well-known/oauth-protected-resource/mcp/:endpoint', (request, response) => metadata(request.params.endpoint, response));
  app.get('/.well-known/oauth-protected-resource/admin/v1', (_request, response) => metadata(undefined, response));
  app.get('/.well-known/oauth-protected-resource', (_request, response) => {
    const root = ports.rootEndpoint();
    if (root === undefined)
      response.status(404).json({ error: { code: 'endpoint.unknown', message: 'ask below the path of an endpoint' } });
    else metadata(root, response);
  });
  app.all('/mcp/:endpoint', (request, response) => serve(request.params.endpoint, request, response));
  if (ports.admin !== undefined) app.use('/admin/v1', adminRouter(ports.admin));
  app.use(
    (_request, response) => void response.status(404).json({ error: { code: 'not_found', message: 'there is nothing at this path' } }),
  );
  app.use((thrown: unknown, request: Request, response: Response, _next: NextFunction) => {
    if (thrown instanceof URIError) {
      const error = new GatewayError('request.invalid', 'the path is not percent-encoded UTF-8');
      ports.guard.onRefusal(error, request);
      response.status(error.httpStatus).json({ error: { code: error.code, message: error.message } });
      return;
    }
    failed(ports, thrown, response);
  });
  return app;
}

/** What a route did not answer itself. An answer that has begun is cut off, so that nobody takes a part for the whole. */
function failed(ports: ServerPorts, thrown: unknown, response: ServerResponse): void {
  ports.failed(thrown);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const error: GatewayError = asGatewayError(thrown);
  const text = JSON.stringify({ error: { code: error.code, message: error.message } });
  response
    .writeHead(error.httpStatus, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) })
    .end(text);
}

/** Metrics alone, for a port of their own. */
export function metricsApp(metrics: NonNullable<ServerPorts['metrics']>): Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/metrics', async (_request, response) => {
    const { contentType, text } = await metrics();
    response.type(contentType).send(text);
  });
  return app;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly headerTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  /** Hears of each request that is none. Default: nobody. */
  readonly onBroken?: OnBroken;
}

/** A server that closes slow headers and bodies and takes no lenient HTTP; resolves once it listens. */
export function listen(app: RequestListener, options: ListenOptions): Promise<Server> {
  const server = nodeHttp.createServer(
    {
      headersTimeout: options.headerTimeoutMs,
      requestTimeout: options.bodyTimeoutMs,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 65_000,
      insecureHTTPParser: false,
      // The guard refuses a request without a host itself, so that it is recorded like any other.
      requireHostHeader: false,
      maxHeaderSize: 32_768,
      noDelay: true,
    },
    app,
  );
  answerBrokenHttp(server, options.onBroken ?? (() => undefined));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}
