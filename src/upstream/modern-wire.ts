import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { Handshake } from './handshake.ts';

/** The one revision of the modern era that is spoken. */
export const modernVersion = '2026-07-28';

/** Names in `_meta` that the modern era reserves. @see https://modelcontextprotocol.io/specification/2026-07-28/basic/index#meta */
export const metaKey = {
  version: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
} as const;

/** Errors that only the modern era knows. */
export const modernError = { headerMismatch: -32020, missingCapability: -32021, unsupportedVersion: -32022 } as const;

/** Whether a code is one that only a server of the modern era gives. */
export function isModernError(code: number): boolean {
  return code === modernError.headerMismatch || code === modernError.missingCapability || code === modernError.unsupportedVersion;
}

/** Capabilities of a client that mean the same in both eras; tasks of 2025-11-25 are another thing than the extension of the same name. */
const sharedCapabilities = ['sampling', 'elicitation', 'roots', 'experimental', 'extensions'] as const;

/** The part of `_meta` that each request of one client carries. */
export function envelopeOf(client: { readonly clientInfo: JsonObject; readonly capabilities: JsonObject }): JsonObject {
  const { clientInfo, capabilities } = client;
  const shared = Object.fromEntries(sharedCapabilities.flatMap((name) => (name in capabilities ? [[name, capabilities[name]]] : [])));
  return { [metaKey.version]: modernVersion, [metaKey.clientInfo]: clientInfo, [metaKey.clientCapabilities]: shared };
}

/** The params with the client's envelope; what the agent wrote under the same names does not count. */
export function withEnvelope(params: JsonObject | undefined, envelope: JsonObject, logLevel: string | undefined): JsonObject {
  const meta = params?.['_meta'];
  const own = isJsonObject(meta) ? meta : {};
  const level = logLevel === undefined || own[metaKey.logLevel] !== undefined ? {} : { [metaKey.logLevel]: logLevel };
  return { ...params, _meta: { ...own, ...level, ...envelope } };
}

/** What the answer to `server/discover` says of the upstream. */
export function readDiscovery(result: JsonObject): Handshake {
  const { capabilities, instructions } = result;
  const meta = isJsonObject(result['_meta']) ? result['_meta'] : {};
  const serverInfo = meta[metaKey.serverInfo] ?? result['serverInfo'];
  return {
    protocolVersion: modernVersion,
    serverInfo: isJsonObject(serverInfo) ? serverInfo : {},
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    instructions: typeof instructions === 'string' ? instructions : undefined,
  };
}

/** Whether an answer to `server/discover` says that the modern revision is spoken. Success alone does not: some answer it for older ones. */
export function discoversModern(result: JsonObject): boolean {
  const versions = result['supportedVersions'];
  return Array.isArray(versions) && versions.includes(modernVersion);
}
