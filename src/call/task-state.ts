import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { Task } from './task-book.ts';

/** The extension of 2026-07-28 by which tasks are offered. */
export const tasksExtension = 'io.modelcontextprotocol/tasks';
/** The member of `_meta` by which a message says which task it belongs to. */
export const relatedTask = 'io.modelcontextprotocol/related-task';

const statuses: ReadonlySet<Json | undefined> = new Set(['working', 'input_required', 'completed', 'failed', 'cancelled']);
/** Of an upstream's words about a task this much is kept. */
const maxKeptWords = 1_000;
/** Members of a task in either era that are no text of the upstream's own. */
const plainMembers = ['createdAt', 'lastUpdatedAt', 'ttl', 'ttlMs', 'pollInterval', 'pollIntervalMs'] as const;

/** What can be said of a task without its upstream's words: its status and times, under the id that the agent knows. */
export function plainState(state: JsonObject, id: string): JsonObject {
  const plain: Record<string, Json> = { taskId: id, status: statuses.has(state['status']) ? (state['status'] as string) : 'working' };
  for (const name of plainMembers) {
    const value = state[name];
    if (value === null || typeof value === 'number' || (typeof value === 'string' && value.length <= 40)) plain[name] = value;
  }
  return plain;
}

/** A state of a session's task in the words of the extension. */
export function modernState({ ttl, pollInterval, ...state }: JsonObject): JsonObject {
  const times = { ...(ttl === undefined ? {} : { ttlMs: ttl }), ...(pollInterval === undefined ? {} : { pollIntervalMs: pollInterval }) };
  return { ...state, ...times };
}

/** A state as it is kept for lists: its upstream may say much, and often. */
export function keptState(state: JsonObject): JsonObject {
  const { statusMessage } = state;
  return typeof statusMessage === 'string' && statusMessage.length > maxKeptWords
    ? { ...state, statusMessage: `${statusMessage.slice(0, maxKeptWords)}…` }
    : state;
}

/** Whether nothing more comes of a task in this state. */
export function isFinal(state: JsonObject): boolean {
  return state['status'] === 'completed' || state['status'] === 'failed' || state['status'] === 'cancelled';
}

/** How long an upstream keeps a task, in ms; `undefined` where it does not say. */
export function ttlMsOf(state: JsonObject): number | undefined {
  const ttl = state['ttlMs'] ?? state['ttl'];
  return typeof ttl === 'number' && ttl >= 0 ? ttl : undefined;
}

/** The params or result with the task that it belongs to under another id; left out of it where `id` is `undefined`. */
export function related<Value extends JsonObject | undefined>(value: Value, id: (of: Json | undefined) => string | undefined): Value {
  const meta = value?.['_meta'];
  if (!isJsonObject(meta) || !(relatedTask in meta)) return value;
  const { [relatedTask]: old, ...rest } = meta;
  const now = id(isJsonObject(old) ? old['taskId'] : undefined);
  return { ...value, _meta: now === undefined ? rest : { ...rest, [relatedTask]: { taskId: now } } };
}

/** A message of an upstream in the words of the agent whose tasks these are; `undefined` where it is about a task that is not the agent's. */
export function toAgent(
  method: string,
  params: JsonObject | undefined,
  known: (upstreamId: Json | undefined) => Task | undefined,
): { readonly params: JsonObject | undefined } | undefined {
  const own = related(params, (upstreamId) => known(upstreamId)?.id);
  if (method !== 'notifications/tasks/status' && method !== 'notifications/tasks') return { params: own };
  const task = known(own?.['taskId']);
  if (task === undefined || own === undefined) return undefined;
  const { statusMessage } = own;
  const state = { ...plainState(own, task.id), ...(typeof statusMessage === 'string' ? { statusMessage } : {}) };
  task.seen = keptState(state);
  return { params: state };
}
