import type { JsonObject } from '../model/json.ts';
import { callToolName, findToolName } from '../model/own-tools.ts';
import type { ItemFacts } from '../model/input.ts';
import type { Catalogue, CatalogueEntry, ItemFindings } from './catalogue.ts';
import type { CatalogueTool } from './catalogue-tool.ts';
import { canTake, mergeCapabilities, takesTasks } from './endpoint-capabilities.ts';
import { joinInstructions, type Instructions } from './endpoint-instructions.ts';
import { exposeNames, type Candidate } from './exposed-names.ts';
import { exposeTool, restrictionProblem, restrictTool, type ExposedTool } from './exposed-tool.ts';
import { textAt } from './text-at.ts';
import { uriTemplateTest } from './uri-template.ts';

export type { ExposedTool } from './exposed-tool.ts';

/** A virtual server: which upstreams it joins, and under which names. */
export interface EndpointOptions {
  readonly name: string;
  readonly upstreams: readonly {
    readonly upstream: string;
    /** Tools that are offered; `*` stands for any characters. Left out: all. */
    readonly tools?: readonly string[];
    readonly exclude?: readonly string[];
  }[];
  readonly rename: readonly {
    readonly upstream: string;
    readonly tool: string;
    readonly as: string;
    readonly title?: string;
    readonly description?: string;
  }[];
  /** Restricted variants. The tool itself need not be offered. */
  readonly variants: readonly {
    readonly upstream: string;
    readonly tool: string;
    readonly as: string;
    readonly title?: string;
    readonly description?: string;
    readonly pin: JsonObject;
    readonly narrow: Readonly<Record<string, JsonObject>>;
  }[];
  /** Absent: the endpoint lists its tools. */
  readonly toolSearch?: ToolSearch | undefined;
}

/** How an endpoint lets agents search its tools in place of listing them. */
export interface ToolSearch {
  /** Tools that one search gives, where the agent does not say. */
  readonly results: number;
  /** The most that an agent may ask for. */
  readonly maxResults: number;
}

/** A resource, template or prompt as an endpoint lists it. `name` is the URI, the template, or the exposed name. */
export interface ListedItem {
  readonly name: string;
  readonly server: string;
  readonly definition: JsonObject;
  readonly item: ItemFacts;
}

/** What is kept back, and why. */
export interface Quarantined {
  readonly kind: 'tool' | 'prompt' | 'resource';
  readonly upstream: string;
  readonly name: string;
  readonly reason: string;
}

/** What one endpoint offers, for one revision of the catalogue. */
export interface EndpointView {
  readonly name: string;
  readonly revision: number;
  readonly tools: ReadonlyMap<string, ExposedTool>;
  readonly resources: readonly ListedItem[];
  readonly resourceTemplates: readonly ListedItem[];
  readonly prompts: readonly ListedItem[];
  readonly quarantined: readonly Quarantined[];
  /** Merged; lists that change are announced by the gateway itself. */
  readonly capabilities: JsonObject;
  readonly instructions: Instructions;
  /** Where tools are found by searching; they are called as they are without it. */
  readonly toolSearch: ToolSearch | undefined;
  resolveTool(name: string): ExposedTool | undefined;
  /** The upstream that has a resource (or a template of that very text): listed, else by template, else the only one with resources. */
  resolveResource(uri: string): string | undefined;
  /** What is known of the resource, or the template that it fits; `undefined` where it is not listed. */
  itemOfResource(uri: string): ItemFacts | undefined;
  /** An exposed prompt's upstream and its name there. */
  resolvePrompt(name: string): { readonly upstream: string; readonly name: string; readonly item: ItemFacts } | undefined;
  /** The upstreams whose tools an agent of 2025-11-25 may call as tasks. */
  readonly taskUpstreams: readonly string[];
  /** The upstreams that say they can take a method; all of the endpoint's where no capability is needed for it. */
  upstreamsFor(method: string): readonly string[];
}

interface ToolCandidate extends Candidate {
  readonly tool: CatalogueTool;
  expose(name: string): ExposedTool;
}

/** Joins upstreams into an endpoint. Pure: the same catalogue and options give the same view. An upstream that is missing adds nothing. */
export function buildEndpoint(catalogue: Catalogue, options: EndpointOptions): EndpointView {
  const entries = options.upstreams.flatMap(({ upstream }) => catalogue.upstreams.get(upstream) ?? []);
  const quarantined: Quarantined[] = [];
  const tools = joinTools(catalogue, options, quarantined);
  const prompts = joinPrompts(entries, quarantined);
  const resources = joinByKey(entries, 'resources', 'uri', quarantined);
  const resourceTemplates = joinByKey(entries, 'resourceTemplates', 'uriTemplate', quarantined);
  const byUri = new Map([...resourceTemplates, ...resources].map(({ name, item }) => [name, item]));
  const tests = resourceTemplates.map(({ name, item }) => ({ item, test: uriTemplateTest(name) }));
  const itemOfResource = (uri: string): ItemFacts | undefined => byUri.get(uri) ?? tests.find(({ test }) => test(uri))?.item;
  const withResources = entries.filter((entry) => entry.handshake.capabilities['resources'] !== undefined);
  const onlyOne = withResources.length === 1 ? withResources[0]?.name : undefined;
  const promptList = [...prompts].map(([name, { upstream, definition, item }]) => ({
    name,
    server: upstream,
    definition: { ...definition, name },
    item,
  }));
  return {
    name: options.name,
    revision: catalogue.revision,
    tools,
    resources,
    resourceTemplates,
    prompts: promptList,
    quarantined,
    capabilities: mergeCapabilities(entries, tools.size > 0),
    instructions: joinInstructions(entries),
    toolSearch: options.toolSearch,
    taskUpstreams: entries.filter(takesTasks).map((entry) => entry.name),
    resolveTool: (name) => tools.get(name),
    resolveResource: (uri) => itemOfResource(uri)?.server ?? onlyOne,
    itemOfResource,
    resolvePrompt: (name) => prompts.get(name),
    upstreamsFor: (method) => entries.filter((entry) => canTake(entry, method)).map((entry) => entry.name),
  };
}

