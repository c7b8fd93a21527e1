import { AsyncLocalStorage } from 'node:async_hooks';
import { isJsonObject, type JsonObject } from './json.ts';

/** The trace of the call that is being worked on: what an upstream is told of it. */
export interface TraceScope {
  /** The W3C header for what is sent on behalf of this call: its parent is the gateway's own span. */
  readonly outgoing: string;
  /** What other tracing systems added, to be handed on unchanged. */
  readonly tracestate: string | undefined;
}

/**
 * Which trace the running code belongs to. Empty unless traces are configured: looking then costs some nanoseconds. It is not handed from
 * stage to stage because no stage may depend on it.
 */
export const traceScope = new AsyncLocalStorage<TraceScope>();

/** The headers with the trace context of the running call; the same list where there is none. Names and values in turn. */
export function withTraceHeaders(headers: string[]): string[] {
  const scope = traceScope.getStore();
  if (scope === undefined) return headers;
  const own = [...headers, 'traceparent', scope.outgoing];
  return scope.tracestate === undefined ? own : [...own, 'tracestate', scope.tracestate];
}

/**
 * The message with the trace context of the running call in `params._meta`; the same message where there is none.
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/index#meta
 */
export function withTraceMeta<Message extends { readonly params: JsonObject | undefined }>(message: Message): Message {
  const scope = traceScope.getStore();
  if (scope === undefined) return message;
  const meta = message.params?.['_meta'];
  const { traceparent: _parent, tracestate: _state, ...others } = isJsonObject(meta) ? meta : {};
  const own = { traceparent: scope.outgoing, ...(scope.tracestate === undefined ? {} : { tracestate: scope.tracestate }) };
  return { ...message, params: { ...message.params, _meta: { ...others, ...own } } };
}
