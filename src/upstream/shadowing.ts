import type { Finding } from '../model/input.ts';
import { isJsonObject, isRawNumber, type Json, type JsonObject } from '../model/json.ts';
import { foldLookAlikes, lookAlikeKey } from '../model/look-alike.ts';
import type { CatalogueEntry } from './catalogue.ts';
import type { CatalogueTool } from './catalogue-tool.ts';

/** What only shows where tools of several servers stand side by side, with its meaning for the manual. */
export const shadowRules = [
  {
    detector: 'name.confusable',
    means: 'a name with letters that look like Latin ones, so that it reads as another name',
    severity: 'critical',
  },
  {
    detector: 'shadow.look-alike',
    means: 'a name that reads like that of another tool: case, `l` and `1`, `-` and `_`, look-alike letters',
    severity: 'critical',
  },
  { detector: 'shadow.mention', means: "a description that names another server's tool", severity: 'critical' },
  {
    detector: 'shadow.same-name',
    means: 'a name that another server has too; agents see both with the server in front',
    severity: 'notice',
  },
] as const;

/** Findings on the tools of `entries` that come from their company; a tool about which there is nothing is missing. */
export function shadowFindings(entries: Iterable<CatalogueEntry>): ReadonlyMap<CatalogueTool, readonly Finding[]> {
  const tools = [...entries].flatMap((entry) => [...entry.tools.values()]);
  const servers = new Map<string, Set<string>>();
  const alike = new Map<string, Set<string>>();
  for (const { name, upstream } of tools) {
    put(servers, name, upstream);
    put(alike, lookAlikeKey(name), name);
  }
  const found = new Map<CatalogueTool, readonly Finding[]>();
  for (const tool of tools) {
    const isElsewhereOnly = (name: string): boolean => {
      const having = servers.get(name);
      return having !== undefined && !having.has(tool.upstream);
    };
    const mentions = [...mentionsOf(tool)].filter(([name]) => isElsewhereOnly(name)).map(([, pointer]) => pointer);
    const findings = [
      ...counted('name.confusable', foldLookAlikes(tool.name) === tool.name.toLowerCase() ? [] : ['/name']),
      ...counted('shadow.look-alike', (alike.get(lookAlikeKey(tool.name))?.size ?? 0) > 1 ? ['/name'] : []),
      ...counted('shadow.mention', mentions),
      ...counted('shadow.same-name', (servers.get(tool.name)?.size ?? 0) > 1 ? ['/name'] : []),
    ];
    if (findings.length > 0) found.set(tool, findings);
  }
  return found;
}

function put(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

/** One finding for each place. */
function counted(detector: string, pointers: readonly string[]): Finding[] {
  const counts = new Map<string, number>();
  for (const pointer of pointers) counts.set(pointer, (counts.get(pointer) ?? 0) + 1);
  return [...counts].map(([pointer, count]) => ({ detector, pointer, count }));
}

/** Names that a definition may mean, with the place of the first; kept as long as the definition. */
const mentionsKept = new WeakMap<JsonObject, ReadonlyMap<string, string>>();

function mentionsOf(tool: CatalogueTool): ReadonlyMap<string, string> {
  let kept = mentionsKept.get(tool.definition);
  if (kept === undefined) {
    const found = new Map<string, string>();
    collect(tool.definition, '', found);
    mentionsKept.set(tool.definition, (kept = found));
  }
  return kept;
}

const maxMentions = 5_000;
const words = /[A-Za-z][\w.-]{1,127}/g;
/** A plain word is a tool's name only where the text says so. */
const calledTool = /[`'"]([\w.-]{2,128})[`'"] (?:tool|function)\b|\b(?:tool|function) [`'"]([\w.-]{2,128})[`'"]/g;

/** Gathers the names in titles and descriptions, at any depth: what is enumerated or a default is data, not words. */
function collect(value: Json, pointer: string, found: Map<string, string>): void {
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return;
  for (const [key, member] of Object.entries(value as Readonly<Record<string, Json>>)) {
    const at = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (typeof member !== 'string') collect(member, at, found);
    else if ((key === 'description' || key === 'title') && found.size < maxMentions) {
      for (const [word] of member.matchAll(words)) {
        for (const name of [word, ...word.split('__')].map((each) => each.replace(/[.-]+$/, '')))
          if (isDistinctive(name) && !found.has(name)) found.set(name, at);
      }
      for (const [, before, after] of member.matchAll(calledTool)) {
        const name = before ?? after ?? '';
        if (isJsonObject(value) && !found.has(name)) found.set(name, at);
      }
    }
  }
}

/** Whether a word is hardly ever a word of the language: `read_file`, `get-env`, `createIssue`, `v2`. */
function isDistinctive(name: string): boolean {
  return /[a-z][A-Z]|\d|[A-Za-z][_.-][A-Za-z]/.test(name);
}
