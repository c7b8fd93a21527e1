import { isDeepStrictEqual } from 'node:util';
import type { Finding } from '../model/input.ts';
import type { CatalogueEntry } from './catalogue.ts';
import type { CatalogueTool } from './catalogue-tool.ts';
import { shadowFindings } from './shadowing.ts';

type Entries = ReadonlyMap<string, CatalogueEntry>;

/** Adds to the tools of a catalogue what is found about them in the company of the others. A tool with the same findings keeps its object. */
export class Shadows {
  readonly #last = new WeakMap<CatalogueTool, { readonly findings: readonly Finding[]; readonly tool: CatalogueTool }>();

  /** The entries with their findings, and the upstreams with a tool whose findings are others than in `before`. */
  cast(entries: Entries, before: Entries): { readonly upstreams: Entries; readonly touched: readonly string[] } {
    const found = shadowFindings(entries.values());
    const touched: string[] = [];
    const upstreams = new Map<string, CatalogueEntry>();
    for (const [name, entry] of entries) {
      const old = before.get(name)?.tools;
      const tools = new Map([...entry.tools].map(([tool, own]) => [tool, this.#shadowed(own, found.get(own))]));
      if ([...tools].some(([tool, now]) => !isDeepStrictEqual(old?.get(tool)?.findings, now.findings))) touched.push(name);
      upstreams.set(name, [...tools].some(([tool, now]) => entry.tools.get(tool) !== now) ? { ...entry, tools } : entry);
    }
    return { upstreams, touched };
  }

  #shadowed(own: CatalogueTool, findings: readonly Finding[] | undefined): CatalogueTool {
    if (findings === undefined) return own;
    const last = this.#last.get(own);
    if (last !== undefined && isDeepStrictEqual(last.findings, findings)) return last.tool;
    const tool = own.alsoFound(findings);
    this.#last.set(own, { findings, tool });
    return tool;
  }
}
