import { digestJson } from '../model/digest.ts';
import type { CatalogueEntry, Listing } from './catalogue.ts';
import { CatalogueTool } from './catalogue-tool.ts';
import { reasonOf } from './faults.ts';
import { isPinned } from './pinning.ts';
import type { ListKind, PinBook, UpstreamOptions } from './types.ts';

/** Joins what was read with what is configured. Tools that did not change keep their object, and so their compiled schema. */
export async function buildEntry(
  options: UpstreamOptions,
  listing: Listing,
  before: CatalogueEntry | undefined,
  pins: PinBook,
): Promise<CatalogueEntry> {
  const problems = [...listing.problems];
  const tools = new Map<string, CatalogueTool>();
  for (const listed of listing.tools) {
    let pinned = false;
    try {
      pinned = await isPinned(options, listed, pins);
    } catch (error) {
      problems.push(`the pin of \`${listed.name}\` cannot be read, so it counts as not pinned: ${reasonOf(error)}`);
    }
    const labels =
      (Object.hasOwn(options.tools, listed.name) ? options.tools[listed.name]?.labels : undefined) ?? options.defaultLabels ?? [];
    const old = before?.tools.get(listed.name);
    const isSame = old?.digest === listed.digest && old.pinned === pinned && sameList(old.labels, labels) && listed.unusable === undefined;
    tools.set(listed.name, isSame ? old : new CatalogueTool(options.name, listed, labels, pinned));
  }
  const { handshake, resources, resourceTemplates, prompts } = listing;
  return { name: options.name, handshake, tools, resources, resourceTemplates, prompts, readAtMs: Date.now(), problems };
}

/** Which lists differ between two entries. */
export function changedKinds(before: CatalogueEntry | undefined, after: CatalogueEntry): ListKind[] {
  const kinds: ListKind[] = [];
  const isSameTools = before?.tools.size === after.tools.size && [...after.tools].every(([name, tool]) => before.tools.get(name) === tool);
  if (!isSameTools) kinds.push('tools');
  if (
    before === undefined ||
    digestJson([before.resources, before.resourceTemplates]) !== digestJson([after.resources, after.resourceTemplates])
  )
    kinds.push('resources');
  if (before === undefined || digestJson(before.prompts) !== digestJson(after.prompts)) kinds.push('prompts');
  return kinds;
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index]);
}
