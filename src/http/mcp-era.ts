import type { IncomingMessage } from 'node:http';
import { metaKey, modernVersion, unsupported } from '../call/modern-meta.ts';
import { decodeHeader } from '../call/param-headers.ts';
import type { RpcMessage, RpcRequest } from '../call/rpc.ts';
import { GatewayError } from '../model/errors.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import { header } from './mcp-exchange.ts';

/**
 * Of which era a message is. The body says so: a request of 2026-07-28 names its revision in `_meta`; and the headers must agree. A message
 * that names that revision in the header alone, or that names it and a session, could be read differently by something else on the way.
 * @throws GatewayError `http.header_mismatch`, `protocol.unsupported`, `protocol.meta`, `rpc.invalid`
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#server-validation
 */
export function eraOf(request: IncomingMessage, message: RpcMessage): 'session' | 'stateless' {
  const said = header(request, 'mcp-protocol-version');
  const meta = message.kind === 'response' ? undefined : message.params?.['_meta'];
  const named = isJsonObject(meta) && Object.hasOwn(meta, metaKey.version) ? meta[metaKey.version] : undefined;
  if (named === undefined && said !== modernVersion) return 'session';
  if (header(request, 'mcp-session-id') !== undefined)
    throw mismatch(`\`${modernVersion}\` has no sessions; leave \`mcp-session-id\` out, or \`${metaKey.version}\``);
  if (message.kind === 'response')
    throw new GatewayError('rpc.invalid', `\`${modernVersion}\` has no responses of clients; repeat the call`);
  if (named === undefined) {
    if (message.kind === 'notification') return 'stateless';
    if (message.method === 'initialize') throw mismatch(`\`initialize\` is not of \`${modernVersion}\`, which the header names`);
    throw new GatewayError('protocol.meta', `\`${metaKey.version}\` is missing in \`params._meta\``, {
      detail: { missing: metaKey.version },
    });
  }
  if (said === undefined) throw mismatch('`mcp-protocol-version` is missing');
  if (said !== named) throw mismatch('`mcp-protocol-version` does not agree with the body');
  if (typeof named === 'string' && named !== modernVersion) throw unsupported(named);
  return 'stateless';
}

/** What `mcp-name` repeats. */
const namedBy: Readonly<Record<string, string>> = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' };

/**
 * Holds the headers that repeat parts of a request against the request. Nothing else is read from them.
 * @throws GatewayError `http.header_mismatch`
 */
export function checkMirroredHeaders(request: IncomingMessage, message: RpcRequest): void {
  const method = once(request, 'mcp-method');
  if (method === undefined) throw mismatch('`mcp-method` is missing');
  if (method !== message.method) throw mismatch('`mcp-method` does not agree with the body');
  const member = Object.hasOwn(namedBy, message.method) ? namedBy[message.method] : undefined;
  const key = member ?? (message.method.startsWith('tasks/') ? 'taskId' : undefined);
  const name = once(request, 'mcp-name');
  const value = key === undefined ? undefined : (message.params as JsonObject)[key];
  if (name === undefined) {
    if (member !== undefined) throw mismatch('`mcp-name` is missing');
  } else if (key !== undefined && decodeHeader(name) !== value) throw mismatch(`\`mcp-name\` does not agree with \`${key}\``);
}

const prefix = 'mcp-param-';

/** The headers that repeat arguments, by their names in lower case. @throws GatewayError `http.header_mismatch` when one came twice */
export function paramHeaders(request: IncomingMessage): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of Object.keys(request.headers)) {
    if (!name.startsWith(prefix)) continue;
    const value = once(request, name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** A header that must not come twice: the two could differ, and something on the way may have read the other. */
function once(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name];
  if (values !== undefined && values.length > 1) throw mismatch(`\`${name}\` came ${String(values.length)} times`);
  return values?.[0];
}

function mismatch(words: string): GatewayError {
  return new GatewayError('http.header_mismatch', words);
}
