import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';

/** One HTTP request as it arrived. */
export interface RecordedRequest {
  readonly httpMethod: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The JSON-RPC message of a POST, where the body is one. Tests look into it as they like. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly message: { id?: string | number; method?: string; params?: any; result?: any; error?: any };
}

/** What a script gets: the request, and the response to do with as it likes. */
export interface Scene {
  readonly request: RecordedRequest;
  readonly response: ServerResponse;
  readonly socket: Socket;
  /** Does what a good server would do. */
  readonly behave: () => void;
}
export type Script = (scene: Scene) => void | Promise<void>;

export interface RecordingUpstream {
  readonly url: string;
  readonly requests: readonly RecordedRequest[];
  /** Every byte that arrived on any connection, as latin1. */
  bytes(): string;
  /** The requests with a JSON-RPC method. */
  calls(method: string): RecordedRequest[];
  /** Runs `script` for the next message with this method (`GET`, `DELETE` or `reply` for what has none), once. */
  once(method: string, script: Script): void;
  /** Runs `script` for each message with this method. */
  always(method: string, script: Script): void;
  /** Forgets all sessions, as a restart would. */
  forgetSessions(): void;
  readonly sessions: ReadonlySet<string>;
  /** Sends a message on every open GET stream. */
  push(message: object): void;
  /** Cuts every open GET stream. */
  dropStreams(): void;
  readonly streams: number;
  tools: object[];
  capabilities: object;
  /** What it says of itself when a session is opened. */
  instructions: string | undefined;
  close(): Promise<void>;
}

export const echoTool = {
  name: 'echo',
  description: 'Gives back its arguments.',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } } },
};
export const readTool = { ...echoTool, name: 'read', annotations: { readOnlyHint: true } };

/**
 * A real Streamable HTTP server (legacy eras) that records every byte it is sent. It behaves well unless a script says otherwise:
 * `tools/call` answers with its arguments as text.
 */
