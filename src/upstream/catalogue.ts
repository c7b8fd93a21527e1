import type { Digest } from '../model/ids.ts';
import type { Finding } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';
import type { Handshake } from './handshake.ts';
import type { CatalogueTool } from './catalogue-tool.ts';

/** What all upstreams offer, at one moment. Immutable; a newer one has a higher revision. */
export interface Catalogue {
  readonly revision: number;
  /** By upstream name, in the configuration's order; one that was never reached is missing. */
  readonly upstreams: ReadonlyMap<string, CatalogueEntry>;
}

/** What one upstream offers. An upstream that went away keeps its last entry. */
export interface CatalogueEntry {
  readonly name: string;
  /** Without `instructions` where those are withheld. */
  readonly handshake: Handshake;
  readonly instructions: ServerInstructions | undefined;
  readonly tools: ReadonlyMap<string, CatalogueTool>;
  /** As the upstream listed them, each with a string `uri`. */
  readonly resources: readonly JsonObject[];
  /** Each with a string `uriTemplate`. */
  readonly resourceTemplates: readonly JsonObject[];
  /** Each with a string `name`. */
  readonly prompts: readonly JsonObject[];
  /** What a scan found in those three. */
  readonly findings: ItemFindings;
  readonly readAtMs: number;
  /** What was wrong with the lists, in words for an operator. */
  readonly problems: readonly string[];
}

/** Findings by URI, by template or by name; what nothing was found in is left out. */
export interface ItemFindings {
  readonly resources: ReadonlyMap<string, readonly Finding[]>;
  readonly resourceTemplates: ReadonlyMap<string, readonly Finding[]>;
  readonly prompts: ReadonlyMap<string, readonly Finding[]>;
}

/** What a server tells models about itself, and whether agents get it. */
export interface ServerInstructions {
  readonly text: string;
  readonly digest: Digest;
  readonly findings: readonly Finding[];
  /** Why agents do not get it. */
  readonly withheld: string | undefined;
}

/** What was read of an upstream before the configuration had its say. */
export interface Listing {
  readonly handshake: Handshake;
  readonly tools: readonly ListedTool[];
  readonly resources: readonly JsonObject[];
  readonly resourceTemplates: readonly JsonObject[];
  readonly prompts: readonly JsonObject[];
  readonly problems: readonly string[];
}

export interface ListedTool {
  readonly name: string;
  readonly definition: JsonObject;
  readonly digest: Digest;
  /** Why the tool cannot be used, where its definition alone says so. */
  readonly unusable: string | undefined;
}