function joinTools(catalogue: Catalogue, options: EndpointOptions, quarantined: Quarantined[]): ReadonlyMap<string, ExposedTool> {
  const candidates: ToolCandidate[] = [];
  for (const { upstream, tools, exclude } of options.upstreams) {
    for (const tool of catalogue.upstreams.get(upstream)?.tools.values() ?? []) {
      const isOffered =
        (tools === undefined || tools.some((pattern) => fits(pattern, tool.name))) &&
        exclude?.some((pattern) => fits(pattern, tool.name)) !== true;
      if (!isOffered) continue;
      const rename = options.rename.find((each) => each.upstream === upstream && each.tool === tool.name);
      candidates.push({ upstream, name: tool.name, chosen: rename?.as, tool, expose: (name) => exposeTool(tool, name, rename ?? {}) });
    }
  }
  for (const variant of options.variants) {
    const tool = catalogue.upstreams.get(variant.upstream)?.tools.get(variant.tool);
    // The upstream may be down or not have the tool any more: then there is nothing to offer.
    if (tool === undefined) continue;
    const problem = restrictionProblem(variant);
    if (problem !== undefined) quarantined.push({ kind: 'tool', upstream: variant.upstream, name: variant.as, reason: problem });
    else
      candidates.push({
        upstream: variant.upstream,
        name: tool.name,
        chosen: variant.as,
        tool,
        expose: (name) => restrictTool(tool, name, variant, variant),
      });
  }
  const usable = candidates.filter(({ upstream, name, tool }) => {
    if (tool.malformed !== undefined) quarantined.push({ kind: 'tool', upstream, name, reason: tool.malformed });
    return tool.malformed === undefined;
  });
  const { named, quarantined: unnamed } = exposeNames(usable, options.toolSearch === undefined ? [] : [findToolName, callToolName]);
  for (const { item, reason } of unnamed) quarantined.push({ kind: 'tool', upstream: item.upstream, name: item.name, reason });
  return new Map([...named].map(([name, candidate]) => [name, candidate.expose(name)]));
}

interface PromptCandidate extends Candidate {
  readonly definition: JsonObject;
  readonly item: ItemFacts;
}

function joinPrompts(entries: readonly CatalogueEntry[], quarantined: Quarantined[]): ReadonlyMap<string, PromptCandidate> {
  const candidates = entries.flatMap((entry) =>
    entry.prompts.map((definition) => {
      const name = textAt(definition, 'name');
      return { upstream: entry.name, name, chosen: undefined, definition, item: itemFacts('prompt', entry, 'prompts', name) };
    }),
  );
  const { named, quarantined: unnamed } = exposeNames<PromptCandidate>(candidates);
  for (const { item, reason } of unnamed) quarantined.push({ kind: 'prompt', upstream: item.upstream, name: item.name, reason });
  return new Map([...named].map(([name, prompt]) => [name, { ...prompt, item: { ...prompt.item, exposed_name: name } }]));
}

/** Lists of all upstreams under one key. Where two have the same, the one that the configuration names first keeps it. */
function joinByKey(
  entries: readonly CatalogueEntry[],
  list: 'resources' | 'resourceTemplates',
  key: string,
  quarantined: Quarantined[],
): ListedItem[] {
  const items = new Map<string, ListedItem>();
  for (const entry of entries) {
    for (const definition of entry[list]) {
      const name = textAt(definition, key);
      const first = items.get(name);
      if (first === undefined) items.set(name, { name, server: entry.name, definition, item: itemFacts('resource', entry, list, name) });
      else
        quarantined.push({
          kind: 'resource',
          upstream: entry.name,
          name,
          reason: `the upstream \`${first.server}\` has the same and comes first`,
        });
    }
  }
  return [...items.values()];
}

function itemFacts(kind: ItemFacts['kind'], { name: server, findings }: CatalogueEntry, list: keyof ItemFindings, name: string): ItemFacts {
  const found = findings[list].get(name);
  return { kind, server, name, ...(found === undefined ? {} : { findings: found }) };
}

/** A pattern of the configuration: `*` stands for any characters, all else for itself. */
function fits(pattern: string, name: string): boolean {
  const pieces = pattern.split('*');
  const [first = '', ...rest] = pieces;
  if (rest.length === 0) return pattern === name;
  const last = rest.pop() ?? '';
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last)) return false;
  let from = first.length;
  for (const piece of rest) {
    const at = name.indexOf(piece, from);
    if (at === -1) return false;
    from = at + piece.length;
  }
  return from <= name.length - last.length;
}