export async function startRecordingUpstream(options: { port?: number; stateless?: boolean } = {}): Promise<RecordingUpstream> {
  const chunks: Buffer[] = [];
  const requests: RecordedRequest[] = [];
  const once = new Map<string, Script[]>();
  const always = new Map<string, Script>();
  const sessions = new Set<string>();
  const streams = new Set<ServerResponse>();
  const sockets = new Set<Socket>();

  const behave = (request: RecordedRequest, response: ServerResponse): void => {
    const { message, headers } = request;
    const session = headers['mcp-session-id'];
    const known = options.stateless === true || (typeof session === 'string' && sessions.has(session));
    if (request.httpMethod !== 'POST') {
      if (!known) return void response.writeHead(404).end();
      if (request.httpMethod === 'DELETE') {
        sessions.delete(String(session));
        return void response.writeHead(200).end();
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      streams.add(response);
      response.on('close', () => streams.delete(response));
      return;
    }
    if (message.method === 'initialize') {
      const id = randomUUID();
      if (options.stateless !== true) sessions.add(id);
      const result = {
        protocolVersion: message.params.protocolVersion,
        capabilities: upstream.capabilities,
        serverInfo: { name: 'recording', version: '1' },
        ...(upstream.instructions === undefined ? {} : { instructions: upstream.instructions }),
      };
      answer(response, message.id, result, options.stateless === true ? {} : { 'mcp-session-id': id });
      return;
    }
    if (!known) {
      const error = { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } };
      return void response.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify(error));
    }
    if (message.id === undefined || message.method === undefined) return void response.writeHead(202).end();
    if (message.method === 'tools/list') {
      answer(response, message.id, { tools: upstream.tools });
      return;
    }
    if (message.method === 'tools/call') {
      answer(response, message.id, { content: [{ type: 'text', text: JSON.stringify(message.params.arguments ?? {}) }] });
      return;
    }
    answer(response, message.id, {});
  };

  const server = createServer((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('error', () => undefined);
    response.on('error', () => undefined);
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const body = Buffer.concat(parts).toString('utf8');
      const httpMethod = incoming.method ?? '';
      const request: RecordedRequest = { httpMethod, headers: incoming.headers, body, message: parsed(body) };
      requests.push(request);
      const key = httpMethod === 'POST' ? (request.message.method ?? 'reply') : httpMethod;
      const script = once.get(key)?.shift() ?? always.get(key);
      const good = (): void => behave(request, response);
      if (script === undefined) good();
      else void script({ request, response, socket: incoming.socket, behave: good });
    });
  });
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.unref();
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  // A test that fails before it closes this server must not keep the process waiting.
  server.unref();
  const { port } = server.address() as AddressInfo;

  const upstream: RecordingUpstream = {
    url: `http://127.0.0.1:${port}/mcp`,
    requests,
    sessions,
    tools: [echoTool, readTool],
    capabilities: { tools: { listChanged: true } },
    instructions: undefined,
    bytes: () => Buffer.concat(chunks).toString('latin1'),
    calls: (method) => requests.filter((request) => request.message.method === method),
    once: (method, script) => {
      const list = once.get(method) ?? [];
      once.set(method, [...list, script]);
    },
    always: (method, script) => void always.set(method, script),
    forgetSessions: () => sessions.clear(),
    push: (message) => {
      for (const stream of streams) stream.write(frame(message));
    },
    dropStreams: () => {
      for (const stream of streams) stream.destroy();
    },
    get streams() {
      return streams.size;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return upstream;
}

/** A JSON answer. */
export function answer(response: ServerResponse, id: unknown, result: object, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
}

/** One server-sent event. */
export function frame(message: object, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: message\ndata: ${JSON.stringify(message)}\n\n`;
}

/** Begins an event stream. */
export function stream(response: ServerResponse): ServerResponse {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  return response;
}

/** The JSON-RPC result for a request, as text in a tool's result. */
export function textResult(id: unknown, text: string): object {
  return { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } };
}

/** Ready-made misbehaviour, each a script for `once` or `always`. */
export const misbehaviours = {
  hang: () => undefined,
  reset: ({ socket }) => void socket.resetAndDestroy(),
  close: ({ socket }) => void socket.end(),
  drip: ({ response, request }) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const text = JSON.stringify(textResult(request.message.id, 'x'.repeat(10_000)));
    let at = 0;
    const timer = setInterval(() => void response.write(text[at++]), 20);
    response.on('close', () => clearInterval(timer));
  },
  flood: ({ response }) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const pour = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    };
    response.on('drain', pour);
    pour();
  },
  floodEvents: ({ response }) => {
    stream(response);
    const pour = (): void => {
      while (
        !response.destroyed &&
        response.write(frame({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x'.repeat(10_000) } }))
      );
    };
    response.on('drain', pour);
    pour();
  },
  floodOneEvent: ({ response }) => {
    stream(response).write('data: ');
    const pour = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    };
    response.on('drain', pour);
    pour();
  },
  nonJson: ({ response }) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>oops</html>'),
  nonUtf8: ({ response }) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(Buffer.from([0x22, 0xff, 0xfe, 0x22])),
  wrongId: ({ response }) => answer(response, 987_654, { content: [] }),
  stringId: ({ response, request }) => answer(response, String(request.message.id), { content: [] }),
  nullIdError: ({ response }) =>
    void response
      .writeHead(200, { 'content-type': 'application/json' })
      .end('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what"}}'),
  batch: ({ response, request }) =>
    void response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify([{ jsonrpc: '2.0', id: request.message.id, result: {} }])),
  errorInBody: ({ response, request }) =>
    void response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ jsonrpc: '2.0', id: request.message.id, error: { code: 42, message: 'no', data: { why: 'x' } } })),
  truncated: ({ response }) => {
    stream(response).write('data: {"jsonrpc":"2.0","id":1,"res');
    response.end();
  },
  accepted: ({ response }) => void response.writeHead(202).end(),
  redirect: ({ response }) => void response.writeHead(307, { location: 'http://169.254.169.254/latest' }).end(),
  serverError: ({ response }) => void response.writeHead(500).end('java.lang.Secret: stack at com.example'),
  unauthorized: ({ response }) => void response.writeHead(401, { 'www-authenticate': 'Bearer realm="x"' }).end(),
} satisfies Record<string, Script>;

function parsed(body: string): RecordedRequest['message'] {
  try {
    return JSON.parse(body) as RecordedRequest['message'];
  } catch {
    // Scripts look at `body` where a test sends something else than JSON.
    return {};
  }
}
