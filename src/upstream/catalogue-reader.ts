import { digestJson } from '../model/digest.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { Channel } from './channel.ts';
import type { ListedTool, Listing } from './catalogue.ts';
import { fault } from './faults.ts';
import { errorCodeOf } from './wire.ts';

const maxPages = 100;
const maxItems = 10_000;
const maxListBytes = 32 * 1024 * 1024;
const maxToolNameLength = 128;

/**
 * Reads all that an upstream lists, page by page. A list that has no end or goes round in circles is cut, and said so.
 * @throws GatewayError when the upstream cannot be reached or answers wrongly
 */
export async function readListing(upstream: string, channel: Channel, timeoutMs: number): Promise<Listing> {
  const handshake = await channel.open();
  const problems: string[] = [];
  const walk = (method: string, key: string): Promise<JsonObject[]> => walkList(upstream, channel, timeoutMs, method, key, problems);
  const { capabilities } = handshake;
  const tools = capabilities['tools'] === undefined ? [] : readTools(await walk('tools/list', 'tools'), problems);
  const hasResources = capabilities['resources'] !== undefined;
  const resources = hasResources ? keyed(await walk('resources/list', 'resources'), 'uri', problems) : [];
  const resourceTemplates = hasResources ? keyed(await walk('resources/templates/list', 'resourceTemplates'), 'uriTemplate', problems) : [];
  const prompts = capabilities['prompts'] === undefined ? [] : keyed(await walk('prompts/list', 'prompts'), 'name', problems);
  return { handshake, tools, resources, resourceTemplates, prompts, problems };
}

async function walkList(
  upstream: string,
  channel: Channel,
  timeoutMs: number,
  method: string,
  key: string,
  problems: string[],
): Promise<JsonObject[]> {
  const items: JsonObject[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  let bytes = 0;
  for (let page = 0; page < maxPages; page++) {
    const params = cursor === undefined ? undefined : { cursor };
    const reply = await channel.request({ kind: 'request', method, params }, { timeoutMs });
    if (reply.kind === 'error') {
      // An upstream may claim resources and know no templates: the rest of what it offers is still good.
      if (reply.error['code'] === -32601) return items;
      throw fault('upstream.protocol', upstream, `\`${method}\` was refused with code ${errorCodeOf(reply.error)}`);
    }
    const list = reply.result[key];
    if (!Array.isArray(list)) throw fault('upstream.protocol', upstream, `\`${method}\` was answered without \`${key}\``);
    for (const item of list as readonly Json[]) if (isJsonObject(item)) items.push(item);
    bytes += reply.bytes;
    if (items.length > maxItems || bytes > maxListBytes) {
      problems.push(`\`${method}\` was cut after ${maxItems} entries or ${maxListBytes} bytes`);
      return items.slice(0, maxItems);
    }
    const next = reply.result['nextCursor'];
    if (typeof next !== 'string') return items;
    if (seen.has(next)) {
      problems.push(`\`${method}\` gave the same cursor twice and was cut there`);
      return items;
    }
    seen.add(next);
    cursor = next;
  }
  problems.push(`\`${method}\` was cut after ${maxPages} pages`);
  return items;
}

function readTools(items: readonly JsonObject[], problems: string[]): ListedTool[] {
  const tools = new Map<string, ListedTool>();
  for (const definition of items) {
    const { name } = definition;
    if (typeof name !== 'string' || name === '' || name.length > maxToolNameLength) {
      problems.push('a tool without a usable name was left out');
      continue;
    }
    const digest = digestJson(definition);
    const twin = tools.get(name);
    if (twin !== undefined && twin.digest !== digest) {
      problems.push(`the tool \`${name}\` is listed twice with different definitions`);
      tools.set(name, { ...twin, unusable: `the upstream lists \`${name}\` twice with different definitions` });
    } else if (twin === undefined) {
      const schema = definition['inputSchema'];
      const usable = isJsonObject(schema) && (schema['type'] === undefined || schema['type'] === 'object');
      tools.set(name, {
        name,
        definition,
        digest,
        unusable: usable ? undefined : `the input schema of \`${name}\` is not that of an object`,
      });
    }
  }
  return [...tools.values()];
}

/** The entries that have a string under `key`, each once. */
function keyed(items: readonly JsonObject[], key: string, problems: string[]): JsonObject[] {
  const byKey = new Map<string, JsonObject>();
  for (const item of items) {
    const value = item[key];
    if (typeof value !== 'string') problems.push(`an entry without \`${key}\` was left out`);
    else if (byKey.has(value)) problems.push(`the entry \`${value.slice(0, 100)}\` is listed twice; the first one counts`);
    else byKey.set(value, item);
  }
  return [...byKey.values()];
}
