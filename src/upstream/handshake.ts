import { isJsonObject, type JsonObject } from '../model/json.ts';
import { legacyVersions } from './wire.ts';

/** Who opens a session: an agent, or the gateway for itself. */
export interface Introduction {
  readonly protocolVersion: string;
  readonly clientInfo: JsonObject;
  readonly capabilities: JsonObject;
}

/** What an upstream said of itself when the session was opened. */
export interface Handshake {
  readonly protocolVersion: string;
  readonly serverInfo: JsonObject;
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
}

/** The params of `initialize`. A version that only the stateless era knows is offered as the newest one with sessions. */
export function initializeParams(introduction: Introduction): JsonObject {
  const known = (legacyVersions as readonly string[]).includes(introduction.protocolVersion);
  return {
    protocolVersion: known ? introduction.protocolVersion : legacyVersions[0],
    capabilities: introduction.capabilities,
    clientInfo: introduction.clientInfo,
  };
}

/** @throws Error in words for the log when the answer to `initialize` cannot be worked with */
export function readHandshake(result: JsonObject): Handshake {
  const version = result['protocolVersion'];
  if (typeof version !== 'string' || !(legacyVersions as readonly string[]).includes(version)) {
    throw new Error('the upstream answered `initialize` with a protocol version that the gateway does not speak');
  }
  const { serverInfo, capabilities, instructions } = result;
  return {
    protocolVersion: version,
    serverInfo: isJsonObject(serverInfo) ? serverInfo : {},
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    instructions: typeof instructions === 'string' ? instructions : undefined,
  };
}
