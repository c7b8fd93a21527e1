import type { Finding } from '../model/input.ts';
import type { Digest } from '../model/ids.ts';
import type { JsonObject } from '../model/json.ts';
import type { Catalogue, ServerInstructions } from './catalogue.ts';
import type { EndpointView, Quarantined } from './endpoint.ts';
import { suspiciousItems, type SuspiciousItem } from './item-findings.ts';
import type { UpstreamStatus } from './types.ts';

/** What the gateway knows of its servers, for the people who run it: with what agents are not shown. */
export interface CatalogueView {
  readonly revision: number;
  readonly servers: readonly ServerView[];
  /** What endpoints keep back, mostly for its name. */
  readonly endpoints: readonly { readonly name: string; readonly quarantined: readonly Quarantined[] }[];
}

/** One server; `tools` are those it listed last, also while it is down. */
export interface ServerView {
  readonly name: string;
  readonly state: UpstreamStatus['state'];
  readonly error?: string;
  readonly protocolVersion?: string;
  readonly serverInfo?: JsonObject;
  readonly readAtMs: number | null;
  readonly problems: readonly string[];
  readonly instructions: ServerInstructions | null;
  readonly tools: readonly ToolView[];
  readonly resources: number;
  readonly prompts: number;
  /** Resources, templates and prompts in which a scan found something. */
  readonly suspicious: readonly SuspiciousItem[];
}

/** One tool as its server lists it. */
export interface ToolView {
  readonly name: string;
  readonly digest: Digest;
  readonly labels: readonly string[];
  readonly pinned: boolean;
  /** Why no list shows it. */
  readonly quarantined: string | null;
  /** Why it cannot be called at all. */
  readonly malformed: string | null;
  readonly findings: readonly Finding[];
  readonly definition: JsonObject;
}

/** The view of a catalogue, in the order of `statuses`. */
export function viewCatalogue(
  catalogue: Catalogue,
  statuses: readonly UpstreamStatus[],
  endpoints: readonly EndpointView[],
): CatalogueView {
  return {
    revision: catalogue.revision,
    servers: statuses.map((status) => serverView(catalogue, status)),
    endpoints: endpoints.map(({ name, quarantined }) => ({ name, quarantined })),
  };
}

function serverView(catalogue: Catalogue, { name, state, error, protocolVersion, serverInfo }: UpstreamStatus): ServerView {
  const entry = catalogue.upstreams.get(name);
  return {
    name,
    state,
    ...(error === undefined ? {} : { error }),
    ...(protocolVersion === undefined ? {} : { protocolVersion }),
    ...(serverInfo === undefined ? {} : { serverInfo }),
    readAtMs: entry?.readAtMs ?? null,
    problems: entry?.problems ?? [],
    instructions: entry?.instructions ?? null,
    tools: [...(entry?.tools.values() ?? [])].map(
      ({ name: tool, digest, labels, pinned, quarantined, malformed, findings, definition }) => ({
        name: tool,
        digest,
        labels,
        pinned,
        quarantined: quarantined ?? null,
        malformed: malformed ?? null,
        findings,
        definition,
      }),
    ),
    resources: (entry?.resources.length ?? 0) + (entry?.resourceTemplates.length ?? 0),
    prompts: entry?.prompts.length ?? 0,
    suspicious: entry === undefined ? [] : suspiciousItems(entry),
  };
}

/** How many tools of each upstream are kept from lists, and how many have findings. */
export function integrityCounts({
  upstreams,
}: Catalogue): { readonly upstream: string; readonly quarantined: number; readonly suspicious: number }[] {
  return [...upstreams].map(([upstream, { tools }]) => {
    let [quarantined, suspicious] = [0, 0];
    for (const tool of tools.values()) {
      if (tool.quarantined !== undefined) quarantined++;
      if (tool.findings.length > 0) suspicious++;
    }
    return { upstream, quarantined, suspicious };
  });
}
