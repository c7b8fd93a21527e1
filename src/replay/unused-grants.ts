import type { Use } from './traffic-classes.ts';

/** A grant of `data.grants` that no call in the window needed. */
export interface UnusedGrant {
  readonly group: string;
  readonly server: string;
  /** As the data has it: `tools.read_graph`, `tool_prefixes.read_`, `resources.demo://`, `prompts.*`, `completion`. */
  readonly grant: string;
}

type Test = (use: Use) => boolean;

/** The grants that nobody of the group used. Data without `grants`, or of another shape, has none. */
export function unusedGrants(data: unknown, uses: readonly Use[]): readonly UnusedGrant[] {
  const found: UnusedGrant[] = [];
  for (const [group, servers] of members(member(data, 'grants'))) {
    for (const [server, grants] of members(servers)) {
      const here = uses.filter((use) => use.server === server && use.groups.includes(group));
      for (const { grant, covers } of grantsOf(grants)) if (!here.some(covers)) found.push({ group, server, grant });
    }
  }
  return found;
}

function grantsOf(grants: unknown): { readonly grant: string; readonly covers: Test }[] {
  const named = (key: string, kind: string): { grant: string; covers: Test }[] =>
    members(member(grants, key))
      .filter(([, granted]) => granted === true)
      .map(([name]) => ({ grant: `${key}.${name}`, covers: (use) => use.kind === kind && (name === '*' || use.name === name) }));
  const prefixed = (key: string, kind: string): { grant: string; covers: Test }[] =>
    list(member(grants, key)).map((prefix) => ({
      grant: `${key}.${prefix}`,
      covers: (use) => use.kind === kind && use.name.startsWith(prefix),
    }));
  const completion: Test = (use) => use.kind === 'completion';
  return [
    ...named('tools', 'tool'),
    ...prefixed('tool_prefixes', 'tool'),
    ...prefixed('resources', 'resource'),
    ...named('prompts', 'prompt'),
    ...(member(grants, 'completion') === true ? [{ grant: 'completion', covers: completion }] : []),
  ];
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}

function members(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
