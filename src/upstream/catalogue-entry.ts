import { digestJson, digestText } from '../model/digest.ts';
import type { CatalogueEntry, ListedTool, Listing, ServerInstructions } from './catalogue.ts';
import { CatalogueTool } from './catalogue-tool.ts';
import { reasonOf } from './faults.ts';
import { areInstructionsLocked, pinState, trustedLabels, type PinState } from './pinning.ts';
import { scanItems } from './item-findings.ts';
import type { ListKind, UpstreamOptions, UpstreamPorts } from './types.ts';

type Ports = Pick<UpstreamPorts, 'pins' | 'scan' | 'log'>;

/** Joins what was read with what is configured. Tools that did not change keep their object, and so their compiled schema. */
export async function buildEntry(
  options: UpstreamOptions,
  listing: Listing,
  before: CatalogueEntry | undefined,
  ports: Ports,
): Promise<CatalogueEntry> {
  const problems = [...listing.problems];
  const tools = new Map<string, CatalogueTool>();
  for (const listed of listing.tools) {
    const pin = await readPin(options, listed, ports, problems);
    const labels = trustedLabels(options, listed, pin.pinned);
    const old = before?.tools.get(listed.name);
    const isKnown = old?.digest === listed.digest;
    const isSame =
      isKnown &&
      old.pinned === pin.pinned &&
      old.quarantined === pin.quarantined &&
      sameList(old.labels, labels) &&
      listed.unusable === undefined;
    const tool = isSame
      ? old
      : new CatalogueTool(options.name, listed, labels, pin, isKnown ? old.findings : ports.scan(listed.definition, 'definition'));
    tools.set(listed.name, tool);
    if (tool !== old) tell(options.name, tool, old, ports);
  }
  const { resources, resourceTemplates, prompts } = listing;
  const instructions = readInstructions(options, listing, ports);
  if (instructions?.withheld !== undefined) {
    problems.push(`the instructions are withheld: ${instructions.withheld}`);
    if (before?.instructions?.withheld !== instructions.withheld || before.instructions.digest !== instructions.digest)
      ports.log({ level: 'warn', event: 'instructions_withheld', upstream: options.name, detail: { reason: instructions.withheld } });
  }
  const handshake = instructions?.withheld === undefined ? listing.handshake : { ...listing.handshake, instructions: undefined };
  const findings = scanItems(options.name, listing, before, ports);
  const lists = { tools, resources, resourceTemplates, prompts, findings };
  return { name: options.name, handshake, instructions, ...lists, readAtMs: Date.now(), problems };
}

async function readPin(options: UpstreamOptions, listed: ListedTool, { pins }: Ports, problems: string[]): Promise<PinState> {
  try {
    return await pinState(options, listed, pins);
  } catch (error) {
    problems.push(`the pin of \`${listed.name}\` cannot be read, so it counts as not pinned: ${reasonOf(error)}`);
    return { pinned: false, quarantined: 'its pin cannot be read' };
  }
}

/** Instructions go straight to a model: those with findings, or other than those that were reviewed, go to none. */
function readInstructions(options: UpstreamOptions, { handshake }: Listing, { scan }: Ports): ServerInstructions | undefined {
  const text = handshake.instructions;
  if (text === undefined) return undefined;
  const findings = scan(text, 'instructions');
  const names = [...new Set(findings.map(({ detector }) => detector))].join(', ');
  const withheld = !areInstructionsLocked(options, text)
    ? 'they are not those of the lockfile'
    : findings.length > 0
      ? `${names} was found in them`
      : undefined;
  return { text, digest: digestText(text), findings, withheld };
}

/** One line for the operator about a tool that is new, or not what it was, and that somebody should look at. */
function tell(upstream: string, tool: CatalogueTool, old: CatalogueTool | undefined, { log }: Ports): void {
  if (tool.quarantined !== undefined && old?.quarantined !== tool.quarantined)
    log({ level: 'warn', event: 'tool_quarantined', upstream, detail: { tool: tool.name, reason: tool.quarantined } });
  if (tool.findings.length > 0 && old?.findings !== tool.findings) {
    const detectors = [...new Set(tool.findings.map(({ detector }) => detector))].join(', ');
    log({ level: 'warn', event: 'tool_suspicious', upstream, detail: { tool: tool.name, findings: detectors } });
  }
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
