import type { Handshake } from './handshake.ts';
import type { HttpState } from './http-call-port.ts';

/** An open session. Replaced whole when the session or the credential changes. */
export interface HttpSession extends HttpState {
  readonly handshake: Handshake;
  readonly credential: readonly string[];
  readonly postHeaders: string[];
  readonly getHeaders: string[];
}

/** What `initialize` is sent with: there is no session yet. */
export const noHandshake: Handshake = { protocolVersion: '', serverInfo: {}, capabilities: {}, instructions: undefined };

/** A session with the headers that all its requests carry; `own` are those of the configuration. */
export function httpSession(
  sessionId: string | undefined,
  handshake: Handshake,
  credential: readonly string[],
  own: readonly string[],
): HttpSession {
  const shared = [...own, ...credential];
  if (handshake.protocolVersion !== '') shared.push('mcp-protocol-version', handshake.protocolVersion);
  if (sessionId !== undefined) shared.push('mcp-session-id', sessionId);
  const post = ['accept', 'application/json, text/event-stream', 'content-type', 'application/json', 'accept-encoding', 'identity'];
  const get = ['accept', 'text/event-stream', 'accept-encoding', 'identity'];
  return { sessionId, handshake, credential, postHeaders: [...post, ...shared], getHeaders: [...get, ...shared] };
}
