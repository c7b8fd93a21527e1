import { GatewayError } from '../model/errors.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import { metaKey, modernVersion } from '../upstream/modern-wire.ts';
import { member } from './call.ts';

export { metaKey, modernVersion } from '../upstream/modern-wire.ts';

/** Log levels, from the most to the least talkative. @see https://modelcontextprotocol.io/specification/2026-07-28/server/utilities/logging */
export const logLevels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What one request without a session says of its client. Nothing of it is verified, and nothing of it gives rights. */
export interface RequestMeta {
  readonly clientInfo: JsonObject;
  readonly capabilities: JsonObject;
  /** Absent: the client wants no log messages. */
  readonly logLevel: LogLevel | undefined;
}

/** Both tell apart the upstream sessions of one identity, so they are kept as long as those. */
const maxClientLength = 8192;

/**
 * Reads what `_meta` of a request of 2026-07-28 must say.
 * @throws GatewayError `protocol.meta`, `protocol.unsupported`
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/index#meta
 */
export function readRequestMeta(params: JsonObject | undefined): RequestMeta {
  const meta = member(params, '_meta');
  if (!isJsonObject(meta)) throw wrong('`params._meta` is missing');
  const version = member(meta, metaKey.version);
  if (typeof version !== 'string') throw wrong(`\`${metaKey.version}\` must be a string`);
  if (version !== modernVersion) throw unsupported(version);
  const capabilities = member(meta, metaKey.clientCapabilities);
  if (!isJsonObject(capabilities)) throw wrong(`\`${metaKey.clientCapabilities}\` must be an object`);
  const { clientInfo } = clientOf(meta);
  const level = member(meta, metaKey.logLevel);
  const logLevel = logLevels.find((one) => one === level);
  if (level !== undefined && logLevel === undefined) throw wrong(`\`${metaKey.logLevel}\` must be one of ${logLevels.join(', ')}`);
  return { clientInfo, capabilities, logLevel };
}

/** What a message says of its client, where it does so: a notification need not. @throws GatewayError `protocol.meta` */
export function clientOf(meta: JsonObject): Pick<RequestMeta, 'clientInfo' | 'capabilities'> {
  const clientInfo = member(meta, metaKey.clientInfo) ?? {};
  const capabilities = member(meta, metaKey.clientCapabilities) ?? {};
  if (!isJsonObject(clientInfo)) throw wrong(`\`${metaKey.clientInfo}\` must be an object`);
  if (!isJsonObject(capabilities)) throw wrong(`\`${metaKey.clientCapabilities}\` must be an object`);
  if (JSON.stringify(capabilities).length + JSON.stringify(clientInfo).length > maxClientLength)
    throw wrong(`\`${metaKey.clientInfo}\` and \`${metaKey.clientCapabilities}\` are longer than ${maxClientLength} characters`);
  return { clientInfo, capabilities };
}

/** The refusal of a revision that is not served without a session; it names those that are. */
export function unsupported(requested: string): GatewayError {
  const shown = requested.slice(0, 40);
  return new GatewayError('protocol.unsupported', `\`${shown}\` is not served here; use \`${modernVersion}\` or open a session`, {
    detail: { supported: [modernVersion], requested: shown },
  });
}

function wrong(words: string): GatewayError {
  return new GatewayError('protocol.meta', `${words}; each request of \`${modernVersion}\` carries it`);
}
