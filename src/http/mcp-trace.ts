import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { RpcMessage } from '../call/rpc.ts';
import type { JsonObject } from '../model/json.ts';

/** The trace of one request. */
export interface RequestTrace {
  /** Runs the work of the request inside its trace. */
  readonly run: <Result>(work: () => Result) => Result;
  /** The answer is out, or its reader is gone. */
  readonly end: (httpStatus: number) => void;
}

/** Follows requests through the gateway; supplied where traces are configured. */
export interface RequestTracer {
  readonly begin: (headers: IncomingHttpHeaders) => RequestTrace;
  /** Tells the running trace which message it is about; gives its id for the record. */
  readonly message: (method: string, id: string | number | undefined, params: JsonObject | undefined) => string | undefined;
}

type Serve = (endpoint: string, request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** The handler with a trace around each POST. A stream that an agent listens on is no request with an end. */
export function traced(tracer: RequestTracer | undefined, serve: Serve): Serve {
  if (tracer === undefined) return serve;
  return (endpoint, request, response) => {
    if (request.method !== 'POST') return serve(endpoint, request, response);
    const trace = tracer.begin(request.headers);
    response.once('close', () => trace.end(response.statusCode));
    return trace.run(() => serve(endpoint, request, response));
  };
}

/** The id under which a message is recorded: that of its trace, where there is one. */
export function traceIdOf(tracer: RequestTracer | undefined, message: RpcMessage, otherwise: string | undefined): string | undefined {
  if (tracer === undefined || message.kind === 'response') return otherwise;
  return tracer.message(message.method, message.kind === 'request' ? message.id : undefined, message.params) ?? otherwise;
}
