import type { Observed, ObservedValues, Usage } from './observed-use.ts';

/** What an argument may be: one of these values, or a text that begins so and does not climb. */
export type Bound = { readonly one_of: readonly (string | number | boolean | null)[] } | { readonly begins: string };

/** By server, tool and argument. */
export type ArgumentBounds = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, Bound>>>>>>;

/** When a bound is safe enough to be suggested. */
export const boundRules = {
  /** Calls with the argument: few calls say little about the next. */
  minCalls: 50,
  /** People: what one person sends may be that person's own. */
  minPeople: 2,
  /** Values of an enumeration, and how often each was seen, by how many people. */
  maxValues: 8,
  minEach: 3,
  minPeopleEach: 2,
  /** Letters of a value: a longer one is hardly one of a few. */
  maxValueChars: 40,
} as const;

/**
 * Bounds for arguments whose values are few, or all lie in one folder. Suggested only where {@link boundRules} hold; numbers get no range, since
 * what was observed says nothing about how far it may go.
 */
export function argumentBounds({ usages }: Pick<Observed, 'usages'>): ArgumentBounds {
  const bounds: Record<string, Record<string, Record<string, Bound>>> = {};
  for (const usage of usages.filter(({ kind }) => kind === 'tool')) {
    for (const [argument, values] of usage.values) {
      const bound = boundOf(usage, values);
      if (bound !== undefined) ((bounds[usage.server] ??= {})[usage.name] ??= {})[argument] = bound;
    }
  }
  return bounds;
}

function boundOf({ people }: Usage, { count, values, common }: ObservedValues): Bound | undefined {
  const { minCalls, minPeople, maxValues, minEach, minPeopleEach, maxValueChars } = boundRules;
  if (count < minCalls || people.size < minPeople) return undefined;
  if (values !== undefined && values.size <= maxValues) {
    const each = [...values].map(([json, seen]) => ({ value: JSON.parse(json) as string | number | boolean | null, json, seen }));
    const isFew = each.every(
      ({ value, json, seen }) =>
        seen.count >= minEach &&
        seen.people.size >= minPeopleEach &&
        json.length <= maxValueChars + 2 &&
        (typeof value !== 'number' || Number.isSafeInteger(value)),
    );
    // Every boolean is one of two.
    const says = each.some(({ value }) => typeof value !== 'boolean') || each.length === 1;
    if (isFew && says) return { one_of: each.map(({ value }) => value).sort((a, b) => (String(a) < String(b) ? -1 : 1)) };
  }
  const folder = common?.slice(0, common.lastIndexOf('/') + 1) ?? '';
  const isFolder = /^(\/[^/]+|[a-z][a-z0-9+.-]*:\/\/[^/]+|[^/:]+)\/$|^(\/[^/]+|[a-z][a-z0-9+.-]*:\/\/[^/]+|[^/:]+)\/.+\/$/i.test(folder);
  const isPlain = folder.length <= maxValueChars * 2 && !/(^|\/)\.\.?(\/|$)|[%\\]/.test(folder);
  const isMany = values === undefined || values.size > maxValues;
  return isFolder && isPlain && isMany ? { begins: folder } : undefined;
}
