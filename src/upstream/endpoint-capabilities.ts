import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { CatalogueEntry } from './catalogue.ts';

/** Which capability a method needs, by its first part. */
const capabilityOf: Readonly<Record<string, string>> = {
  tools: 'tools',
  resources: 'resources',
  prompts: 'prompts',
  completion: 'completions',
  logging: 'logging',
  tasks: 'tasks',
};

/** Whether an upstream says that it can take a method. */
export function canTake(entry: CatalogueEntry, method: string): boolean {
  const capability = capabilityOf[method.split('/')[0] ?? ''];
  return capability === undefined || entry.handshake.capabilities[capability] !== undefined;
}

/** @see https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/tasks#capabilities */
export function takesTasks({ handshake }: CatalogueEntry): boolean {
  const at = (value: Json | undefined, key: string): Json | undefined => (isJsonObject(value) ? value[key] : undefined);
  return at(at(at(handshake.capabilities['tasks'], 'requests'), 'tools'), 'call') !== undefined;
}

/** Extensions of 2026-07-28 that the gateway carries through. */
const tasksExtension = 'io.modelcontextprotocol/tasks';

function hasTasksExtension({ handshake }: CatalogueEntry): boolean {
  const { extensions } = handshake.capabilities;
  return isJsonObject(extensions) && extensions[tasksExtension] !== undefined;
}

/** What an endpoint says that it can do: all that one of its upstreams can. */
export function mergeCapabilities(entries: readonly CatalogueEntry[], hasTools: boolean): JsonObject {
  const has = (name: string): boolean => entries.some((entry) => entry.handshake.capabilities[name] !== undefined);
  const subscribes = entries.some((entry) => (entry.handshake.capabilities['resources'] as JsonObject | undefined)?.['subscribe'] === true);
  const merged: Record<string, Json> = {};
  if (hasTools || has('tools')) merged['tools'] = { listChanged: true };
  if (has('resources')) merged['resources'] = { listChanged: true, ...(subscribes ? { subscribe: true } : {}) };
  if (has('prompts')) merged['prompts'] = { listChanged: true };
  if (has('logging')) merged['logging'] = {};
  if (has('completions')) merged['completions'] = {};
  if (entries.some(takesTasks)) merged['tasks'] = { list: {}, cancel: {}, requests: { tools: { call: {} } } };
  if (entries.some((entry) => hasTasksExtension(entry) || takesTasks(entry))) merged['extensions'] = { [tasksExtension]: {} };
  return merged;
}
