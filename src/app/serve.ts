import type { Server } from 'node:http';
import type { Config } from '../config/schema-types.ts';
import { createApp, listen, metricsApp, type ServerPorts } from '../http/server.ts';
import type { GatewayError } from '../model/errors.ts';
import { parseStrict } from '../model/strict-json.ts';
import type { openAdminPorts } from './admin.ts';
import { readiness, type RunState } from './readiness.ts';
import type { Rooms, Undo } from './rooms.ts';

/** Listens: the MCP endpoints and what belongs to them, and metrics on a port of their own where one is configured. */
export async function serve(
  rooms: Rooms,
  config: Config,
  control: { reload: () => Promise<unknown>; state: () => RunState },
  undo: Undo,
): Promise<Server> {
  const { host, port } = config.listen;
  const timeouts = { headerTimeoutMs: config.limits.header_timeout_ms, bodyTimeoutMs: config.limits.body_timeout_ms };
  const { metrics } = rooms.observation;
  const render = async (): Promise<{ contentType: string; text: string }> => ({
    contentType: metrics.contentType,
    text: await metrics.render(),
  });
  if (config.metrics.enabled && config.metrics.port !== undefined) {
    const own = await listen(metricsApp(render), { host: config.metrics.host, port: config.metrics.port, ...timeouts });
    undo.push(() => closeServer(own, 0));
  }
  const admin = config.admin === undefined ? undefined : (await import('./admin.ts')).openAdminPorts;
  const ports = portsOf(rooms, config, control, admin, config.metrics.enabled && config.metrics.port === undefined ? render : undefined);
  const server = await listen(createApp(ports), { host, port, ...timeouts, onBroken: ports.guard.onRefusal });
  undo.push(() => closeServer(server, 0));
  return server;
}

function portsOf(
  rooms: Rooms,
  config: Config,
  { reload, state }: { reload: () => Promise<unknown>; state: () => RunState },
  admin: typeof openAdminPorts | undefined,
  metrics: ServerPorts['metrics'],
): ServerPorts {
  const { live, pipeline, sessions, endpoints, observation } = rooms;
  const { log, observer } = observation;
  const parse = (bytes: Uint8Array): ReturnType<typeof parseStrict> => parseStrict(bytes, { maxDepth: live.now.config.limits.json_depth });
  const refused = (
    error: GatewayError,
    request: { readonly originalUrl: string; readonly socket: { readonly remoteAddress?: string | undefined } },
  ): void => {
    const arrival = { receivedAtMs: Date.now(), ip: request.socket.remoteAddress ?? '', userAgent: '', traceId: undefined, bytes: 0 };
    pipeline.refuse(error, { endpoint: request.originalUrl.slice(0, 100), tenant: config.tenant, arrival });
  };
  const ready = (): ReturnType<typeof readiness> => readiness(rooms, state());
  return {
    guard: { allowedHosts: () => live.now.hosts, allowedOrigins: () => live.now.origins, onRefusal: refused },
    mcp: {
      pipeline,
      sessions,
      authenticate: (request) => live.now.doors.authenticate(request),
      challenge: (error, endpoint) => live.now.doors.challenge(error, endpoint),
      hasEndpoint: (name) => endpoints.has(name),
      parse,
      limits: () => ({ bodyBytes: live.now.config.limits.body_bytes }),
      tenant: () => config.tenant,
      listen: ({ session }, active) => pipeline.listen(session, active),
      stage: (name, elapsedMs) => observer.stage(name, elapsedMs),
      tracer: rooms.tracer,
      now: Date.now,
    },
    admin: admin?.({
      ...rooms,
      doors: () => live.now.doors.admin,
      config: () => live.now.config,
      parse,
      readiness: ready,
      reload,
      log,
      refused,
    }),
    resourceMetadata: (endpoint) =>
      endpoint === undefined ? live.now.doors.admin?.metadata() : endpoints.has(endpoint) ? live.now.doors.metadata(endpoint) : undefined,
    rootEndpoint: () => (endpoints.names().length === 1 ? endpoints.names()[0] : undefined),
    metrics,
    readiness: ready,
    failed: (error) => log.error('http.failed', { error }),
  };
}

/** Stops listening; idle connections end now, busy ones after `graceMs`. Resolves also for a server that is closed already. */
export function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) {
      resolve();
      return;
    }
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
