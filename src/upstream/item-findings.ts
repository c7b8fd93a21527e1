import { isDeepStrictEqual } from 'node:util';
import type { Finding } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';
import type { CatalogueEntry, ItemFindings, Listing } from './catalogue.ts';
import { textAt } from './text-at.ts';
import type { UpstreamPorts } from './types.ts';

type Items = Pick<CatalogueEntry, 'resources' | 'resourceTemplates' | 'prompts'>;

const lists: readonly { readonly member: keyof Items; readonly key: string; readonly kind: SuspiciousItem['kind'] }[] = [
  { member: 'resources', key: 'uri', kind: 'resource' },
  { member: 'resourceTemplates', key: 'uriTemplate', kind: 'template' },
  { member: 'prompts', key: 'name', kind: 'prompt' },
];

/** A resource, template or prompt in which a scan found something; `name` is its URI, its template, or its name. */
export interface SuspiciousItem {
  readonly kind: 'resource' | 'template' | 'prompt';
  readonly name: string;
  readonly findings: readonly Finding[];
  readonly definition: JsonObject;
}

/** Before anything was listed. */
export const noFindings: ItemFindings = { resources: new Map(), resourceTemplates: new Map(), prompts: new Map() };

/**
 * Scans resources, templates and prompts as tools' definitions are: every string of them. What did not change is not scanned again; a word
 * for the operator is logged where something is found in what is new.
 */
export function scanItems(
  upstream: string,
  listing: Listing,
  before: CatalogueEntry | undefined,
  { scan, log }: Pick<UpstreamPorts, 'scan' | 'log'>,
): ItemFindings {
  const found: { -readonly [Member in keyof ItemFindings]: ItemFindings[Member] } = { ...noFindings };
  for (const { member, key } of lists) {
    const old = new Map((before?.[member] ?? []).map((definition) => [definition[key], definition]));
    const findings = new Map<string, readonly Finding[]>();
    for (const definition of listing[member]) {
      const name = textAt(definition, key);
      const isKnown = isDeepStrictEqual(old.get(name), definition);
      const those = isKnown ? (before?.findings[member].get(name) ?? []) : scan(definition, 'definition');
      if (those.length === 0) continue;
      findings.set(name, those);
      if (isKnown) continue;
      const detectors = [...new Set(those.map(({ detector }) => detector))].join(', ');
      log({ level: 'warn', event: 'item_suspicious', upstream, detail: { list: member, item: name.slice(0, 200), findings: detectors } });
    }
    found[member] = findings;
  }
  return found;
}

/** Everything of an entry in which something was found, in the order of its lists. */
export function suspiciousItems(entry: CatalogueEntry): SuspiciousItem[] {
  return lists.flatMap(({ member, key, kind }) =>
    entry[member].flatMap((definition) => {
      const name = textAt(definition, key);
      const findings = entry.findings[member].get(name) ?? [];
      return findings.length === 0 ? [] : [{ kind, name, findings, definition }];
    }),
  );
}
