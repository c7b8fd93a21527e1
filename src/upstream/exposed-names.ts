import { createHash } from 'node:crypto';
import { lookAlikeKey } from '../model/look-alike.ts';

/** Something that wants a name in an endpoint. */
export interface Candidate {
  readonly upstream: string;
  /** The upstream's own name for it. */
  readonly name: string;
  /** The name that the configuration gives it; it is kept as it is or refused. */
  readonly chosen: string | undefined;
}

/** The names that were given, and what got none. */
export interface Named<Item extends Candidate> {
  readonly named: ReadonlyMap<string, Item>;
  readonly quarantined: readonly { readonly item: Item; readonly reason: string }[];
}

/** Some clients cut or refuse longer ones. */
export const maxNameLength = 60;
const allowed = /^[A-Za-z0-9_.-]{1,60}$/;

/**
 * Gives each candidate a name that is its own: its plain name where nobody else has that, with the upstream's name in front where two
 * upstreams have the same one. Names that a reader or a model could take for each other (case, `l` and `1`, `-` and `_`) are not given to
 * anyone but the configuration's own choice: they are quarantined with a reason. The outcome does not depend on which upstream is first.
 * @param reserved names that the gateway itself uses: nobody gets them, or one that looks like them
 */
export function exposeNames<Item extends Candidate>(items: readonly Item[], reserved: readonly string[] = []): Named<Item> {
  const quarantined: { item: Item; reason: string }[] = [];
  const wanted: { item: Item; name: string }[] = [];
  const counts = count(items.map((item) => item.chosen ?? item.name));
  for (const item of items) {
    const plain = item.chosen ?? item.name;
    const isShared = (counts.get(plain) ?? 0) > 1 && item.chosen === undefined;
    const name = item.chosen ?? fitName(isShared ? `${item.upstream}_${item.name}` : item.name);
    if (name === undefined) quarantined.push({ item, reason: foreignReason(item, items) });
    else if (!allowed.test(name))
      quarantined.push({ item, reason: `the name \`${name.slice(0, 80)}\` is not 1 to 60 letters, digits, \`_\`, \`-\` or \`.\`` });
    else wanted.push({ item, name });
  }
  const named = new Map<string, Item>();
  const taken = new Set(reserved.map(lookAlikeKey));
  for (const group of groupBy(wanted, (each) => lookAlikeKey(each.name))) {
    const chosen = group.filter((each) => each.item.chosen !== undefined);
    if (taken.has(lookAlikeKey(group[0]?.name ?? ''))) {
      for (const { item, name } of group)
        quarantined.push({ item, reason: `the gateway's own tools are searched under a name like \`${name}\`; rename it` });
      continue;
    }
    const winner = group.length === 1 ? group[0] : chosen.length === 1 ? chosen[0] : undefined;
    if (winner !== undefined) named.set(winner.name, winner.item);
    for (const each of group) {
      if (each === winner) continue;
      const others = group.filter((other) => other !== each).map((other) => `\`${other.name}\` of \`${other.item.upstream}\``);
      quarantined.push({ item: each.item, reason: `the name \`${each.name}\` looks like ${others.join(', ')}; rename one of them` });
    }
  }
  return { named, quarantined };
}

/** Why a name that is not plain ASCII is kept back: where it is another's name in other letters, that one is named. */
function foreignReason(item: Candidate, items: readonly Candidate[]): string {
  const words = 'its name has characters that cannot be told from others by sight';
  const key = lookAlikeKey(item.name);
  const twin = items.find((other) => other !== item && /^[\x20-\x7e]+$/.test(other.name) && lookAlikeKey(other.name) === key);
  return twin === undefined ? words : `${words}: it looks like \`${twin.name}\` of \`${twin.upstream}\``;
}

/** The name with what clients refuse replaced, shortened with a digest where it is too long; `undefined` where it is not plain ASCII. */
function fitName(name: string): string | undefined {
  if (!/^[\x20-\x7e]+$/.test(name)) return undefined;
  const plain = name.replace(/[^A-Za-z0-9_.-]/g, '_');
  if (plain.length <= maxNameLength) return plain;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${plain.slice(0, maxNameLength - 9)}_${digest}`;
}

function count(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[][] {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
