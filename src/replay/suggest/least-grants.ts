import type { Observed, Usage } from './observed-use.ts';

/** Names of one server that a group, or a person without a group, may use. */
export interface ServerGrants {
  readonly tools?: Readonly<Record<string, true>>;
  readonly prompts?: Readonly<Record<string, true>>;
  /** Beginnings of addresses. */
  readonly resources?: readonly string[];
}

export type Grants = Readonly<Record<string, Readonly<Record<string, ServerGrants>>>>;

export interface LeastGrants {
  /** By group, then server. */
  readonly groups: Grants;
  /** By issuer, then subject, then server: who used something and has no group. */
  readonly subjects: Readonly<Record<string, Grants>>;
}

/** Up to so many addresses are granted one by one; of more, what they begin with. */
const maxAddresses = 8;

type Draft = Map<string, Map<string, { tools: Set<string>; prompts: Set<string>; resources: Set<string> }>>;

/**
 * The fewest and narrowest groups through which everybody who used something keeps it: for each thing the group that covers most of its users, and
 * among equals the one with the fewest members who never used it, until all are covered. A grant to a group is more than what was observed: its
 * other members get it too.
 */
export function leastGrants({ usages, groups: members }: Pick<Observed, 'usages' | 'groups'>): LeastGrants {
  const groups: Draft = new Map();
  const subjects = new Map<string, Draft>();
  for (const usage of usages) {
    const { chosen, alone } = cover(usage, members);
    for (const group of chosen) grant(groups, group, usage);
    for (const { issuer, subject } of alone) {
      const draft: Draft = subjects.get(issuer) ?? new Map<string, never>();
      subjects.set(issuer, draft);
      grant(draft, subject, usage);
    }
  }
  return { groups: finished(groups), subjects: Object.fromEntries([...subjects].map(([issuer, draft]) => [issuer, finished(draft)])) };
}

interface Cover {
  readonly chosen: readonly string[];
  readonly alone: readonly { readonly issuer: string; readonly subject: string }[];
}

function cover({ people }: Usage, members: ReadonlyMap<string, ReadonlySet<string>>): Cover {
  const left = new Map([...people].filter(([, { groups }]) => groups.length > 0));
  const chosen: string[] = [];
  while (left.size > 0) {
    const candidates = new Map<string, number>();
    for (const { groups } of left.values()) for (const group of groups) candidates.set(group, (candidates.get(group) ?? 0) + 1);
    const others = (group: string): number => [...(members.get(group) ?? [])].filter((member) => !people.has(member)).length;
    const [best] = [...candidates].sort((a, b) => b[1] - a[1] || others(a[0]) - others(b[0]) || (a[0] < b[0] ? -1 : 1));
    if (best === undefined) break;
    chosen.push(best[0]);
    for (const [key, { groups }] of left) if (groups.includes(best[0])) left.delete(key);
  }
  return { chosen, alone: [...people.values()].filter(({ groups }) => groups.length === 0) };
}

function grant(draft: Draft, owner: string, { kind, server, name }: Usage): void {
  const servers = draft.get(owner) ?? new Map<string, { tools: Set<string>; prompts: Set<string>; resources: Set<string> }>();
  draft.set(owner, servers);
  const grants = servers.get(server) ?? { tools: new Set<string>(), prompts: new Set<string>(), resources: new Set<string>() };
  servers.set(server, grants);
  (kind === 'tool' ? grants.tools : kind === 'prompt' ? grants.prompts : grants.resources).add(name);
}

function finished(draft: Draft): Grants {
  const sorted = <T>(map: ReadonlyMap<string, T>): [string, T][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  const named = (names: ReadonlySet<string>): Readonly<Record<string, true>> =>
    Object.fromEntries([...names].sort().map((name) => [name, true]));
  return Object.fromEntries(
    sorted(draft).map(([owner, servers]) => [
      owner,
      Object.fromEntries(
        sorted(servers).map(([server, { tools, prompts, resources }]): [string, ServerGrants] => [
          server,
          {
            ...(tools.size === 0 ? {} : { tools: named(tools) }),
            ...(prompts.size === 0 ? {} : { prompts: named(prompts) }),
            ...(resources.size === 0 ? {} : { resources: addresses([...resources]) }),
          },
        ]),
      ),
    ]),
  );
}

/** Addresses one by one, or folders of them: what stands before the last slash. A scheme alone is as narrow as it gets for many hosts. */
function addresses(all: readonly string[]): readonly string[] {
  if (all.length <= maxAddresses) return [...all].sort();
  const cut = (text: string, steps: number): string =>
    text.split('/').slice(0, steps).join('/') + (text.split('/').length > steps ? '/' : '');
  for (let steps = 8; steps > 2; steps--) {
    const folders = new Set(all.map((text) => cut(text, steps)));
    if (folders.size <= maxAddresses) return [...folders].sort();
  }
  return [...new Set(all.map((text) => /^[a-z][a-z0-9+.-]*:(\/\/)?/i.exec(text)?.[0] ?? text))].sort();
}
