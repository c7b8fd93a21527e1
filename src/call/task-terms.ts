import { GatewayError } from '../model/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { EndpointView, ExposedTool } from '../upstream/endpoint.ts';
import { member } from './call.ts';
import type { Session } from './session.ts';

/** How an agent of a session asks for a task: how long it wants it kept. @throws GatewayError `rpc.params` */
export function taskTerms(value: Json): JsonObject {
  if (!isJsonObject(value)) throw new GatewayError('rpc.params', '`params.task` must be an object');
  const ttl = member(value, 'ttl');
  const wrong = Object.keys(value).find((key) => key !== 'ttl');
  if (wrong !== undefined || (ttl !== undefined && (typeof ttl !== 'number' || !Number.isFinite(ttl) || ttl < 0)))
    throw new GatewayError('rpc.params', '`params.task` may have `ttl`, in milliseconds, and nothing else');
  return ttl === undefined ? {} : { ttl };
}

/** Tasks that agents ask for are in one revision only; in 2026-07-28 it is the server that makes them. */
export function knowsTasks(session: Session): boolean {
  return session.protocolVersion >= '2025-11-25' && !session.isStateless;
}

/** Holds that a tool may be called as a task. @throws GatewayError `rpc.method_unknown`, as MCP 2025-11-25 asks for where a tool is not called as a task */
export function assertTakesTasks(tool: ExposedTool, endpoint: EndpointView): void {
  const execution = tool.definition['execution'];
  const support = isJsonObject(execution) ? execution['taskSupport'] : undefined;
  const takes = (support === 'optional' || support === 'required') && endpoint.taskUpstreams.includes(tool.upstream);
  if (!takes) throw new GatewayError('rpc.method_unknown', `\`${tool.exposedName}\` cannot be called as a task; call it without \`task\``);
}
