import type { ListedTool } from './catalogue.ts';
import type { PinBook, UpstreamOptions } from './types.ts';

/**
 * Whether a tool's definition is the one that was reviewed (a configured digest) or, where that is asked for, the one that was seen first.
 * @throws whatever the pin book throws; the caller then treats the tool as not pinned
 */
export async function isPinned(options: UpstreamOptions, tool: ListedTool, pins: PinBook): Promise<boolean> {
  const configured = Object.hasOwn(options.tools, tool.name) ? options.tools[tool.name]?.digest : undefined;
  if (configured !== undefined) return configured === tool.digest;
  if (options.pinning !== 'first_seen') return false;
  const first = await pins.get(options.name, tool.name);
  if (first !== undefined) return first === tool.digest;
  await pins.put(options.name, tool.name, tool.digest);
  return true;
}
