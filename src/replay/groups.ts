import type { Entrypoint } from '../model/decision.ts';
import type { Kind, Verdict } from './verdict.ts';

/** One decision that is different under the candidate. */
export interface Difference {
  readonly kind: Kind;
  readonly entry: Entrypoint;
  readonly was: Verdict;
  readonly now: Verdict;
  /** The id of the call: what `castellan policy explain` takes. */
  readonly call: string;
  readonly seq: number;
  readonly at: string;
  /** `server/name` of a tool, else the method. */
  readonly tool: string;
  /** Groups of the identity, sorted. */
  readonly role: string;
  /** Subject, and the client where it is another. */
  readonly identity: string;
  readonly words: string;
}

/** Differences of one kind, by the same rules, on the same tool, for the same role. */
export interface Group {
  readonly kind: Kind;
  readonly entry: Entrypoint;
  readonly was: { readonly effect: string; readonly rules: readonly string[]; readonly visible?: number };
  readonly now: { readonly effect: string; readonly rules: readonly string[]; readonly fault?: string; readonly visible?: number };
  /** What only the recorded answer and only the candidate's redacts or counts. */
  readonly gone: readonly string[];
  readonly added: readonly string[];
  readonly tool: string;
  readonly role: string;
  readonly count: number;
  readonly identities: { readonly count: number; readonly top: readonly { readonly identity: string; readonly count: number }[] };
  /** The latest of them. */
  readonly example: { readonly call: string; readonly seq: number; readonly at: string; readonly words: string };
}

/** How many differences fall to one value: a rule, a tool, a role. */
export interface Share {
  readonly value: string;
  readonly count: number;
  readonly kinds: Partial<Readonly<Record<Kind, number>>>;
}

/** Groups that are kept apart; further ones are counted together. */
const maxGroups = 5_000;
const maxIdentities = 10_000;
const topIdentities = 5;

interface Gathered {
  readonly first: Difference;
  example: Difference;
  count: number;
  readonly identities: Map<string, number>;
}

/** Gathers differences as they are found, however many there are. */
export class Grouping {
  readonly #groups = new Map<string, Gathered>();
  readonly #shares = { rule: new Map<string, Share>(), tool: new Map<string, Share>(), role: new Map<string, Share>() };
  readonly #kinds: Partial<Record<Kind, number>> = {};
  #more = 0;

  add(one: Difference): void {
    this.#kinds[one.kind] = (this.#kinds[one.kind] ?? 0) + 1;
    const decisive = decisiveRules(one);
    for (const rule of decisive) count(this.#shares.rule, rule, one.kind);
    count(this.#shares.tool, one.tool, one.kind);
    count(this.#shares.role, one.role, one.kind);
    const { kind, entry, was, now, tool, role } = one;
    const key = JSON.stringify([kind, entry, was.effect, was.rules, now.effect, now.rules, now.fault, tool, role]);
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= maxGroups) {
        this.#more++;
        return;
      }
      this.#groups.set(key, (group = { first: one, example: one, count: 0, identities: new Map() }));
    }
    group.count++;
    if (one.seq >= group.example.seq) group.example = one;
    if (group.identities.size < maxIdentities || group.identities.has(one.identity))
      group.identities.set(one.identity, (group.identities.get(one.identity) ?? 0) + 1);
  }

  /** Differences of each kind. */
  get kinds(): Partial<Readonly<Record<Kind, number>>> {
    return this.#kinds;
  }

  /** Differences beyond the groups that are told apart. */
  get ungrouped(): number {
    return this.#more;
  }

  /** Largest first. */
  groups(): readonly Group[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count || a.example.seq - b.example.seq).map(groupOf);
  }

  /** Largest first. */
  shares(by: 'rule' | 'tool' | 'role'): readonly Share[] {
    return [...this.#shares[by].values()].sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
  }
}

/** The rules that made the difference: the candidate's, where it is stricter, else those that no longer speak. */
export function decisiveRules({ kind, was, now }: Pick<Difference, 'kind' | 'was' | 'now'>): readonly string[] {
  const rules = kind === 'newly_allowed' ? was.rules : now.rules;
  const found = rules.length > 0 ? rules : [...was.rules, ...now.rules];
  return found.length > 0 ? [...new Set(found)] : ['(none)'];
}

function groupOf({ first, example, count, identities }: Gathered): Group {
  const { kind, entry, was, now, tool, role } = first;
  const ranked = [...identities].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const [before, after] = [
    [...was.redactions, ...was.limits],
    [...now.redactions, ...now.limits],
  ];
  return {
    kind,
    entry,
    was: {
      effect: was.limited === undefined ? was.effect : 'deny',
      rules: was.rules,
      ...(was.visible === undefined ? {} : { visible: was.visible }),
    },
    now: {
      effect: now.effect,
      rules: now.rules,
      ...(now.fault === undefined ? {} : { fault: now.fault }),
      ...(now.visible === undefined ? {} : { visible: now.visible }),
    },
    gone: before.filter((item) => !after.includes(item)),
    added: after.filter((item) => !before.includes(item)),
    tool,
    role,
    count,
    identities: {
      count: identities.size,
      top: ranked.slice(0, topIdentities).map(([identity, times]) => ({ identity, count: times })),
    },
    example: { call: example.call, seq: example.seq, at: example.at, words: example.words },
  };
}

function count(shares: Map<string, Share>, value: string, kind: Kind): void {
  const found = shares.get(value) ?? { value, count: 0, kinds: {} };
  shares.set(value, { value, count: found.count + 1, kinds: { ...found.kinds, [kind]: (found.kinds[kind] ?? 0) + 1 } });
}
